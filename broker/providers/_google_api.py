"""Google's Calendar API v3 on the wire: the call, and what each refusal means.

https://developers.google.com/workspace/calendar/api/guides/errors
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from broker.clock import Clock
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
    ScopeMissing,
)
from broker.http import Answer, Call, Http
from broker.logins import OAuthCredential
from broker.retry_after import retry_after

PROVIDER = "google"
PUSH_NOT_SUPPORTED = "pushNotSupportedForRequestedResource"
_QUOTA = "quota"
_QUOTA_PAUSE = timedelta(hours=1)

# What a reason, or else a status, means, with the code that pages have words for. A reason says
# more than the status: 403 may ask us to wait, to ask the person, or to drop a calendar.
_MEANINGS: dict[str | int, tuple[type[BrokerError], str]] = {
    "authError": (AuthorizationLost, ""),
    "rateLimitExceeded": (RateLimited, ""),
    "userRateLimitExceeded": (RateLimited, ""),
    "RATE_LIMIT_EXCEEDED": (RateLimited, ""),
    "RESOURCE_EXHAUSTED": (RateLimited, ""),
    "quotaExceeded": (RateLimited, _QUOTA),
    "dailyLimitExceeded": (RateLimited, _QUOTA),
    "insufficientPermissions": (ScopeMissing, "permission_unticked"),
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": (ScopeMissing, "permission_unticked"),
    "notACalendarUser": (PermissionMissing, "calendar_service_off"),
    "domainPolicy": (PermissionMissing, "domain_policy"),
    "accessNotConfigured": (ConfigurationRefused, "api_disabled"),
    "SERVICE_DISABLED": (ConfigurationRefused, "api_disabled"),
    "push.webhookUrlNotHttps": (ConfigurationRefused, "callback_refused"),
    "push.webhookUrlUnauthorized": (ConfigurationRefused, "callback_refused"),
    "forbidden": (CalendarGone, ""),
    "requiredAccessLevel": (CalendarGone, ""),
    "fullSyncRequired": (CursorExpired, ""),
    "updatedMinTooLongAgo": (CursorExpired, ""),
    "backendError": (ProviderUnavailable, ""),
    401: (AuthorizationLost, ""),
    403: (PermissionMissing, ""),
    404: (CalendarGone, ""),
    408: (ProviderUnavailable, ""),
    409: (EditConflict, ""),
    410: (CursorExpired, ""),
    412: (EditConflict, ""),
    429: (RateLimited, ""),
}


class _Reason(msgspec.Struct, frozen=True):
    reason: str = ""


class _Error(msgspec.Struct, frozen=True):
    errors: tuple[_Reason, ...] = ()
    details: tuple[_Reason, ...] = ()
    status: str = ""


class _Envelope(msgspec.Struct, frozen=True):
    error: _Error


class GoogleApi:
    """Calls the API with one credential and raises what a refusal means."""

    def __init__(self, http: Http, clock: Clock, base_url: str, credential: OAuthCredential):
        self._http = http
        self._clock = clock
        self._base_url = base_url.rstrip("/")
        self._credential = credential

    def get(self, operation: str, path: str, params: Mapping[str, str]) -> bytes:
        """Give the body of a good answer. Raises ProviderError kinds."""
        answer = self._call(operation, "GET", path, params=params)
        self.check(answer, operation, path)
        return answer.body

    def post(self, operation: str, path: str, content: Mapping[str, object]) -> Answer:
        """Send JSON and give the answer, unchecked."""
        return self._call(operation, "POST", path, body=msgspec.json.encode(content))

    def check(self, answer: Answer, operation: str, path: str) -> None:
        """Raise what *answer* means unless it is a success."""
        if not 200 <= answer.status < 300:
            raise refusal(answer, operation, path, self._clock.now())
        if answer.body and answer.headers.get("Content-Type", "").startswith("text/html"):
            raise ProviderUnavailable(PROVIDER, operation, answer.status, detail="a page, not data")

    def _call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        headers = {
            "Authorization": f"Bearer {self._credential.access_token}",
            "Accept": "application/json",
        }
        if body is not None:
            headers["Content-Type"] = "application/json; charset=UTF-8"
        url = f"{self._base_url}/{path}"
        quiet = {"prettyPrint": "false", **(params or {})}
        return self._http.call(
            Call(PROVIDER, operation, method, url, headers=headers, params=quiet, body=body)
        )


def refusal(answer: Answer, operation: str, path: str, now: datetime) -> BrokerError:
    """Give the error that an answer other than a success means.

    *path* tells whether a calendar was meant: only then may `not found` drop one.
    """
    status, names = answer.status, reasons(answer)
    asked_for = retry_after(answer.headers, now)
    if status >= 500 and asked_for:
        return RateLimited(PROVIDER, operation, status, retry_after=asked_for)
    if status >= 500 or (not names and status not in (410, 429)):
        # No envelope means that the API itself did not answer: a page of a front end or a proxy
        # must not cost a person the connection.
        return ProviderUnavailable(PROVIDER, operation, status)
    name = next((name for name in names if name in _MEANINGS), status)
    kind, detail = _MEANINGS.get(name, (ProtocolError, ""))
    if kind is RateLimited:
        pause = asked_for or (_QUOTA_PAUSE if detail == _QUOTA else None)
        return RateLimited(PROVIDER, operation, status, retry_after=pause, detail=detail)
    if kind is CalendarGone and not path.startswith("calendars/"):
        kind = PermissionMissing if status == 403 else ProtocolError
    if issubclass(kind, ProviderError):
        return kind(PROVIDER, operation, status, detail=detail)
    return kind(f"{PROVIDER} {operation} {status}")


def reasons(answer: Answer) -> list[str]:
    """Give an error's reasons, the most exact first; empty without an error envelope."""
    try:
        error = msgspec.json.decode(answer.body, type=_Envelope).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
    first = [item.reason for item in error.errors[:1]]
    return [*first, *(detail.reason for detail in error.details), error.status]
