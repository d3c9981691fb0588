"""What Google's events become here.

https://developers.google.com/workspace/calendar/api/v3/reference/events
https://developers.google.com/workspace/calendar/api/guides/recurringevents
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from html import unescape
from zoneinfo import ZoneInfo

import msgspec

from broker.domain import (
    Attendee,
    Busy,
    EventContent,
    Moment,
    Participation,
    RemoteEvent,
    Window,
    midnight_utc,
)
from broker.providers._google_wire import Event, When, decode_page

_ONE_DAY = timedelta(days=1)
_ANSWERS = {
    "needsAction": Participation.NEEDS_ACTION,
    "accepted": Participation.ACCEPTED,
    "declined": Participation.DECLINED,
    "tentative": Participation.TENTATIVE,
}
_UNDECIDED = frozenset({Participation.NEEDS_ACTION, Participation.TENTATIVE})
_NO_TIME_TAKEN = frozenset({"workingLocation", "birthday"})
_TIME_TAKEN = frozenset({"outOfOffice", "focusTime"})
_HIDDEN = frozenset({"private", "confidential"})
# `<masterId>_20261202T080000Z` or `<masterId>_20261202`: the original start is in the id too.
_STAMP = re.compile(r"_(\d{8})(?:T(\d{6})Z)?$", re.ASCII)
_BREAK = re.compile(r"<(?:br|/p|/div|/li|/tr|/h[1-6])\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z!][^<>]*>", re.IGNORECASE)


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page, read: *skipped* are the ids of items that nothing could be made of.

    *has_list* is False when the answer had no list of events at all, be it an empty one.
    """

    has_list: bool

    events: tuple[RemoteEvent, ...]
    deleted: frozenset[str]
    skipped: frozenset[str]
    tzid: str | None
    next_page: str | None
    cursor: str | None


def read_page(body: bytes) -> Page:
    """Read a page of events.list.

    Raises msgspec.DecodeError or UnicodeDecodeError when it is no such page.
    """
    page, skipped = decode_page(body)
    events: list[RemoteEvent] = []
    deleted: set[str] = set()
    tzid = _zone(page.time_zone)
    for item in page.items or ():
        try:
            event = remote_event(item, tzid)
        except (ValueError, OverflowError):
            skipped.add(item.id)
            continue
        if event is None:
            deleted.add(item.id)
        else:
            events.append(event)
    return Page(
        has_list=page.items is not None,
        events=tuple(events),
        deleted=frozenset(deleted),
        skipped=frozenset(skipped),
        tzid=tzid,
        next_page=page.next_page_token or None,
        cursor=page.next_sync_token or None,
    )


def remote_event(event: Event, page_tzid: str | None) -> RemoteEvent | None:
    """Make what we keep of an event; None when it was deleted.

    Raises ValueError or OverflowError when its times cannot be read.
    """
    series_id, original = event.recurring_event_id, None
    if series_id:
        original = _original_start(event, page_tzid)
    if event.status == "cancelled":
        # A stub keeps an occurrence of its series from happening; anything else is gone.
        if original is None:
            return None
        return RemoteEvent(
            remote_id=event.id,
            etag=event.etag,
            start=None,
            end=None,
            all_day=original.tzid is None,
            busy=Busy.FREE,
            cancelled=True,
            series_id=series_id,
            original_start=original,
        )
    start, end, all_day = _span(event, page_tzid)
    mine = _own_answer(event)
    return RemoteEvent(
        remote_id=event.id,
        etag=event.etag,
        start=start,
        end=end,
        all_day=all_day,
        busy=busy_of(event, mine),
        recurrence=() if original else event.recurrence,
        series_id=series_id if original else None,
        original_start=original,
        content=_content(event, start, end, mine),
    )


def is_of_concern(event: RemoteEvent, window: Window) -> bool:
    """Tell whether an event, or the series that it is part of, may reach into the window."""
    is_of_series = event.recurrence or event.series_id is not None
    return bool(is_of_series) or event.end is None or event.end.at >= window.start


def busy_of(event: Event, mine: Participation | None) -> Busy:
    """Tell what an event does to the time of the calendar's owner; the first match wins.

    Mirrors what Google's own free/busy query counts.
    """
    if mine is Participation.DECLINED or event.event_type in _NO_TIME_TAKEN:
        return Busy.FREE
    if event.transparency == "transparent":
        return Busy.FREE
    if event.event_type in _TIME_TAKEN:
        return Busy.BUSY
    if mine in _UNDECIDED or event.status == "tentative":
        return Busy.TENTATIVE
    return Busy.BUSY


