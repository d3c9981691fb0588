"""The partner API: what applications call with an access token. Its reading half works.

Bodies are not looked at: SDKs send `{}`, `[]` or nothing with every request, under any content
type and encoding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

from flask import Blueprint, Response, g, request

from broker.oauth_server.tokens import Bearer
from broker.services import disconnect, reading, reading_people
from broker.services.reading import Caller
from broker.services.reading_query import Arguments
from broker.services.reading_scopes import require
from broker.services.runtime import current_runtime
from broker.web.errors import json_answer, unauthorized

# What comes later. SDKs ask for the scopes that write by default, so people allow them already
# now and need not be asked again when these calls work.
_LATER = (
    ("/calendars", "POST", "create_calendar"),
    ("/calendars/<calendar_id>/events", "POST", "create_event"),
    ("/calendars/<calendar_id>/events", "DELETE", "delete_event"),
    (
        "/calendars/<calendar_id>/events/<event_uid>/participation_status",
        "POST",
        "change_participation_status",
    ),
    ("/events", "DELETE", "delete_event"),
    ("/batch", "POST", "batch"),
    ("/channels", "POST", "channels"),
    ("/channels", "GET", "channels"),
    ("/channels/<channel_id>", "DELETE", "channels"),
    ("/link_tokens", "POST", "link_tokens"),
)


def blueprint() -> Blueprint:
    """Make the blueprint; it must be exempt from CSRF protection."""
    routes = Blueprint("api", __name__, url_prefix="/v1")
    routes.before_request(_authenticate)
    gets: dict[str, Callable[..., Response]] = {
        "/account": _account,
        "/userinfo": _userinfo,
        "/profiles": _profiles,
        "/calendars": _calendars,
        "/events": _events,
        "/events/pages/<token>": _events_page,
        "/free_busy": _free_busy,
        "/free_busy/pages/<token>": _free_busy_page,
    }
    for path, view in gets.items():
        routes.add_url_rule(path, view_func=view, methods=["GET"], strict_slashes=False)
    routes.add_url_rule(
        "/profiles/<profile_id>/revoke",
        view_func=_revoke_profile,
        methods=["POST"],
        strict_slashes=False,
    )
    for path, method, call in _LATER:
        routes.add_url_rule(
            path,
            endpoint=f"{call}_{method}_{path.count('/')}",
            view_func=partial(_not_yet, call),
            methods=[method],
            strict_slashes=False,
        )
    return routes


def _authenticate() -> Response | None:
    """Find whom the token speaks for (RFC 6750 section 2.1), and count the call.

    Only then: a call that ends in 401 costs nobody anything.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    runtime = current_runtime()
    bearer = runtime.oauth.find_bearer(token.strip()) if scheme.lower() == "bearer" else None
    if bearer is None:
        return unauthorized()
    g.bearer = bearer
    runtime.limits.spend(bearer.application_id)
    return None


def _bearer() -> Bearer:
    return cast(Bearer, g.bearer)


def _caller() -> Caller:
    return Caller(_bearer(), request.host_url.rstrip("/"))


def _arguments() -> Arguments:
    return request.args.to_dict(flat=False)


def _account() -> Response:
    return json_answer(reading_people.account(current_runtime(), _bearer()))


def _userinfo() -> Response:
    return json_answer(reading_people.userinfo(current_runtime(), _bearer()))


def _profiles() -> Response:
    return json_answer(reading_people.profiles(current_runtime(), _bearer()))


def _calendars() -> Response:
    return json_answer(reading_people.calendars(current_runtime(), _bearer()))


def _events() -> Response:
    return json_answer(reading.list_events(current_runtime(), _caller(), _arguments()))


def _events_page(token: str) -> Response:
    return json_answer(reading.next_events(current_runtime(), _caller(), token))


def _free_busy() -> Response:
    return json_answer(reading.list_free_busy(current_runtime(), _caller(), _arguments()))


def _free_busy_page(token: str) -> Response:
    return json_answer(reading.next_free_busy(current_runtime(), _caller(), token))


def _not_yet(call: str, **_names: str) -> Response:
    require(_bearer().scope, call)
    text = "This version reads calendars: this call does not work yet. Nothing was changed."
    return json_answer({"error": "not_implemented", "error_description": text}, 501)


def _revoke_profile(profile_id: str) -> Response:
    require(_bearer().scope, "revoke_profile")
    disconnect.revoke_profile(
        current_runtime(), account_id=_bearer().account_id, profile_id=profile_id
    )
    answer = Response(status=202)
    answer.headers["Cache-Control"] = "no-store"
    return answer
