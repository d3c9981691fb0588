"""Where people change their calendars by hand, to watch the change arrive elsewhere."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, redirect, render_template, request, url_for
from flask import session as browser
from werkzeug.wrappers import Response

from .authorize import sign_in
from .bearer import state
from .errors import ApiError
from .model import Calendar, Resource, StoredEvent
from .state import PersonHandle
from .store import at_least
from .times import moment

blueprint = Blueprint("google_home", __name__)

_BACK, _AHEAD = timedelta(days=7), timedelta(days=60)
STEP = 200


@blueprint.get("/")
def index() -> str:
    """Show the signed-in person's calendar, or the sign-in form."""
    handle = _signed_in()
    if handle is None:
        return _sign_in_page()
    return _calendar_page(handle, request.args.get("calendar", "primary"))


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
        password_label="Password",
        hint="Everybody’s password here is “sandbox”.",
        problem=problem,
        email=email,
    )


@blueprint.post("/sign-in")
def enter() -> Response | str:
    """Sign in with `email` and `password`."""
    email = request.form.get("email", "")
    if sign_in(email, request.form.get("password", "")) is None:
        return _sign_in_page("Wrong password. Everybody’s password here is “sandbox”.", email)
    return redirect(url_for(".index"), 303)


@blueprint.post("/sign-out")
def leave() -> Response:
    """Sign out of this browser."""
    browser.clear()
    return redirect(url_for(".index"), 303)


def _calendar_page(handle: PersonHandle, calendar_id: str, problem: str = "") -> str:
    with state().lock:
        try:
            calendar = handle.calendar(calendar_id)
        except ApiError:
            calendar = handle.calendar()
        role = state().role(handle.person.email, calendar)
        shown = _shown(calendar)
        skipped = min(max(request.args.get("skip", 0, int), 0), len(shown))
        rows = [_row(calendar, stored) for stored in shown[skipped : skipped + STEP]]
    tomorrow = state().now().astimezone(ZoneInfo(calendar.time_zone)).date() + timedelta(days=1)
    return render_template(
        "home.html",
        person=handle.person,
        calendars=[(one.id, one.summary) for one, _entry, _role in handle.calendars()],
        calendar=calendar.id,
        title=calendar.summary,
        time_zone=calendar.time_zone,
        writable=at_least(role, "writer"),
        readable=at_least(role, "reader"),
        rows=rows if at_least(role, "reader") else [],
        skipped=skipped,
        step=STEP,
        total=len(shown),
        tomorrow=tomorrow.isoformat(),
        problem=problem,
    )


def _shown(calendar: Calendar) -> list[StoredEvent]:
    """Return what lives between last week and two months ahead, by time."""
    now = state().now()
    low, high = (now - _BACK).timestamp(), (now + _AHEAD).timestamp()
    found = [
        stored
        for stored in calendar.events.values()
        if stored.resource["status"] != "cancelled" and stored.end_s > low and stored.start_s < high
    ]
    return sorted(found, key=lambda stored: stored.start_s)


def _row(calendar: Calendar, stored: StoredEvent) -> dict[str, Any]:
    resource = stored.resource
    all_day = "date" in resource["start"]
    zone = ZoneInfo(calendar.time_zone)
    start, end = (
        moment(resource[name], calendar.time_zone).astimezone(zone) for name in ("start", "end")
    )
    shown_end = end - timedelta(days=1) if all_day else end
    length = 10 if all_day else 16
    return {
        "id": resource["id"],
        "summary": resource.get("summary", ""),
        "start": start.replace(tzinfo=None).isoformat()[:length],
        "end": shown_end.replace(tzinfo=None).isoformat()[:length],
        "all_day": all_day,
        "when": f"{start:%a %d %b}" + ("" if all_day else f", {start:%H:%M}–{end:%H:%M}"),
        "repeats": bool(resource.get("recurrence")),
        "place": resource.get("location", ""),
    }


@blueprint.post("/events")
def save() -> Response | tuple[str, int]:
    """Add an event, or with `event` change or delete one.

    Fields: `calendar`, `event`, `summary`, `start`, `end`, and the button `add`, `save`, `delete`.
    """
    handle = _signed_in()
    if handle is None:
        return redirect(url_for(".index"), 303)
    calendar = request.form.get("calendar", "primary")
    try:
        _apply(handle, calendar)
    except ApiError as refusal:
        problem = f"That could not be saved. {refusal.body['error']['message']}"
        return _calendar_page(handle, calendar, problem), 400
    except ValueError:
        problem = "That could not be saved. The calendar is read-only, or a time is missing."
        return _calendar_page(handle, calendar, problem), 400
    return redirect(url_for(".index", calendar=calendar), 303)


def _apply(handle: PersonHandle, calendar_id: str) -> None:
    calendar = handle.calendar(calendar_id)
    if not at_least(state().role(handle.person.email, calendar), "writer"):
        raise ValueError("read-only")
    event_id = request.form.get("event", "")
    if "delete" in request.form:
        handle.delete_event(event_id, calendar.id)
    elif event_id:
        handle.update_event(event_id, calendar.id, **_fields(calendar))
    else:
        handle.create_event(calendar.id, **_fields(calendar))


def _fields(calendar: Calendar) -> Resource:
    """Return the form as API fields; a date alone is a whole day, its end the last one."""
    start, end = request.form.get("start", ""), request.form.get("end", "")
    fields: Resource = {"summary": request.form.get("summary", "")}
    if len(start) == 10:
        last = date.fromisoformat(end or start)
        return fields | {
            "start": {"date": start},
            "end": {"date": (last + timedelta(days=1)).isoformat()},
        }
    for name, text in (("start", start), ("end", end)):
        at = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(calendar.time_zone))
        fields[name] = {"dateTime": at.isoformat(), "timeZone": calendar.time_zone}
    return fields
