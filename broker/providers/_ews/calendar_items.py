"""What a CalendarItem becomes here.

https://learn.microsoft.com/exchange/client-developer/web-service-reference/calendaritem
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lxml import etree
from msgspec.structs import replace

from broker.domain import Attendee, Busy, EventContent, Moment, Participation, RemoteEvent
from broker.providers._ews.item_times import ONE_DAY, moment, read_instant, stamp, zone_of
from broker.providers._ews.markup import Fields, T, child, fields_of, id_of
from broker.providers._ews.recurrences import begins_on, excluded, read_rule

BUSY = {
    "Free": Busy.FREE,
    "Tentative": Busy.TENTATIVE,
    "OOF": Busy.OUT_OF_OFFICE,
    "WorkingElsewhere": Busy.WORKING_ELSEWHERE,
}
_ANSWERS = {
    "Organizer": Participation.ACCEPTED,
    "Accept": Participation.ACCEPTED,
    "Decline": Participation.DECLINED,
    "Tentative": Participation.TENTATIVE,
    "NoResponseReceived": Participation.NEEDS_ACTION,
}
_HIDDEN = frozenset({"Personal", "Private", "Confidential"})
_PEOPLE = ("RequiredAttendees", "OptionalAttendees", "Resources")


@dataclass(frozen=True, slots=True)
class Changed:
    """A changed occurrence of a series: its own id, where it was, and where it is now."""

    item_id: str
    original: Moment
    start: Moment
    end: Moment


@dataclass(frozen=True, slots=True)
class Series:
    """A series' master, and the exceptions that have to be read with it."""

    master: RemoteEvent
    exceptions: tuple[Changed, ...]
    tzid: str | None


def read_item(
    item: etree._Element, remote_id: str, home: Callable[[], str | None] = lambda: None
) -> RemoteEvent | Series:
    """Read a single event or a master. Raises ValueError when its times make no sense.

    *home* gives the zone of days and of series that come without one.
    """
    fields = fields_of(item)
    is_series = _text(fields, "CalendarItemType") == "RecurringMaster"
    tzid = zone_of(fields)
    if tzid is None and (is_series or _text(fields, "IsAllDayEvent") == "true"):
        tzid = home()
    start, end, all_day = _span(fields, tzid)
    event = _event(fields, remote_id, start, end, all_day)
    if not is_series:
        return event
    exceptions = tuple(_exceptions(fields, tzid, all_day))
    lines = _lines(fields, start, tzid, all_day)
    return Series(replace(event, recurrence=lines), exceptions, tzid)


def read_exception(item: etree._Element, place: Changed, series: Series) -> RemoteEvent:
    """Read a changed occurrence. Raises ValueError when its times make no sense."""
    fields = fields_of(item)
    tzid = zone_of(fields) or series.tzid
    start, end, all_day = _span(fields, tzid)
    name = exception_id(series.master.remote_id, place.original)
    event = _event(fields, name, start, end, all_day)
    return _as_exception(event, place, series)


def stand_in(place: Changed, series: Series) -> RemoteEvent:
    """Make a changed occurrence of which only the times are known."""
    master = series.master
    event = RemoteEvent(
        remote_id=exception_id(master.remote_id, place.original),
        etag=master.etag,
        start=place.start,
        end=place.end,
        all_day=master.all_day,
        busy=master.busy,
        content=master.content,
    )
    return _as_exception(event, place, series)


def exception_id(series_id: str, original: Moment) -> str:
    """Name a changed occurrence; Exchange's own name changes with the times of its series."""
    return f"{series_id}#{stamp(original)}"


def _as_exception(event: RemoteEvent, place: Changed, series: Series) -> RemoteEvent:
    return replace(
        event,
        # Its own key may stay when the series changes around it.
        etag=f"{series.master.etag} {event.etag}",
        series_id=series.master.remote_id,
        original_start=place.original,
    )


def _text(fields: Fields, name: str) -> str:
    found = fields.get(T + name)
    return (found.text or "") if found is not None else ""


def _span(fields: Fields, tzid: str | None) -> tuple[Moment, Moment, bool]:
    """Give start and exclusive end; an all-day event takes one day at least."""
    all_day = _text(fields, "IsAllDayEvent") == "true"
    starts_at = read_instant(_text(fields, "Start"), tzid)
    ends_at = read_instant(_text(fields, "End") or _text(fields, "Start"), tzid)
    if all_day:
        start, end = moment(starts_at, tzid, True), moment(ends_at, tzid, True)
        return start, end if end.at > start.at else Moment(start.at + ONE_DAY), True
    end_tzid = zone_of(fields, "EndTimeZone") if f"{T}EndTimeZone" in fields else None
    end = moment(max(starts_at, ends_at), end_tzid or tzid, False)
    return moment(starts_at, tzid, False), end, False


