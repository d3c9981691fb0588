"""Where people change their calendars by hand, to watch the change arrive elsewhere."""

from __future__ import annotations

import hmac
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask import session as browser
from werkzeug.wrappers import Response

from . import zones
from .control import state
from .model import Folder, Item, Person
from .occurrences import between
from .seed import PASSWORD
from .soap import Refused, plain
from .state import PersonHandle

blueprint = Blueprint("exchange_home", __name__)

_BACK_S, _AHEAD_S = 7 * 86_400, 60 * 86_400
STEP = 200
_DAY = timedelta(days=1)


@blueprint.get("/")
def index() -> str:
    """Show the signed-in person's calendar, or the sign-in form."""
    handle = _signed_in()
    if handle is None:
        return _sign_in_page()
    return _calendar_page(handle, request.args.get("calendar", 0, int))


def _signed_in() -> PersonHandle | None:
    try:
        return state().person(browser.get("email", ""))
    except KeyError:
        return None


def _people() -> list[Person]:
    return [one for one in state().world.people.values() if one.kind == "person"]


def _sign_in_page(problem: str = "", email: str = "") -> str:
    return render_template(
        "home_sign_in.html",
        people=_people(),
        password_label="Password",
        hint=f"It is {PASSWORD} for everybody.",
        problem=problem,
        email=email,
    )


@blueprint.post("/sign-in")
def enter() -> Response | str:
    """Sign in with `email` and `password`."""
    email, password = request.form.get("email", ""), request.form.get("password", "")
    person = next((one for one in _people() if one.email == email), None)
    if person is None or not hmac.compare_digest(person.password.encode(), password.encode()):
        return _sign_in_page("That is not the password of this person.", email)
    browser["email"] = person.email
    return redirect(url_for(".index"), 303)


@blueprint.post("/sign-out")
def leave() -> Response:
    """Sign out of this browser."""
    browser.clear()
    return redirect(url_for(".index"), 303)


def _calendar_page(handle: PersonHandle, number: int, problem: str = "") -> str:
    person, shown = handle.person, handle.calendars()
    calendar = next((one for one in shown if one.number == number), shown[0])
    with state().lock:
        found = _found(calendar)
        skipped = min(max(request.args.get("skip", 0, int), 0), len(found))
        rows = [_row(item, person.time_zone) for item in found[skipped : skipped + STEP]]
    tomorrow = zones.to_wall(state().now_s(), person.time_zone).date() + _DAY
    return render_template(
        "home.html",
        person=person,
        calendars=[(one.number, one.name) for one in shown],
        calendar=calendar.number,
        title=calendar.name,
        time_zone=person.time_zone,
        writable=not calendar.read_only,
        readable=True,
        rows=rows,
        skipped=skipped,
        step=STEP,
        total=len(found),
        tomorrow=tomorrow.isoformat(),
        problem=problem,
    )


def _found(calendar: Folder) -> list[Item]:
    """Return what has an occurrence from last week to two months ahead, by time."""
    now_s = state().now_s()
    occurring = between(calendar.items.values(), now_s - _BACK_S, now_s + _AHEAD_S)
    found = {one.item.number: one.item for one in occurring}
    return sorted(found.values(), key=lambda item: item.start_s)


def _row(item: Item, own: str) -> dict[str, Any]:
    zone = item.zone if item.all_day else own
    start, end = zones.to_wall(item.start_s, zone), zones.to_wall(item.end_s, zone)
    last = end - _DAY if item.all_day else end
    size = 10 if item.all_day else 16
    return {
        "id": item.number,
        "summary": plain(item.fields.get("Subject", "")),
        "start": start.isoformat()[:size],
        "end": last.isoformat()[:size],
        "all_day": item.all_day,
        "when": f"{start:%a %d %b}" + ("" if item.all_day else f", {start:%H:%M}–{end:%H:%M}"),
        "repeats": bool(item.rule),
        "place": plain(item.fields.get("Location", "")),
    }


@blueprint.post("/events")
def save() -> Response | tuple[str, int]:
    """Add an event, or with `event` change or delete one.

    Fields: `calendar`, `event`, `summary`, `start`, `end`, and the button `add`, `save`, `delete`.
    """
    handle = _signed_in()
    if handle is None:
        return redirect(url_for(".index"), 303)
    number = request.form.get("calendar", 0, int) or handle.calendar().number
    try:
        with state().transaction():
            _apply(handle, number)
    except (KeyError, ValueError, StopIteration, Refused):
        problem = "That could not be saved. The calendar is read-only, or a time is missing."
        return _calendar_page(handle, number, problem), 400
    return redirect(url_for(".index", calendar=number), 303)


def _apply(handle: PersonHandle, calendar: int) -> None:
    if handle.calendar(calendar).read_only:
        raise ValueError("read-only")
    form, event = request.form, request.form.get("event", 0, int)
    if "delete" in form:
        handle.delete_event(event, calendar)
        return
    summary = form.get("summary", "")
    first, last = form.get("start", ""), form.get("end", "") or form.get("start", "")
    if len(first) == 10:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
        if not event:
            handle.add_days(summary, begin, end, calendar)
        else:
            handle.rename_event(event, summary, calendar)
            handle.move_days(event, begin, end, calendar)
        return
    zone = zones.zone(handle.person.time_zone)
    start, until = (datetime.fromisoformat(text).replace(tzinfo=zone) for text in (first, last))
    if event:
        handle.rename_event(event, summary, calendar)
        handle.move_event(event, start, until, calendar)
    else:
        handle.add_event(summary, start, until, calendar)
