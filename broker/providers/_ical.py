"""One calendar object becomes the events it holds (RFC 5545; RFC 4791 section 4.1).

An object is a single event, a series' master with its overrides, or overrides without their
master when only those were sent to this person. What cannot be read is reported and left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC

from broker.domain import Attendee, Busy, EventContent, Moment, Participation, RemoteEvent
from broker.providers._ical_text import Component, Line, Unreadable, read_document
from broker.providers._ical_times import (
    Stamp,
    Zones,
    canonical,
    original_start,
    read_span,
    read_stamp,
    recurrence_lines,
)

MAX_OBJECT_BYTES = 1024 * 1024

_PARTICIPATION = {
    "ACCEPTED": Participation.ACCEPTED,
    "DECLINED": Participation.DECLINED,
    "TENTATIVE": Participation.TENTATIVE,
    "NEEDS-ACTION": Participation.NEEDS_ACTION,
    "": Participation.NEEDS_ACTION,
}
_MICROSOFT_BUSY = {
    "FREE": Busy.FREE,
    "TENTATIVE": Busy.TENTATIVE,
    "OOF": Busy.OUT_OF_OFFICE,
    "WORKINGELSEWHERE": Busy.WORKING_ELSEWHERE,
}
_STATUSES = frozenset({"CONFIRMED", "TENTATIVE", "CANCELLED"})
_MEETING_LINES = (
    "CONFERENCE",
    "X-GOOGLE-CONFERENCE",
    "X-MICROSOFT-SKYPETEAMSMEETINGURL",
    "X-MICROSOFT-ONLINEMEETINGEXTERNALLINK",
)


@dataclass(frozen=True, slots=True)
class Source:
    """One object as the server gave it.

    *zone* places floating times; *addresses* are the person's own, in lower case.
    """

    href: str
    etag: str
    text: str = field(repr=False)
    zone: str = "UTC"
    addresses: frozenset[str] = frozenset()


@dataclass(slots=True)
class Reading:
    """What an object holds, and the ids of what could not be read.

    *unfollowed* names what is left out on purpose, such as rules that are not followed, by ids
    that no event has: what they are about is otherwise as complete as ever.
    """

    events: list[RemoteEvent] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)
    unfollowed: set[str] = field(default_factory=set)


def read_object(source: Source) -> Reading:
    """Read an object's events; never raises. An object of tasks only has none."""
    reading = Reading()
    if len(source.text) > MAX_OBJECT_BYTES:
        reading.skipped.add(source.href)
        return reading
    try:
        document = read_document(source.text)
    except Unreadable:
        reading.skipped.add(source.href)
        return reading
    zones = Zones(source.zone, document.zones)
    events = _one_uid(document.events)
    if len(events) < len(document.events):
        reading.unfollowed.add(f"{source.href}#uid")
    master = _latest(event for event in events if event.first("RECURRENCE-ID") is None)
    stamp = None
    if master is not None:
        stamp = _read_master(source, reading, master, zones)
    _read_overrides(source, reading, [e for e in events if e.first("RECURRENCE-ID")], zones, stamp)
    return reading


def _one_uid(events: list[Component]) -> list[Component]:
    """Keep the first event's UID only: an object that holds several breaks its own rules."""
    uid = events[0].text("UID") if events else ""
    return [event for event in events if event.text("UID") == uid]


def _latest(events: Iterable[Component]) -> Component | None:
    """Of duplicates the one with the highest SEQUENCE counts, then the youngest."""
    return max(events, key=_rank, default=None)


def _rank(event: Component) -> tuple[int, str]:
    sequence = event.text("SEQUENCE")[:9]
    number = int(sequence) if sequence.isascii() and sequence.isdigit() else 0
    return number, event.text("DTSTAMP")


def _read_master(source: Source, reading: Reading, master: Component, zones: Zones) -> Stamp | None:
    try:
        stamp, start, end = read_span(master, zones)
        recurrence = recurrence_lines(master, zones)
    except Unreadable:
        reading.skipped.add(source.href)
        return None
    if master.first("EXRULE") is not None:
        reading.unfollowed.add(f"{source.href}#exrule")
    reading.events.append(
        RemoteEvent(
            remote_id=source.href,
            etag=source.etag,
            start=start,
            end=end,
            all_day=stamp.is_date,
            busy=_busy(master, source.addresses),
            cancelled=master.word("STATUS") == "CANCELLED",
            recurrence=recurrence,
            content=_content(master, source, source.href, (start, end), zones),
        )
    )
    return stamp


def _read_overrides(
    source: Source,
    reading: Reading,
    overrides: list[Component],
    zones: Zones,
    master: Stamp | None,
) -> None:
    """Read each override; of two for one occurrence the later version counts."""
    by_id: dict[str, tuple[Component, Moment]] = {}
    for override in overrides:
        try:
            original = original_start(override, zones, master)
        except Unreadable:
            original = None
        if original is None:
            reading.skipped.add(f"{source.href}#")
            continue
        remote_id = f"{source.href}#{canonical(original)}"
        held = by_id.get(remote_id)
        if held is None or _rank(override) >= _rank(held[0]):
            by_id[remote_id] = override, original
    for remote_id, (override, original) in by_id.items():
        try:
            reading.events.append(_override(source, remote_id, override, original, zones))
        except Unreadable:
            reading.skipped.add(remote_id)


