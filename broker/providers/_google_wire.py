"""The wire's shape of Google's events, as far as we read it.

https://developers.google.com/workspace/calendar/api/v3/reference/events

Only what is used is asked for and decoded: a page of 2,500 events costs a fifth of reading all
of it. A mask without the two page tokens would cut a listing silently.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

FIELDS = (
    "nextPageToken,nextSyncToken,timeZone,items(id,status,etag,created,updated,summary,"
    "description,location,start,end,transparency,visibility,eventType,recurrence,"
    "recurringEventId,originalStartTime,iCalUID,organizer(email,displayName),"
    "attendees(email,displayName,self,responseStatus),hangoutLink,htmlLink,source/url,"
    "conferenceData/entryPoints(entryPointType,uri))"
)


class _Wire(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A part of the wire's shape; what is absent has its default there too."""


class When(_Wire, frozen=True):
    """A start or end: *date* for all-day events, else *date_time* with an offset."""

    date: str | None = None
    date_time: str | None = None
    time_zone: str | None = None


class Person(_Wire, frozen=True):
    """An organizer or attendee; *self* is the one whose calendar this is."""

    email: str = ""
    display_name: str | None = None
    self: bool = False
    response_status: str = ""


class Source(_Wire, frozen=True):
    """Where the event came from."""

    url: str | None = None


class EntryPoint(_Wire, frozen=True):
    """One way into a conference."""

    entry_point_type: str = ""
    uri: str = ""


class Conference(_Wire, frozen=True):
    """How to join."""

    entry_points: tuple[EntryPoint, ...] = ()


class Event(_Wire, frozen=True):
    """An event resource, as far as we read it."""

    id: str
    status: str = "confirmed"
    etag: str = ""
    created: str | None = None
    updated: str | None = None
    summary: str = ""
    description: str = ""
    location: str | None = None
    start: When | None = None
    end: When | None = None
    transparency: str = "opaque"
    visibility: str = "default"
    event_type: str = "default"
    recurrence: tuple[str, ...] = ()
    recurring_event_id: str | None = None
    original_start_time: When | None = None
    ical_uid: str | None = msgspec.field(default=None, name="iCalUID")
    organizer: Person | None = None
    attendees: tuple[Person, ...] = ()
    hangout_link: str | None = None
    html_link: str | None = None
    source: Source | None = None
    conference_data: Conference | None = None


class EventPage(_Wire, frozen=True):
    """A page of events.list; *items* is None when it names none, not even an empty list."""

    items: tuple[Event, ...] | None = None
    next_page_token: str | None = None
    next_sync_token: str | None = None
    time_zone: str | None = None


class _LoosePage(_Wire, frozen=True):
    items: tuple[msgspec.Raw, ...] | None = None
    next_page_token: str | None = None
    next_sync_token: str | None = None
    time_zone: str | None = None


class _Named(_Wire, frozen=True):
    id: str = ""


_page = msgspec.json.Decoder(EventPage)
_loose_page = msgspec.json.Decoder(_LoosePage)
_event = msgspec.json.Decoder(Event)
_named = msgspec.json.Decoder(_Named)


def decode_page(body: bytes) -> tuple[EventPage, set[str]]:
    """Decode a page, and give the ids of items that were left out as unreadable.

    Raises msgspec.DecodeError or UnicodeDecodeError when it is no such page.
    """
    try:
        return _page.decode(body), set()
    except msgspec.ValidationError:
        # One odd item must not cost a person the calendar: look at each by itself.
        page = _loose_page.decode(body)
    skipped: set[str] = set()
    items = None if page.items is None else tuple(_readable(page.items, skipped))
    tokens = (page.next_page_token, page.next_sync_token, page.time_zone)
    return EventPage(items, *tokens), skipped


def _readable(items: Iterable[msgspec.Raw], skipped: set[str]) -> Iterable[Event]:
    for item in items:
        try:
            yield _event.decode(item)
        except msgspec.ValidationError:
            try:
                skipped.add(_named.decode(item).id)
            except msgspec.ValidationError:
                skipped.add("")
