"""The table of response codes against what Exchange's documentation says of each."""

from __future__ import annotations

import pytest

from broker.errors import (
    AuthorizationLost,
    BrokerError,
    CalendarGone,
    ConfigurationRefused,
    CursorExpired,
    EditConflict,
    PermissionMissing,
    ProtocolError,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    ServerMoved,
    UserError,
)
from broker.providers._ews.faults import BATCH_STOPPED, TOO_MUCH, Trouble, ZoneUnknown, error_of
from broker.providers._ews.meanings import MEANINGS, Meaning

# What each asks of a client, and the one error that it becomes.
DOCUMENTED: list[tuple[type[BrokerError], str]] = [
    (PermissionMissing, "AccessDenied MissingEmailAddress QuotaExceeded MessageSizeExceeded"),
    (PermissionMissing, "ImpersonateUserDenied ImpersonationDenied ImpersonationFailed"),
    (PermissionMissing, "InvalidUserPrincipalName InvalidUserSid InvalidSid NoFreeBusyAccess"),
    (AuthorizationLost, "PasswordExpired PasswordChangeRequired AccountDisabled"),
    (ServerMoved, "NonExistentMailbox ProxyRequestNotAllowed ProxyServiceDiscoveryFailed"),
    (ServerMoved, "NoRespondingCASInDestinationSite"),
    (ProviderUnavailable, "MailboxMoveInProgress MailboxStoreUnavailable MailboxFailover"),
    (ProviderUnavailable, "ADUnavailable ADOperation ConnectionFailed TimeoutExpired"),
    (ProviderUnavailable, "InternalServerTransientError InsufficientResources"),
    (ProviderUnavailable, "BatchProcessingStopped InternalServerError ExceededFindCountLimit"),
    (RateLimited, "ServerBusy ExceededConnectionCount"),
    (CalendarGone, "FolderNotFound SyncFolderNotFound ItemNotFound"),
    (CalendarGone, "CalendarOccurrenceIndexIsOutOfRecurrenceRange"),
    (CalendarGone, "CalendarOccurrenceIsDeletedFromRecurrence"),
    (CalendarGone, "InvalidIdMalformed InvalidId InvalidIdMonikerTooLong"),
    (CursorExpired, "InvalidSyncStateData InvalidWatermark SubscriptionNotFound ReadEventsFailed"),
    (CursorExpired, "MissedNotificationEvents SubscriptionUnsubsribed SubscriptionUnsubscribed"),
    (CursorExpired, "ExpiredSubscription InvalidSubscription"),
    (ConfigurationRefused, "SubscriptionAccessDenied SubscriptionDelegateAccessNotSupported"),
    (ConfigurationRefused, "ExceededSubscriptionCount"),
    (EditConflict, "IrresolvableConflict StaleObject ChangeKeyRequired"),
    (EditConflict, "ChangeKeyRequiredForWriteOperations"),
    (UserError, "CalendarEndDateIsEarlierThanStartDate CalendarDurationIsTooLong"),
    (UserError, "CalendarInvalidRecurrence OccurrenceCrossingBoundary"),
    (UserError, "RecurrenceEndDateTooBig InvalidPropertySet RecurrenceHasNoOccurrence"),
    (UserError, "CalendarIsOrganizerForAccept CalendarIsOrganizerForDecline"),
    (UserError, "CalendarCannotUpdateDeletedItem"),
    (ZoneUnknown, "CalendarInvalidTimeZone"),
    (ProtocolError, "SendMeetingInvitationsRequired SendMeetingInvitationsOrCancellationsRequired"),
    (ProtocolError, "SendMeetingCancellationsRequired CalendarViewRangeTooBig"),
    (ProtocolError, "InvalidServerVersion InvalidSchemaVersionForMailboxVersion"),
    (ProtocolError, "IncorrectSchemaVersion InvalidRequest SchemaValidation InvalidOperation"),
    # Of one address in an answer, where they are no errors: see `GetUserAvailability`.
    (ProtocolError, "MailRecipientNotFound TimeIntervalTooBig FreeBusyGenerationFailed"),
    (ProtocolError, "FreeBusyDLLimitReached NameResolutionNoResults NameResolutionNoMailbox"),
    (ProtocolError, "NameResolutionMultipleResults"),
]
PAIRS = [(f"Error{name}", kind) for kind, names in DOCUMENTED for name in names.split()]


@pytest.mark.parametrize(("code", "kind"), PAIRS)
def test_every_documented_code_has_its_meaning(code: str, kind: type[BrokerError]) -> None:
    assert code in MEANINGS
    assert type(error_of(Trouble(code), "GetItem", 200)) is kind


def test_every_meaning_has_codes_and_an_error() -> None:
    assert set(Meaning) == set(MEANINGS.values())
    assert all(code.startswith("Error") for code in MEANINGS)
    assert all(isinstance(error_of(Trouble(code), "GetItem"), BrokerError) for code in MEANINGS)
    assert len(PAIRS) == len(dict(PAIRS))


def test_what_asks_for_less_says_so() -> None:
    raised = error_of(Trouble("ErrorExceededFindCountLimit"), "FindFolder", 200)
    assert isinstance(raised, ProviderError) and TOO_MUCH == raised.detail
    assert Meaning.TRANSIENT is MEANINGS[BATCH_STOPPED]
