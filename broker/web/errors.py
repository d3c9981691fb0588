"""How errors are answered: JSON for applications, pages for people.

One place turns the tree of `broker.errors` into status codes. JSON answers say what a caller
can act on and nothing of what happened inside.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
from flask import Flask, Response, make_response, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from broker.errors import (
    BrokerError,
    EditConflict,
    Forbidden,
    InvalidFields,
    NotFound,
    ProviderUnavailable,
    RateLimited,
    TooManyRequests,
    UserError,
)
from broker.ids import new_uuid
from broker.logs import request_id
from broker.services.features import FeatureOff
from broker.services.reading_scopes import MissingScope

log = logging.getLogger(__name__)

PageRenderer = Callable[[str, int], ResponseReturnValue]

_HEADERS = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}
_FOR_APPLICATIONS = ("/v1", "/oauth")
_FOR_PEOPLE = ("/oauth/authorize",)
_DATABASE_BACK_IN = timedelta(seconds=5)
_PROVIDER_BACK_IN = timedelta(seconds=30)
_HTTP_CODES = {
    400: "bad_request",
    401: "invalid_token",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    429: "too_many_requests",
    503: "temporarily_unavailable",
}


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What is answered: *code* chooses a page's words and is the `error` of JSON."""

    status: int
    code: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] = field(default_factory=dict)


def json_answer(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer in JSON that nothing on the way may keep."""
    return Response(msgspec.json.encode(body), status, headers=_HEADERS | dict(headers or {}))


def unauthorized() -> Response:
    """Answer 401: no access token, or not one that works (RFC 6750 section 3)."""
    return json_answer({"error": "invalid_token"}, 401, {"WWW-Authenticate": "Bearer"})


def register(app: Flask, *, page: PageRenderer) -> None:
    """Answer every error of *app*; *page* is given a reason code and a status for people."""

    def answered(error: Exception) -> ResponseReturnValue:
        # What failed while another error was answered comes wrapped.
        error = getattr(error, "original_exception", None) or error
        refusal = _refusal(error)
        if refusal.status >= 500:
            _log(error, refusal)
        if not _is_for_applications(request.path):
            shown = make_response(page(refusal.code, refusal.status))
            shown.headers.update(refusal.headers)
            return shown
        body = {"error": refusal.code} if not refusal.body else refusal.body
        return json_answer(body, refusal.status, refusal.headers)

    app.register_error_handler(Exception, answered)


def _is_for_applications(path: str) -> bool:
    if path in _FOR_PEOPLE:
        return False
    return any(path == root or path.startswith(root + "/") for root in _FOR_APPLICATIONS)


def _refusal(error: Exception) -> _Refusal:
    if isinstance(error, HTTPException):
        return _http(error)
    if isinstance(error, (OperationalError, InterfaceError, PoolTimeout)):
        return _unavailable(_DATABASE_BACK_IN)
    if isinstance(error, BrokerError):
        return _ours(error)
    return _failure()


def _http(error: HTTPException) -> _Refusal:
    """Keep what the protocol asks for (Allow, WWW-Authenticate, Retry-After)."""
    status = error.code or 500
    names = ("Allow", "WWW-Authenticate", "Retry-After")
    headers = {name: value for name, value in error.get_headers() if name in names}
    if status >= 500 and status != 503:
        return _failure()
    return _Refusal(status, _HTTP_CODES.get(status, "bad_request"), headers)


def _ours(error: BrokerError) -> _Refusal:
    match error:
        case InvalidFields():
            return _Refusal(422, "invalid_fields", body={"errors": _described(error)})
        case MissingScope():
            return _missing_scope(error.scope)
        case FeatureOff():
            return _Refusal(402, "feature_off")
        case NotFound():
            return _Refusal(404, "not_found")
        case Forbidden():
            return _Refusal(403, "forbidden")
        case EditConflict():
            return _Refusal(409, "conflict")
        case TooManyRequests():
            return _Refusal(429, "too_many_requests", _retry(error.retry_after))
        case UserError():
            return _Refusal(400, error.code)
        case RateLimited():
            return _unavailable(error.retry_after or _PROVIDER_BACK_IN)
        case ProviderUnavailable():
            return _unavailable(_PROVIDER_BACK_IN)
    return _failure()


def _described(error: InvalidFields) -> dict[str, list[dict[str, str]]]:
    return {
        name: [{"key": key, "description": text} for key, text in entries]
        for name, entries in error.problems.items()
    }


def _missing_scope(scope: str) -> _Refusal:
    """Name the scope that would have been enough (RFC 6750 section 3.1)."""
    return _Refusal(
        403,
        "insufficient_scope",
        {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
        {
            "error": "insufficient_scope",
            "error_description": f"The access token lacks the scope {scope}.",
            "scope": scope,
        },
    )


def _unavailable(back_in: timedelta) -> _Refusal:
    return _Refusal(503, "temporarily_unavailable", _retry(back_in))


def _retry(after: timedelta) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(after.total_seconds())))}


def _failure() -> _Refusal:
    """Say nothing but the id under which the log tells more."""
    reference = request_id.get() or new_uuid()
    return _Refusal(500, "server_error", body={"error": "server_error", "request_id": reference})


def _log(error: Exception, refusal: _Refusal) -> None:
    extra = {"status": refusal.status, "reference": refusal.body.get("request_id")}
    if refusal.status == 503:
        log.warning("request not served", extra=extra | {"error": type(error).__name__})
    else:
        log.error("request failed", exc_info=error, extra=extra)
