"""Calendar API answers that are refused, cut, slow, huge or unreadable, as a fault asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flask import Response

from sandbox.stand_in.faults import Faults
from sandbox.stand_in.spoiled_bodies import cut, dripping, seconds_of, sleeping

from .errors import ApiError, bad_credentials

_OVERSIZED = 62 * 1024 * 1024
_CHUNK = b"x" * 65_536

_REFUSALS: dict[str, Callable[[], ApiError]] = {
    "throttled_429": lambda: _limit(429, "rateLimitExceeded", "Rate Limit Exceeded", "2"),
    "throttled_403": lambda: _limit(403, "rateLimitExceeded", "Rate Limit Exceeded"),
    "quota_403": lambda: _limit(403, "quotaExceeded", "Calendar usage limits exceeded."),
    "server_error_500": lambda: ApiError(500, "backendError", "Backend Error"),
    "unavailable_503": lambda: ApiError(503, "backendError", "Backend Error"),
    "revoked_grant": bad_credentials,
}
_PAGES = {"bad_gateway_502": 502, "gateway_timeout_504": 504}
_HTML = (
    "<!DOCTYPE html>\n<html lang=en>\n<title>Error {status} (Server Error)!!1</title>\n"
    "<p><b>{status}.</b> <ins>That's an error.</ins>\n"
    "<p>The server encountered a temporary error and could not complete your request.\n"
)


def _limit(status: int, reason: str, message: str, retry_after: str | None = None) -> ApiError:
    headers = {"Retry-After": retry_after} if retry_after else {}
    return ApiError(status, reason, message, domain="usageLimits", headers=headers)


def before(faults: Faults, person: str, *, writes: bool) -> Response | None:
    """Apply a fault that answers instead of the API. Raises ApiError for a refusal."""
    if writes and faults.take(person, "reset_before_write"):
        return Response(cut())
    if slow := faults.take(person, "slow_headers"):
        sleeping()(seconds_of(slow))
    found = faults.take(person, *_REFUSALS, *_PAGES, "oversized_body")
    if found is None:
        return None
    if status := _PAGES.get(found.fault):
        page = _HTML.format(status=status)
        return Response(page, status, content_type="text/html; charset=UTF-8")
    if found.fault == "oversized_body":
        return Response(_huge(), 200, content_type="application/json; charset=UTF-8")
    raise _REFUSALS[found.fault]()


def after(faults: Faults, person: str, answer: Response, *, writes: bool) -> Response:
    """Apply a fault that spoils a good answer."""
    if writes and faults.take(person, "reset_after_write"):
        return Response(cut())
    found = faults.take(person, "slow", "truncated_body", "invalid_json")
    if found is None:
        return answer
    body = answer.get_data()
    if found.fault == "invalid_json":
        answer.set_data(body[: max(1, len(body) // 2)])
        return answer
    slow = found.fault == "slow"
    chunks = dripping(body, seconds_of(found), sleeping()) if slow else cut(body[: len(body) // 2])
    spoiled = Response(chunks, answer.status_code, answer.headers)
    spoiled.headers["Content-Length"] = str(len(body))
    return spoiled


def _huge() -> Iterator[bytes]:
    yield b'{"kind":"calendar#events","items":[],"description":"'
    for _ in range(_OVERSIZED // len(_CHUNK)):
        yield _CHUNK
    yield b'"}'
