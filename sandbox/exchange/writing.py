"""Reading what clients write into items."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from lxml import etree

from . import recurrence, zones
from .fields import READ_ONLY
from .meeting_zone import read_meeting_zone
from .model import Item
from .render import extended_key
from .soap import Element, Refused, T, fragment, tag

_ATTENDEES = ("RequiredAttendees", "OptionalAttendees", "Resources")
_FIVE_YEARS_S = 5 * 366 * 86_400
_DAY = timedelta(days=1)


@dataclass
class Written:
    """What a client says about an item; None is what it says nothing about.

    *removed* names elements and extended properties that are to go.
    """

    fields: dict[str, str] = field(default_factory=dict)
    extended: dict[str, str] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    start: str | None = None
    end: str | None = None
    all_day: bool | None = None
    zone: str | None = None
    meeting_zone: Element | None = None
    recurrence: Element | None = None
    uid: str | None = None

    def take(self, element: Element) -> None:
        """Read one child of an item. Raises Refused for what only the server writes."""
        name, text = etree.QName(element).localname, (element.text or "").strip()
        if name in READ_ONLY:
            raise Refused("ErrorInvalidPropertySet", f"{name} cannot be set.")
        if name == "ExtendedProperty":
            path = element.find(f"{T}ExtendedFieldURI")
            if path is not None:
                self.extended[extended_key(path)] = fragment(element)
        elif name == "Start":
            self.start = text
        elif name == "End":
            self.end = text
        elif name == "IsAllDayEvent":
            self.all_day = text in ("true", "1")
        elif name == "StartTimeZone":
            self.zone = _zone(element)
        elif name == "EndTimeZone":
            _zone(element)
        elif name == "MeetingTimeZone":
            self.meeting_zone = element
        elif name == "Recurrence":
            self.recurrence = element
        elif name == "UID":
            self.uid = text
        elif name in _ATTENDEES:
            self.fields[name] = _attendees(name, element)
        else:
            self.fields[name] = fragment(element)


def _zone(element: Element) -> str:
    name = element.get("Id", "")
    if name not in zones.NAMES:
        raise Refused("ErrorTimeZone", f"The time zone '{name}' is not known to this server.")
    return name


def _attendees(name: str, element: Element) -> str:
    inside = ""
    for attendee in element.iterfind(f"{T}Attendee"):
        address = (attendee.findtext(f"{T}Mailbox/{T}EmailAddress") or "").strip()
        if not address:
            raise Refused("ErrorInvalidRecipients")
        shown = attendee.findtext(f"{T}Mailbox/{T}Name") or address
        inside += (
            f"<t:Attendee><t:Mailbox>{tag('Name', shown)}{tag('EmailAddress', address)}"
            "<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>Mailbox</t:MailboxType></t:Mailbox>"
            "<t:ResponseType>Unknown</t:ResponseType></t:Attendee>"
        )
    return f"<t:{name}>{inside}</t:{name}>"


def apply(item: Item, said: Written, now: datetime, zone: str = "UTC") -> None:
    """Put what a client says into an item. *zone* is that of the request. Raises Refused."""
    item.zone = said.zone or item.zone
    if said.meeting_zone is not None:
        item.zone = read_meeting_zone(said.meeting_zone, now.year)
    for name in said.removed:
        item.fields.pop(name, None)
        item.extended.pop(name, None)
    item.fields |= said.fields
    item.extended |= said.extended
    item.uid = said.uid or item.uid or new_uid(item.number)
    if said.all_day is not None:
        item.all_day = said.all_day
    before = (item.start_s, item.end_s, item.zone)
    item.start_s, item.end_s = times(item, said, item.start_s, item.end_s, now, zone)
    if "Recurrence" in said.removed:
        item.rule = ""
    first = zones.to_wall(item.start_s, item.zone).date()
    if said.recurrence is not None:
        item.start_s, item.end_s = _aligned(item, said.recurrence, first)
        first = zones.to_wall(item.start_s, item.zone).date()
        item.rule = recurrence.written(said.recurrence, first)
    if said.recurrence is not None or before != (item.start_s, item.end_s, item.zone):
        # A series whose times change forgets what was different, as Exchange does.
        item.changes.clear()
        item.deleted.clear()


def times(
    item: Item, said: Written, start_s: int, end_s: int, now: datetime, zone: str = "UTC"
) -> tuple[int, int]:
    """Return when something takes place now; whole days are from midnight to midnight."""
    zone = item.zone if said.zone or said.meeting_zone is not None else zone
    try:
        if said.start is not None:
            start_s = zones.moment(said.start, zone)
        if said.end is not None:
            end_s = zones.moment(said.end, zone)
        elif not end_s:
            end_s = start_s + 1800 if start_s else 0
    except ValueError:
        raise Refused("ErrorInvalidRequest", "A time cannot be read.") from None
    if not start_s:
        start_s = int(now.timestamp()) // 1800 * 1800 + 1800
        end_s = end_s or start_s + 1800
    if item.all_day:
        start_s, end_s = _days(item, start_s, end_s)
    if end_s < start_s:
        raise Refused("ErrorCalendarEndDateIsEarlierThanStartDate")
    if end_s - start_s > _FIVE_YEARS_S:
        raise Refused("ErrorCalendarDurationIsTooLong")
    return start_s, end_s


def _days(item: Item, start_s: int, end_s: int) -> tuple[int, int]:
    """Widen to whole days in the item's zone."""
    start, end = zones.to_wall(start_s, item.zone), zones.to_wall(end_s, item.zone)
    first = start.replace(hour=0, minute=0, second=0)
    last = end.replace(hour=0, minute=0, second=0)
    if last < end or last <= first:
        last += _DAY
    return zones.from_wall(first, item.zone), zones.from_wall(last, item.zone)


def _aligned(item: Item, element: Element, first: date) -> tuple[int, int]:
    """Move a series so that it begins on the day that its range says."""
    text = element[-1].findtext(f"{T}StartDate") or ""
    try:
        begins = date.fromisoformat(text[:10])
    except ValueError:
        raise Refused("ErrorCalendarInvalidRecurrence") from None
    shift = begins - first
    moved = (
        zones.from_wall(zones.to_wall(at, item.zone) + shift, item.zone)
        for at in (item.start_s, item.end_s)
    )
    start_s, end_s = moved
    return start_s, end_s


def new_uid(number: int) -> str:
    """Return a UID as Outlook makes them."""
    tail = hashlib.blake2b(f"uid {number}".encode(), digest_size=16).hexdigest().upper()
    return f"040000008200E00074C5B7101A82E00800000000{'0' * 24}10000000{tail}"
