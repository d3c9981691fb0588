"""The CalDAV face: every path and method, faults first, then the login."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Response, g, request
from lxml import etree

from . import broken_answers, poisons, propfind, reports, writes
from .context import faults, is_entry, partition_url, state
from .login import admitted, challenge
from .model import Person
from .places import Place, find
from .properties import EVIL
from .store import etag
from .wire import DavError, read

_METHODS = ("PROPFIND", "REPORT", "OPTIONS", "PUT", "DELETE")
_QUIET = ("calendar-multiget", "")
_ABILITIES = (
    "1, access-control, calendar-access, calendar-schedule, calendar-auto-schedule, "
    "calendar-managed-attachments, calendarserver-sharing, calendarserver-subscribed, "
    "calendarserver-home-sync"
)


def register(app: Flask) -> None:
    """Answer refusals, and take every path with the methods of CalDAV."""
    app.register_error_handler(DavError, _refused)
    app.add_url_rule(
        "/",
        "dav_root",
        serve,
        defaults={"path": ""},
        methods=_METHODS,
        provide_automatic_options=False,
    )
    app.add_url_rule(
        "/<path:path>", "dav", serve, methods=("GET", *_METHODS), provide_automatic_options=False
    )


def _refused(error: DavError) -> Response:
    answer = error.answer()
    if error.status == 401:
        challenge(answer)
    return answer


def serve(path: str) -> Response:
    """Answer one request, or break as a fault asks."""
    email = g.person.email if g.person else None
    instead = broken_answers.before(faults(), email)
    if instead is not None:
        return instead
    root = _body()
    person = admitted()
    if path == ".well-known/caldav":
        return Response(status=301, headers={"Location": f"{request.script_root}/"})
    if (away := _redirected(person, path)) is not None:
        return away
    with state().lock:
        poisons.arrange(state(), faults(), person)
        place = find(path, person)
        if place.kind in ("home", "calendar") and g.get("report") not in _QUIET:
            poisons.flap(state(), faults(), person)
        answer = _HANDLERS[request.method](place, root)
    return broken_answers.after(faults(), person.email, answer)


def _body() -> etree._Element | None:
    if request.method not in ("PROPFIND", "REPORT"):
        return None
    root = read(request.get_data())
    g.report = etree.QName(root).localname if root is not None else ""
    return root


def _redirected(who: Person, path: str) -> Response | None:
    evil = faults().find(who.email, "redirect_evil")
    if evil is not None and evil.params.get("style") != "href":
        faults().take(who.email, "redirect_evil")
        return Response(status=302, headers={"Location": EVIL + path})
    if "/calendars" in path and is_entry(who) and faults().take(who.email, "partition_redirect"):
        return Response(status=301, headers={"Location": f"{partition_url(who)}/{path}"})
    return None


def _options(place: Place, root: etree._Element | None) -> Response:
    return Response(headers={"DAV": _ABILITIES, "Allow": ", ".join(("GET", *_METHODS))})


def _get(place: Place, root: etree._Element | None) -> Response:
    if place.kind != "object":
        raise DavError(405, headers={"Allow": ", ".join(_METHODS)})
    found, (_, calendar) = place.stored(), place.within()
    return Response(
        found.data,
        headers={"ETag": etag(calendar, found.changed)},
        content_type="text/calendar; charset=utf-8",
    )


_HANDLERS: dict[str, Callable[[Place, etree._Element | None], Response]] = {
    "GET": _get,
    "HEAD": _get,
    "OPTIONS": _options,
    "PROPFIND": propfind.answer,
    "REPORT": reports.answer,
    "PUT": writes.put,
    "DELETE": writes.delete,
}
