"""Where people change their calendars by hand, to watch the change arrive elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, redirect, render_template, request, url_for
from flask import session as browser
from werkzeug.wrappers import Response

from . import ical
from .context import state
from .login import kind_of
from .model import Calendar, StoredObject
from .reports import in_range
from .seed import PASSWORD
from .spans import Times, is_date
from .state import PersonHandle

blueprint = Blueprint("icloud_home", __name__)

_BACK, _AHEAD = timedelta(days=7), timedelta(days=60)
STEP = 200
_DAY = timedelta(days=1)


@blueprint.get("/")
def index() -> str:
    """Show the signed-in person's calendar, or the sign-in form."""
    handle = _signed_in()
    if handle is None:
        return _sign_in_page()
    return _calendar_page(handle, request.args.get("calendar", ""))


def _signed_in() -> PersonHandle | None:
    try:
        return state().person(browser.get("email", ""))
    except KeyError:
        return None


def _sign_in_page(problem: str = "", email: str = "") -> str:
    people = list(state().world.people.values())
    return render_template(
        "home_sign_in.html",
        people=people,
        password_label="App-specific password",
        hint=f"It is {PASSWORD} for everybody; a person’s own Apple password is never taken.",
        problem=problem,
        email=email,
    )


@blueprint.post("/sign-in")
def enter() -> Response | str:
    """Sign in with `email` and `password`, an app-specific one."""
    email = request.form.get("email", "")
    person = state().find_person(email)
    if person is None or kind_of(person, request.form.get("password", "")) != "app":
        return _sign_in_page("That is no live app-specific password of this person.", email)
    browser["email"] = person.email
    return redirect(url_for(".index"), 303)


@blueprint.post("/sign-out")
def leave() -> Response:
    """Sign out of this browser."""
    browser.clear()
    return redirect(url_for(".index"), 303)


def _calendar_page(handle: PersonHandle, segment: str, problem: str = "") -> str:
    person = handle.person
    shown = [row for row in handle.calendars() if row[2].kind == "VEVENT"]
    segment, entry, calendar = next((row for row in shown if row[0] == segment), shown[0])
    with state().lock:
        found = _found(calendar)
        skipped = min(max(request.args.get("skip", 0, int), 0), len(found))
        rows = list(_rows(calendar, found[skipped : skipped + STEP]))
    tomorrow = state().now().astimezone(ZoneInfo(calendar.time_zone)).date() + _DAY
    return render_template(
        "home.html",
        person=person,
        calendars=[(name, one.name) for name, _entry, one in shown],
        calendar=segment,
        title=calendar.name,
        time_zone=calendar.time_zone,
        writable=entry.access != "read",
        readable=True,
        rows=rows,
        skipped=skipped,
        step=STEP,
        total=len(found),
        tomorrow=tomorrow.isoformat(),
        problem=problem,
    )


def _found(calendar: Calendar) -> list[StoredObject]:
    """Return what has an occurrence from last week to two months ahead, by time."""
    now = state().now()
    low_s, high_s = (int(at.timestamp()) for at in (now - _BACK, now + _AHEAD))
    return sorted(in_range(calendar, "VEVENT", low_s, high_s), key=lambda one: one.start_s)


def _rows(calendar: Calendar, found: list[StoredObject]) -> Iterator[dict[str, Any]]:
    """Yield a row for each that can be read."""
    for stored in found:
        with contextlib.suppress(ValueError):
            yield _row(calendar, stored)


def _row(calendar: Calendar, stored: StoredObject) -> dict[str, Any]:
    read = ical.parse(stored.data)
    parts = ical.events(read)
    part = next((one for one in parts if one.line("RECURRENCE-ID") is None), parts[0])
    times, line = Times(read, calendar.time_zone), part.line("DTSTART")
    all_day = line is not None and is_date(line)
    wall, zone = times.start(part)
    start, end = wall, wall + times.length(part)
    if not all_day:
        own = ZoneInfo(calendar.time_zone)
        start, end = (at.replace(tzinfo=zone).astimezone(own) for at in (start, end))
    last = end - _DAY if all_day else end
    size = 10 if all_day else 16
    return {
        "id": stored.name,
        "summary": ical.unescaped(part.value("SUMMARY")),
        "start": start.replace(tzinfo=None).isoformat()[:size],
        "end": last.replace(tzinfo=None).isoformat()[:size],
        "all_day": all_day,
        "when": f"{start:%a %d %b}" + ("" if all_day else f", {start:%H:%M}–{end:%H:%M}"),
        "repeats": part.line("RRULE") is not None,
        "place": ical.unescaped(part.value("LOCATION")),
    }


@blueprint.post("/events")
def save() -> Response | tuple[str, int]:
    """Add an event, or with `event` change or delete one.

    Fields: `calendar`, `event`, `summary`, `start`, `end`, and the button `add`, `save`, `delete`.
    """
    handle = _signed_in()
    if handle is None:
        return redirect(url_for(".index"), 303)
    segment = request.form.get("calendar") or next(iter(handle.person.home))
    try:
        with state().transaction():
            _apply(handle, segment)
    except (KeyError, ValueError):
        problem = "That could not be saved. The calendar is read-only, or a time is missing."
        return _calendar_page(handle, segment, problem), 400
    return redirect(url_for(".index", calendar=segment), 303)


def _apply(handle: PersonHandle, segment: str) -> None:
    if handle.person.home[segment].access == "read":
        raise ValueError("read-only")
    form, name = request.form, request.form.get("event", "")
    if "delete" in form:
        handle.delete_event(name, segment)
        return
    summary = form.get("summary", "")
    first, last = form.get("start", ""), form.get("end", "") or form.get("start", "")
    if len(first) == 10:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
        if not name:
            handle.add_all_day(summary, begin, end, segment)
        else:
            handle.rename_event(name, summary, segment)
            handle.move_days(name, begin, end, segment)
        return
    zone = ZoneInfo(handle.calendar(segment).time_zone)
    start, until = (datetime.fromisoformat(text).replace(tzinfo=zone) for text in (first, last))
    if until < start:
        raise ValueError("ends before it starts")
    if name:
        handle.rename_event(name, summary, segment)
        handle.move_event(name, start, until, segment)
    else:
        handle.add_event(summary, start, until, calendar=segment)