def _is_range(override: Component) -> bool:
    line = override.first("RECURRENCE-ID")
    return line is not None and line.parameters.get("RANGE", "").upper() == "THISANDFUTURE"


def _override(
    source: Source, remote_id: str, override: Component, original: Moment, zones: Zones
) -> RemoteEvent:
    stamp, start, end = read_span(override, zones)
    return RemoteEvent(
        remote_id=remote_id,
        etag=source.etag,
        start=start,
        end=end,
        all_day=stamp.is_date,
        busy=_busy(override, source.addresses),
        cancelled=override.word("STATUS") == "CANCELLED",
        series_id=source.href,
        original_start=original,
        this_and_future=_is_range(override),
        content=_content(override, source, remote_id, (start, end), zones),
    )


def _busy(event: Component, addresses: frozenset[str]) -> Busy:
    """Decide what an event does to the person's time; the first rule that fits counts."""
    answer = _participation(event, addresses)
    if answer is Participation.DECLINED or event.word("TRANSP") == "TRANSPARENT":
        return Busy.FREE
    named = _MICROSOFT_BUSY.get(event.word("X-MICROSOFT-CDO-BUSYSTATUS"))
    if named is not None:
        return named
    unsettled = answer in {Participation.TENTATIVE, Participation.NEEDS_ACTION}
    return Busy.TENTATIVE if unsettled or event.word("STATUS") == "TENTATIVE" else Busy.BUSY


def _participation(event: Component, addresses: frozenset[str]) -> Participation:
    for line in event.every("ATTENDEE"):
        if _mail(line).lower() in addresses:
            return _answer(line)
    organizer = event.first("ORGANIZER")
    if organizer is not None and _mail(organizer).lower() in addresses:
        return Participation.ACCEPTED
    return Participation.UNKNOWN


def _answer(line: Line) -> Participation:
    word = line.parameters.get("PARTSTAT", "").upper()
    return _PARTICIPATION.get(word, Participation.UNKNOWN)


def _mail(line: Line) -> str:
    """Give the address of an attendee or organizer; empty when none is a mail address."""
    value = line.value.strip()
    if value[:7].lower() == "mailto:":
        value = value[7:]
    found = value if "@" in value else line.parameters.get("EMAIL", "")
    return found.strip() if "@" in found and "/" not in found else ""


def _content(
    event: Component,
    source: Source,
    remote_id: str,
    span: tuple[Moment, Moment],
    zones: Zones,
) -> EventContent:
    organizer = event.first("ORGANIZER")
    status = event.word("STATUS")
    lat, long = _geo(event.text("GEO"))
    return EventContent(
        remote_id=remote_id,
        summary=event.text("SUMMARY"),
        description=event.text("DESCRIPTION"),
        location=event.text("LOCATION") or None,
        lat=lat,
        long=long,
        organizer_email=(_mail(organizer) or None) if organizer else None,
        organizer_name=(organizer.parameters.get("CN") or None) if organizer else None,
        attendees=tuple(_attendees(event)),
        participation=_participation(event, source.addresses),
        meeting_url=_meeting_url(event),
        url=event.text("URL") or None,
        private=event.word("CLASS") in {"PRIVATE", "CONFIDENTIAL"},
        status=status.lower() if status in _STATUSES else "confirmed",
        transparent=event.word("TRANSP") == "TRANSPARENT",
        start_tzid=span[0].tzid,
        end_tzid=span[1].tzid,
        created_at=_stamped(event, zones, "CREATED"),
        updated_at=_stamped(event, zones, "LAST-MODIFIED", "DTSTAMP"),
        ical_uid=event.text("UID") or None,
    )


def _attendees(event: Component) -> Iterable[Attendee]:
    for line in event.every("ATTENDEE"):
        if mail := _mail(line):
            yield Attendee(mail, line.parameters.get("CN") or None, _answer(line))


def _geo(text: str) -> tuple[str | None, str | None]:
    if not text:
        return None, None
    lat, _, long = (part.strip() for part in text.partition(";"))
    try:
        fits = abs(float(lat)) <= 90 and abs(float(long)) <= 180
    except ValueError:
        return None, None
    return (lat, long) if fits else (None, None)


def _meeting_url(event: Component) -> str | None:
    for name in _MEETING_LINES:
        for line in event.every(name):
            if line.text.lower().startswith(("https://", "http://")):
                return line.text
    return None


def _stamped(event: Component, zones: Zones, *names: str) -> str | None:
    for name in names:
        line = event.first(name)
        try:
            if line is not None:
                at = read_stamp(line, zones).moment().at.astimezone(UTC)
                return at.isoformat()[:19] + "Z"
        except Unreadable:
            continue
    return None
