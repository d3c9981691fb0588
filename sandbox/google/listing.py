"""The query behind `events.list`: parameters, filters, order and pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from werkzeug.datastructures import MultiDict

from . import edits
from .errors import ApiError, invalid
from .model import Calendar, Resource, StoredEvent
from .recurrence import Series
from .store import bounds, exceptions
from .times import moment, parameter, zone

DEFAULT_PAGE, LARGEST_PAGE = 250, 2500
_HORIZON = timedelta(days=730)
_SIDES = ("private", "shared")
_FORBIDDEN = (
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
)
_NO_TOKEN = tuple(name for name in _FORBIDDEN if name not in ("timeMin", "timeMax"))
_FILTERS = ("iCalUID", "q", "updatedMin", "eventTypes", *(f"{s}ExtendedProperty" for s in _SIDES))
_FINGERPRINTED = (
    "singleEvents",
    "showDeleted",
    "eventTypes",
    "timeZone",
    "maxAttendees",
    "showHiddenInvitations",
)
_EVENT_TYPES = {
    "birthday",
    "default",
    "focusTime",
    "fromGmail",
    "outOfOffice",
    "workingLocation",
}
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Query:
    """The checked parameters of one events.list."""

    args: MultiDict[str, str]
    limit: int
    single_events: bool
    show_deleted: bool
    time_min: datetime | None
    time_max: datetime | None
    updated_min: datetime | None
    order_by: str | None
    time_zone: str | None

    @property
    def sync_token(self) -> str | None:
        """The sync token sent, if any."""
        return self.args.get("syncToken")

    @property
    def gives_sync_token(self) -> bool:
        """Whether the last page carries `nextSyncToken`."""
        return not any(name in self.args for name in _NO_TOKEN)

    def fingerprint(self) -> list[tuple[str, list[str]]]:
        """Return the parameters that must stay the same while a sync token is used."""
        return [(name, sorted(self.args.getlist(name))) for name in _FINGERPRINTED]

    def page_fingerprint(self) -> list[tuple[str, list[str]]]:
        """Return the parameters that must stay the same from page to page."""
        names = sorted((*_FINGERPRINTED, *_FORBIDDEN))
        return [(name, sorted(self.args.getlist(name))) for name in names]


def flag(args: MultiDict[str, str], name: str) -> bool | None:
    """Read a boolean parameter; None when absent. Raises ApiError 400."""
    value = args.get(name)
    if value is None:
        return None
    if value.lower() not in ("true", "false"):
        raise invalid(f"Invalid value for: {value} is not a valid value", name)
    return value.lower() == "true"


def page_size(args: MultiDict[str, str], default: int, largest: int) -> int:
    """Read `maxResults`, capped silently at the largest page. Raises ApiError 400."""
    try:
        size = int(args.get("maxResults", default))
    except ValueError as problem:
        raise invalid("Invalid value for maxResults", "maxResults") from problem
    if size < 1:
        raise invalid("Invalid value for maxResults", "maxResults")
    return min(size, largest)


def parse(args: MultiDict[str, str]) -> Query:
    """Check the parameters together. Raises ApiError 400."""
    single = flag(args, "singleEvents") or False
    _check_choices(args, single)
    if args.get("timeZone"):
        zone(args["timeZone"])
    times = {
        name: parameter(args[name], name) if args.get(name) else None
        for name in ("timeMin", "timeMax", "updatedMin")
    }
    if times["timeMin"] and times["timeMax"] and times["timeMin"] >= times["timeMax"]:
        raise time_range_empty()
    return Query(
        args=args,
        limit=page_size(args, DEFAULT_PAGE, LARGEST_PAGE),
        single_events=single,
        show_deleted=bool(flag(args, "showDeleted") or args.get("syncToken")),
        time_min=times["timeMin"],
        time_max=times["timeMax"],
        updated_min=times["updatedMin"],
        order_by=args.get("orderBy"),
        time_zone=args.get("timeZone"),
    )


def _check_choices(args: MultiDict[str, str], single: bool) -> None:
    order = args.get("orderBy")
    if order not in (None, "startTime", "updated"):
        raise invalid(f"Invalid value for: {order} is not a valid value", "orderBy")
    if order == "startTime" and not single:
        raise invalid(
            "The requested ordering is not available for the particular query.", "orderBy"
        )
    if not set(args.getlist("eventTypes")) <= _EVENT_TYPES:
        raise invalid("Invalid value for eventTypes", "eventTypes")
    if not args.get("syncToken"):
        return
    if "orderBy" in args:
        raise invalid("Sync token cannot be used with non-default ordering.", "orderBy")
    if any(name in args for name in _FORBIDDEN) or flag(args, "showDeleted") is False:
        raise invalid("Sync token cannot be used with other request restrictions.", "syncToken")


def time_range_empty() -> ApiError:
    """Build the 400 for timeMin at or after timeMax."""
    return ApiError(
        400,
        "timeRangeEmpty",
        "The specified time range is empty.",
        domain="calendar",
        location=("parameter", "timeMax"),
    )


def select(
    calendar: Calendar, query: Query, *, since: int, now: datetime, after: list[Any]
) -> list[tuple[Key, Resource]]:
    """Return what matches with its sort key, in order: a page and one more, or all.

    `since` is a change number, 0 for everything; `after` is the last key already given out.
    """
    last = tuple(after)
    if query.order_by is None:
        # Keys begin with the change number, so what was given out need not be looked at again.
        passed = max(since, last[0] - 1) if last else since
        found = _matching(calendar, query, since=passed, now=now)
        return list(islice((row for row in found if row[0] > last), query.limit + 1))
    found = _matching(calendar, query, since=since, now=now)
    if query.order_by == "startTime":
        keyed = [(_start_key(item, calendar), item) for _, item in found]
    else:
        keyed = [((item["updated"], item["id"]), item) for _, item in found]
    return sorted((row for row in keyed if row[0] > last), key=lambda row: row[0])


def _start_key(resource: Resource, calendar: Calendar) -> Key:
    return (int(moment(resource["start"], calendar.time_zone).timestamp()), resource["id"])


def _matching(
    calendar: Calendar, query: Query, *, since: int, now: datetime
) -> Iterator[tuple[Key, Resource]]:
    low = int(query.time_min.timestamp()) if query.time_min else None
    high = int(query.time_max.timestamp()) if query.time_max else None
    filtered = any(name in query.args for name in _FILTERS)
    for stored in _changed_after(calendar, since):
        if low is not None and stored.end_s <= low:
            continue
        if high is not None and stored.start_s >= high:
            continue
        if filtered and not _passes(stored.resource, query):
            continue
        if query.single_events and stored.resource.get("recurrence"):
            yield from _expanded(calendar, stored, query, now)
        elif _shown(calendar, stored.resource, query):
            yield (stored.changed, 0), stored.resource


def _changed_after(calendar: Calendar, since: int) -> list[StoredEvent]:
    if since == 0:
        return list(calendar.events.values())
    newest = []
    for stored in reversed(calendar.events.values()):
        if stored.changed <= since:
            break
        newest.append(stored)
    return newest[::-1]


def _shown(calendar: Calendar, resource: Resource, query: Query) -> bool:
    """Whether a deleted event is part of the answer; cancelled exceptions often are (14.4)."""
    if resource["status"] != "cancelled" or query.show_deleted:
        return True
    if query.single_events or "recurringEventId" not in resource:
        return False
    master = calendar.events.get(resource["recurringEventId"])
    return master is not None and master.resource["status"] != "cancelled"


def _passes(resource: Resource, query: Query) -> bool:
    args = query.args
    if query.updated_min and datetime.fromisoformat(resource["updated"]) < query.updated_min:
        return False
    if "iCalUID" in args and resource["iCalUID"] != args["iCalUID"]:
        return False
    types = args.getlist("eventTypes")
    if types and resource["eventType"] not in types:
        return False
    if args.get("q") and not _contains(resource, args["q"].casefold()):
        return False
    return all(
        _has_property(resource, side, pair)
        for side in _SIDES
        for pair in args.getlist(f"{side}ExtendedProperty")
    )


def _contains(resource: Resource, text: str) -> bool:
    words = [str(resource.get(name, "")) for name in ("summary", "description", "location")]
    words += [guest["email"] for guest in resource.get("attendees", ())]
    return any(text in word.casefold() for word in words)


def _has_property(resource: Resource, side: str, pair: str) -> bool:
    name, _, value = pair.partition("=")
    held = resource.get("extendedProperties", {}).get(side, {})
    return name in held and held[name] == value


def _expanded(
    calendar: Calendar, stored: StoredEvent, query: Query, now: datetime
) -> Iterator[tuple[Key, Resource]]:
    """Yield the computed occurrences of a series; stored exceptions come by themselves."""
    master = stored.resource
    if master["status"] == "cancelled" and not query.show_deleted:
        return
    held = calendar.events
    series = Series(master, calendar.time_zone)
    until = query.time_max or now + _HORIZON
    for index, one in enumerate(series.between(query.time_min, until)):
        if one.id not in held:
            yield (
                (stored.changed, index),
                edits.occurrence(master, one.id, one.original_start, one.start, one.end),
            )


def instances(
    calendar: Calendar, master: Resource, query: Query, now: datetime
) -> list[tuple[Key, Resource]]:
    """Return the occurrences of one series, exceptions in their place, by time."""
    start_s, end_s = bounds(master, calendar.time_zone)
    stored = StoredEvent(master, 0, start_s, end_s)
    found = [item for _, item in _expanded(calendar, stored, query, now)]
    for item in exceptions(calendar, master["id"]):
        begins, ends = bounds(item, calendar.time_zone)
        late = query.time_max and begins >= query.time_max.timestamp()
        early = query.time_min and ends <= query.time_min.timestamp()
        if not late and not early and (item["status"] != "cancelled" or query.show_deleted):
            found.append(item)
    return sorted(((_start_key(i, calendar), i) for i in found), key=lambda row: row[0])
