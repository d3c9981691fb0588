"""Who calls the API: the bearer token, its scopes, and the frame around every method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

from flask import Response, current_app, g, request

from sandbox.stand_in.faults import Faults

from . import broken_answers, scopes
from .errors import ApiError, bad_credentials, invalid, json_response
from .fields import Mask
from .model import AccessToken, Calendar, Person, Resource
from .state import GoogleState
from .store import before_last_change

_REALM = 'Bearer realm="https://accounts.google.com/"'


@dataclass(frozen=True)
class Caller:
    """The person and client behind a request; `opened_by` are the scopes that let it in."""

    person: Person
    client_id: str
    opened_by: frozenset[str]

    @property
    def email(self) -> str:
        """The person's address."""
        return self.person.email

    def role(self, calendar: Calendar, role: str) -> str:
        """Return the role that the scopes leave of the person's own. Raises ApiError 403, 404."""
        if self.opened_by <= {"calendar.events.freebusy"}:
            return "freeBusyReader"
        if self.opened_by <= {"calendar.app.created"} and calendar.created_by != self.client_id:
            raise ApiError(404, "notFound", "Not Found")
        owned = {"calendar.events.owned", "calendar.events.owned.readonly"}
        public = {"calendar.events.public.readonly"}
        if self.opened_by <= owned and role != "owner":
            raise ApiError(403, "forbidden", "Forbidden")
        if self.opened_by <= public and "*" not in calendar.roles:
            raise ApiError(403, "forbidden", "Forbidden")
        return role


def state() -> GoogleState:
    """Return the state of the current app."""
    return cast(GoogleState, current_app.extensions["google"])


def faults() -> Faults:
    """Return the faults of the current app."""
    return cast(Faults, current_app.extensions["faults"])


def bearer_token() -> AccessToken:
    """Return the live token of the request. Raises ApiError 401."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    text = text.strip() if kind.lower() == "bearer" else request.args.get("oauth_token", "")
    if not text:
        raise ApiError(
            401,
            "required",
            "Login Required.",
            location=("header", "Authorization"),
            headers={"WWW-Authenticate": _REALM},
        )
    token = state().world.access_tokens.get(text)
    if token is None or token.expires_at <= state().now():
        raise bad_credentials()
    g.person = token.email
    return token


def _caller(method: str) -> Caller:
    token = bearer_token()
    opened_by = scopes.opening(method, token.scopes)
    if not opened_by:
        raise _insufficient(method)
    person = state().world.people[token.email]
    return Caller(person, token.client_id, frozenset(opened_by))


def _insufficient(method: str) -> ApiError:
    wanted = " ".join(scopes.PREFIX + name for name in scopes.METHODS[method])
    detail = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        "domain": "googleapis.com",
        "metadata": {"service": "calendar-json.googleapis.com", "method": f"calendar.{method}"},
    }
    return ApiError(
        403,
        "insufficientPermissions",
        "Request had insufficient authentication scopes.",
        headers={"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{wanted}"'},
        extra={"status": "PERMISSION_DENIED", "details": [detail]},
    )


def method(
    name: str, *, writes: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Response]]:
    """Make a view an API method: authenticated, scoped, under the lock, faults applied.

    The view takes the Caller first and returns a JSON object, or None for 204.
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., Response]:
        @wraps(view)
        def run(**path: str) -> Response:
            with state().lock:
                caller = _caller(name)
            instead = broken_answers.before(faults(), caller.email, writes=writes)
            if instead is not None:
                return instead
            with state().transaction() if writes else state().lock:
                answer = _encoded(view(caller, **path))
            return broken_answers.after(faults(), caller.email, answer, writes=writes)

        return run

    return decorate


def _encoded(body: Resource | None) -> Response:
    if body is None:
        return Response(status=204)
    tag = body.get("etag")
    if tag and request.headers.get("If-None-Match") == tag:
        return Response(status=304, headers={"ETag": tag})
    if request.args.get("fields"):
        body = Mask.parse(request.args["fields"]).apply(body)
    return json_response(body, headers={"ETag": tag} if tag else None)


def as_seen(caller: Caller, calendar: Calendar) -> tuple[Calendar, int]:
    """Return a calendar as this read shows it, and the last change that it knows."""
    if faults().take(caller.email, "stale_read"):
        return before_last_change(calendar)
    return calendar, state().world.sequence


def json_body() -> Resource:
    """Return the JSON object of the request. Raises ApiError 400."""
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise ApiError(400, "parseError", "Parse Error")
    return body


def whole_number(name: str, *, default: int = 0) -> int:
    """Return a small number parameter. Raises ApiError 400."""
    text = request.args.get(name, str(default))
    if not text.isdecimal():
        raise invalid(f"Invalid value for {name}", name)
    return int(text)
