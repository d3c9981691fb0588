"""What Exchange's response codes ask of us: one table.

https://learn.microsoft.com/exchange/client-developer/web-service-reference/responsecode
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto


class Meaning(Enum):
    """What a response code asks of us."""

    BUSY = auto()  # wait as long as told
    TRANSIENT = auto()  # the server is changing: again in a while
    FAILED = auto()  # something went wrong in there, perhaps with one item only
    TOO_MUCH = auto()  # fewer at a time
    ELSEWHERE = auto()  # the mailbox is at another server
    REFUSED = auto()  # the login no longer works
    FORBIDDEN = auto()  # it works, but not for this
    FOLDER_GONE = auto()
    ITEM_GONE = auto()
    NOBODY = auto()  # no such person, list or room, or nothing can be told of them
    STATE_DEAD = auto()  # what was kept of us is lost: begin anew
    UNHEARD = auto()  # no notifications: polling has to do
    CONFLICT = auto()  # changed since it was read
    NOT_EDITABLE = auto()  # wrong role, or the event is in a wrong state
    BAD_EVENT = auto()  # what is to be written makes no sense there
    ZONE_UNKNOWN = auto()  # the server is older than the zone
    TOO_NEW = auto()  # a version that the server does not speak
    BUG = auto()  # ours


def _codes(meaning: Meaning, names: str) -> dict[str, Meaning]:
    return {f"Error{name}": meaning for name in names.split()}


MEANINGS: Mapping[str, Meaning] = {
    **_codes(Meaning.BUSY, "ServerBusy ExceededConnectionCount"),
    **_codes(
        Meaning.TRANSIENT,
        "MailboxMoveInProgress MailboxStoreUnavailable MailboxFailover ADUnavailable ADOperation "
        "ConnectionFailed TimeoutExpired InternalServerTransientError InsufficientResources "
        "BatchProcessingStopped NotEnoughMemory ADSessionFilter CrossSiteRequest",
    ),
    **_codes(
        Meaning.FAILED,
        "InternalServerError ItemCorrupt CorruptData ContentConversionFailed "
        "MimeContentConversionFailed",
    ),
    **_codes(Meaning.TOO_MUCH, "ExceededFindCountLimit DataSizeLimitExceeded"),
    **_codes(
        Meaning.ELSEWHERE,
        "NonExistentMailbox ProxyRequestNotAllowed ProxyServiceDiscoveryFailed "
        "NoRespondingCASInDestinationSite ProxyRequestProcessingFailed",
    ),
    **_codes(Meaning.REFUSED, "PasswordExpired PasswordChangeRequired AccountDisabled"),
    **_codes(
        Meaning.FORBIDDEN,
        "AccessDenied ImpersonateUserDenied ImpersonationDenied ImpersonationFailed "
        "InvalidUserPrincipalName InvalidUserSid InvalidSid MissingEmailAddress QuotaExceeded "
        "MessageSizeExceeded NoFreeBusyAccess CreateItemAccessDenied DeleteItemsFailed "
        "FolderSavePropertyError",
    ),
    **_codes(
        Meaning.FOLDER_GONE,
        "FolderNotFound SyncFolderNotFound InvalidId InvalidIdMalformed InvalidIdMonikerTooLong "
        "InvalidFolderId ParentFolderNotFound",
    ),
    **_codes(
        Meaning.ITEM_GONE,
        "ItemNotFound CalendarOccurrenceIndexIsOutOfRecurrenceRange "
        "CalendarOccurrenceIsDeletedFromRecurrence",
    ),
    **_codes(
        Meaning.NOBODY,
        "NameResolutionNoResults NameResolutionNoMailbox NameResolutionMultipleResults "
        "MailRecipientNotFound CannotFindRoomList InvalidSmtpAddress FreeBusyGenerationFailed "
        "FreeBusyDLLimitReached",
    ),
    **_codes(
        Meaning.STATE_DEAD,  # of which the schema spells one without its c
        "InvalidSyncStateData InvalidWatermark SubscriptionNotFound ReadEventsFailed "
        "MissedNotificationEvents ExpiredSubscription InvalidSubscription "
        "SubscriptionUnsubsribed SubscriptionUnsubscribed",
    ),
    **_codes(
        Meaning.UNHEARD,
        "ExceededSubscriptionCount InvalidSubscriptionRequest InvalidPushSubscriptionUrl "
        "SubscriptionAccessDenied SubscriptionDelegateAccessNotSupported",
    ),
    **_codes(
        Meaning.CONFLICT,
        "IrresolvableConflict StaleObject ChangeKeyRequired ChangeKeyRequiredForWriteOperations "
        "InvalidChangeKey",
    ),
    **_codes(
        Meaning.NOT_EDITABLE,
        "CalendarIsOrganizerForAccept CalendarIsOrganizerForDecline CalendarIsOrganizerForRemove "
        "CalendarIsOrganizerForTentative CalendarIsNotOrganizer CalendarIsCancelledForAccept "
        "CalendarCannotUpdateDeletedItem CalendarMeetingRequestIsOutOfDate",
    ),
    **_codes(
        Meaning.BAD_EVENT,
        "CalendarEndDateIsEarlierThanStartDate CalendarDurationIsTooLong CalendarInvalidRecurrence "
        "CalendarInvalidDayForTimeChangePattern OccurrenceCrossingBoundary "
        "OccurrenceTimeSpanTooBig RecurrenceEndDateTooBig RecurrenceHasNoOccurrence "
        "InvalidPropertySet InvalidRecipients CalendarOutOfRange",
    ),
    **_codes(Meaning.ZONE_UNKNOWN, "CalendarInvalidTimeZone InvalidTimeZone TimeZone"),
    **_codes(
        Meaning.TOO_NEW,
        "InvalidServerVersion InvalidSchemaVersionForMailboxVersion IncorrectSchemaVersion",
    ),
    **_codes(
        Meaning.BUG,
        "InvalidRequest SchemaValidation InvalidOperation CalendarViewRangeTooBig "
        "TimeIntervalTooBig "
        "SendMeetingInvitationsRequired SendMeetingInvitationsOrCancellationsRequired "
        "SendMeetingCancellationsRequired",
    ),
}