def plain_text(text: str) -> str:
    """Give the words of a description, which Google keeps as HTML.

    The result is text and never markup, so what is dropped need not be exact, only quick and
    linear on hostile input.
    """
    if "<" not in text and "&" not in text:
        return text
    return unescape(_TAG.sub("", _BREAK.sub("\n", text))).strip()


def _span(event: Event, page_tzid: str | None) -> tuple[Moment, Moment, bool]:
    """Give start and exclusive end; what has no end takes no time, or its day."""
    if event.start is None:
        raise ValueError("no start")
    all_day = event.start.date is not None
    start = _moment(event.start, page_tzid)
    end = _moment(event.end, page_tzid) if event.end is not None else start
    if event.end is not None and all_day != (event.end.date is not None):
        raise ValueError("an all-day start or end only")
    if all_day and end.at <= start.at:
        end = Moment(start.at + _ONE_DAY)
    return start, end if end.at >= start.at else start, all_day


def _moment(when: When, page_tzid: str | None) -> Moment:
    if when.date is not None:
        return Moment(midnight_utc(date.fromisoformat(when.date)))
    at = datetime.fromisoformat(when.date_time or "")
    tzid = _zone(when.time_zone) or page_tzid
    if at.tzinfo is None:
        # The offset may be left out when the zone is named.
        if tzid is None:
            raise ValueError("neither offset nor zone")
        at = at.replace(tzinfo=ZoneInfo(tzid))
    return Moment(at.astimezone(UTC), tzid or "UTC")


@lru_cache(maxsize=1024)
def _zone(tzid: str | None) -> str | None:
    """Give *tzid* when it is a zone that we know."""
    try:
        return ZoneInfo(tzid).key if tzid else None
    except (ValueError, KeyError, OSError):
        return None


def _original_start(event: Event, page_tzid: str | None) -> Moment | None:
    when = event.original_start_time
    if when is not None:
        return _moment(when, page_tzid)
    stamp = _STAMP.search(event.id)
    if stamp is None:
        return None
    if stamp[2] is None:
        return Moment(midnight_utc(date.fromisoformat(stamp[1])))
    at = datetime.strptime(stamp[1] + stamp[2], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return Moment(at, page_tzid or "UTC")


def _own_answer(event: Event) -> Participation | None:
    for person in event.attendees:
        if person.self:
            return _ANSWERS.get(person.response_status, Participation.UNKNOWN)
    return None


def _content(event: Event, start: Moment, end: Moment, mine: Participation | None) -> EventContent:
    organizer = event.organizer
    return EventContent(
        remote_id=event.id,
        summary=event.summary,
        description=plain_text(event.description),
        location=event.location,
        organizer_email=organizer.email or None if organizer else None,
        organizer_name=organizer.display_name if organizer else None,
        attendees=tuple(
            [
                Attendee(
                    person.email,
                    person.display_name,
                    _ANSWERS.get(person.response_status, Participation.UNKNOWN),
                )
                for person in event.attendees
                if person.email
            ]
        ),
        participation=mine or Participation.UNKNOWN,
        meeting_url=_meeting_url(event),
        url=_web(event.source.url if event.source else None) or _web(event.html_link),
        private=event.visibility in _HIDDEN,
        status=event.status,
        transparent=event.transparency == "transparent",
        start_tzid=start.tzid,
        end_tzid=end.tzid,
        created_at=_stamp(event.created),
        updated_at=_stamp(event.updated),
        ical_uid=event.ical_uid,
    )


def _meeting_url(event: Event) -> str | None:
    if event.conference_data is not None:
        for point in event.conference_data.entry_points:
            if point.entry_point_type == "video" and (url := _web(point.uri)):
                return url
    return _web(event.hangout_link)


def _web(url: str | None) -> str | None:
    """Let web addresses through and nothing that a browser would run."""
    return url if url and url.startswith(("https://", "http://")) else None


def _stamp(text: str | None) -> str | None:
    """Give a time to the second: `2026-11-01T09:00:00Z`."""
    if not text:
        return None
    if len(text) == 24 and text.endswith("Z"):
        return text[:19] + "Z"
    try:
        at = datetime.fromisoformat(text)
        return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if at.tzinfo else None
    except (ValueError, OverflowError):
        return None