def _event(
    fields: Fields, remote_id: str, start: Moment, end: Moment, all_day: bool
) -> RemoteEvent:
    own = fields.get(f"{T}ItemId")
    mine = _own_answer(fields)
    busy = BUSY.get(_text(fields, "LegacyFreeBusyStatus"), Busy.BUSY)
    return RemoteEvent(
        remote_id=remote_id,
        etag=own.get("ChangeKey", "") if own is not None else "",
        start=start,
        end=end,
        all_day=all_day,
        busy=Busy.FREE if mine is Participation.DECLINED else busy,
        cancelled=_text(fields, "IsCancelled") == "true",
        content=_content(fields, remote_id, start, end, mine, busy),
    )


def _own_answer(fields: Fields) -> Participation:
    told = _text(fields, "MyResponseType")
    if _text(fields, "IsMeeting") != "true" and told in {"", "Organizer", "Unknown"}:
        # Nobody was asked: the calendar's owner is merely its author.
        return Participation.UNKNOWN
    return _ANSWERS.get(told, Participation.NEEDS_ACTION)


def _content(
    fields: Fields,
    remote_id: str,
    start: Moment,
    end: Moment,
    mine: Participation,
    busy: Busy,
) -> EventContent:
    organizer = fields.get(f"{T}Organizer")
    name, email = _mailbox(organizer) if organizer is not None else (None, None)
    return EventContent(
        remote_id=remote_id,
        summary=_text(fields, "Subject"),
        description=_text(fields, "Body").strip(),
        location=_text(fields, "Location") or None,
        organizer_email=email,
        organizer_name=name,
        attendees=tuple(_attendees(fields)),
        participation=mine,
        private=_text(fields, "Sensitivity") in _HIDDEN,
        transparent=busy is Busy.FREE,
        start_tzid=start.tzid,
        end_tzid=end.tzid,
        created_at=_second(_text(fields, "DateTimeCreated")),
        updated_at=_second(_text(fields, "LastModifiedTime")),
        ical_uid=_text(fields, "UID") or None,
    )


def _attendees(fields: Fields) -> list[Attendee]:
    people: list[Attendee] = []
    for group in _PEOPLE:
        for person in fields.get(T + group, ()):
            name, email = _mailbox(person)
            if email is not None:
                answer = person.findtext(f"{T}ResponseType") or ""
                status = _ANSWERS.get(answer, Participation.NEEDS_ACTION)
                people.append(Attendee(email, name, status))
    return people


def _mailbox(holder: etree._Element) -> tuple[str | None, str | None]:
    """Give name and mail address; the server's own kind of address (`EX`) is nobody's mail."""
    mailbox = child(holder, f"{T}Mailbox")
    if mailbox is None:
        return None, None
    fields = fields_of(mailbox)
    email = _text(fields, "EmailAddress").strip()
    is_mail = "@" in email and (_text(fields, "RoutingType") or "SMTP").upper() == "SMTP"
    return _text(fields, "Name") or None, email if is_mail else None


def _lines(fields: Fields, start: Moment, tzid: str | None, all_day: bool) -> tuple[str, ...]:
    recurrence = fields.get(f"{T}Recurrence")
    if recurrence is None:
        raise ValueError("a series without a pattern")
    deleted = [
        moment(read_instant(found.findtext(f"{T}Start"), tzid), tzid, all_day)
        for found in fields.get(f"{T}DeletedOccurrences", ())
    ]
    rule = read_rule(recurrence, start, tzid)
    if not begins_on(recurrence, start):
        deleted.append(start)
    return (rule, *excluded(deleted))


def _exceptions(fields: Fields, tzid: str | None, all_day: bool) -> list[Changed]:
    found: list[Changed] = []
    for occurrence in fields.get(f"{T}ModifiedOccurrences", ()):
        times = (
            read_instant(occurrence.findtext(f"{T}{name}"), tzid)
            for name in ("OriginalStart", "Start", "End")
        )
        moments = [moment(at, tzid, all_day) for at in times]
        found.append(Changed(id_of(occurrence.find(f"{T}ItemId")), *moments))
    return found


def _second(text: str) -> str | None:
    """Give a time to the second: `2026-11-01T09:00:00Z`."""
    if len(text) == 20 and text.endswith("Z"):
        return text
    try:
        return f"{read_instant(text):%Y-%m-%dT%H:%M:%SZ}"
    except ValueError:
        return None


def ends_before(event: RemoteEvent, at: datetime) -> bool:
    """Tell whether a single event was over before *at*."""
    return not event.recurrence and event.end is not None and event.end.at <= at
