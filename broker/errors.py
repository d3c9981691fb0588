"""Every error the broker raises on purpose.

BrokerError
  ConfigError            the environment is wrong: lists every problem at once
  UserError              a person can fix it; the message is shown, the code helps support
    ConnectDenied        consent refused at the provider
    LoginRejected        the provider refused what was typed
    AddressRefused       an address that we do not connect to
    HostUnconfirmed      a host that the person must say yes to before it gets the password
    AttemptOver          a connect attempt that expired, was used, or belongs to another browser
  InvalidFields          field-level problems of an API call (422)
  NotFound               unknown, or not this caller's
  Forbidden              known, but not allowed
  EditConflict           changed at the provider since we read it
  TooManyRequests        a caller over its limit
  ProviderError          carries provider, operation and status; never a body
    RateLimited          carries retry_after
      RefreshPending     somebody else renews the credential, and it takes long
    ProviderUnavailable  5xx, timeout, connection lost, unreadable transport
      ServerMoved        the calendars are elsewhere, where we may not follow by ourselves
    AuthorizationLost    the provider clearly refuses the credential
    PermissionMissing    the credential works but may not do this
      ScopeMissing         the person has to allow more: connecting again helps
    CursorExpired        the cursor is no longer good: read everything again
    CalendarGone         deleted at the provider, or no longer shared
    ProtocolError        an answer we cannot read
    ConfigurationRefused the provider refuses *us* (client id, secret): an operator's problem
  MassDelete             a pass would remove more than it may without asking again
  LeaseLost              another worker owns this task now; write nothing
  SealBroken             ciphertext, key or place is wrong
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta


class BrokerError(Exception):
    """Root of the tree."""


class ConfigError(BrokerError):
    """The environment is wrong; *problems* lists each with the way to mend it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class UserError(BrokerError):
    """A person can do something about it.

    *code* is a stable reason code: pages choose their words by it and support finds it.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code


class ConnectDenied(UserError):
    """The person, or the provider on their behalf, said no."""


class LoginRejected(UserError):
    """The provider refused the login that was typed."""


class AddressRefused(UserError):
    """The address is private, malformed or otherwise not one that we connect to.

    *instead* is what to write in its place, where that can be told; it holds no secret.
    """

    def __init__(self, code: str, *, instead: str = "") -> None:
        super().__init__(code)
        self.instead = instead


class HostUnconfirmed(UserError):
    """The search leads to *host*, which nobody named: the person decides, nothing was sent."""

    def __init__(self, host: str) -> None:
        super().__init__("host_unconfirmed")
        self.host = host


class AttemptOver(UserError):
    """The connect attempt expired, was used before, or began in another browser.

    *application_id* is known when it is this browser's own attempt; *may_restart* when it has
    merely run out, and then *handle* where the address of the page does not have it.
    """

    handle: str | None = None

    def __init__(
        self, code: str, *, application_id: str | None = None, may_restart: bool = False
    ) -> None:
        super().__init__(code)
        self.application_id = application_id
        self.may_restart = may_restart


class InvalidFields(BrokerError):
    """Field-level problems: field name to (key, description) pairs.

    Keys are those of the partner API's 422 answers, for example `errors.required`.
    """

    def __init__(self, problems: Mapping[str, Sequence[tuple[str, str]]]) -> None:
        super().__init__(", ".join(problems))
        self.problems = {field: list(entries) for field, entries in problems.items()}


class NotFound(BrokerError):
    """Unknown here, or not this caller's to know."""


class Forbidden(BrokerError):
    """Known, but this caller may not."""


class EditConflict(BrokerError):
    """The resource changed at the provider since we read it (HTTP 412)."""


class TooManyRequests(BrokerError):
    """The caller is over its limit; *retry_after* says when to come back."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__("too many requests")
        self.retry_after = retry_after


class ProviderError(BrokerError):
    """A remote call failed. Carries where and how, never what was in the answer."""

    reason = "provider_error"

    def __init__(
        self, provider: str, operation: str, status: int | None = None, *, detail: str = ""
    ) -> None:
        parts = [provider, operation, str(status) if status else "", detail]
        super().__init__(" ".join(part for part in parts if part))
        self.provider = provider
        self.operation = operation
        self.status = status
        self.detail = detail


class RateLimited(ProviderError):
    """The provider asks us to wait; *retry_after* is None when it does not say how long."""

    reason = "rate_limited"

    def __init__(
        self,
        provider: str,
        operation: str,
        status: int | None = None,
        *,
        retry_after: timedelta | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(provider, operation, status, detail=detail)
        self.retry_after = retry_after


class LoginPaused(RateLimited):
    """The wait that the provider asked for is not over, and it was not asked again."""


class RefreshPending(RateLimited):
    """Somebody else has been renewing the credential for a while: come back soon."""

    reason = "provider_unavailable"


class ProviderUnavailable(ProviderError):
    """The provider does not answer, answers 5xx, or the transport broke."""

    reason = "provider_unavailable"


class ServerMoved(ProviderUnavailable):
    """The server points elsewhere, to where the login may not go unless the person says so."""

    reason = "server_moved"


class AuthorizationLost(ProviderError):
    """A clear refusal of the credential: the person must connect again.

    *credential_version* is the connection's version that was refused; None when there was
    nothing to refuse.
    """

    reason = "authorization_lost"
    credential_version: int | None = None


class PermissionMissing(ProviderError):
    """The credential is good, but the provider does not allow this call."""

    reason = "not_permitted"


class ScopeMissing(PermissionMissing):
    """A clear refusal: what the person has allowed does not cover this call.

    *credential_version* is as in AuthorizationLost.
    """

    reason = "permission_missing"
    credential_version: int | None = None


class CursorExpired(ProviderError):
    """The cursor is no longer valid: start again from nothing."""

    reason = "cursor_expired"


class CalendarGone(ProviderError):
    """The calendar was deleted or is no longer shared with this login."""

    reason = "calendar_gone"


class ProtocolError(ProviderError):
    """An answer we cannot read: a fault of ours or theirs, never a reason to delete."""

    reason = "unreadable_answer"


class ConfigurationRefused(ProviderError):
    """The provider refuses this installation, not the person: an operator must act."""

    reason = "configuration_refused"


class ProviderMissing(ProviderError):
    """This deployment no longer has the settings of a provider that it has connections to."""

    reason = "provider_not_configured"


class MassDelete(BrokerError):
    """A pass would remove *removed* of *held* events without having asked twice."""

    def __init__(self, removed: int, held: int) -> None:
        super().__init__(f"{removed} of {held} events would be removed")
        self.removed = removed
        self.held = held


class CopyOvertaken(BrokerError):
    """Somebody else has written a calendar's copy since this step was planned: plan it anew."""


class LeaseLost(BrokerError):
    """Another worker owns this task now; nothing may be written."""


class SealBroken(BrokerError):
    """A sealed value does not open: wrong key, wrong place, or changed bytes."""
