"""Occurrences in the partner API's words. Pure, apart from opening what is sealed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from broker.crypto import DataKey
from broker.domain import AccessMode, EventContent, Participation, RemoteEvent
from broker.services import partner_ids, times
from broker.services.reading_query import Query
from broker.services.reading_statements import OccurrenceRow
from broker.sync.keys import event_place

_TRANSPARENT = frozenset({"free", "working_elsewhere"})
_EXTENDED = {
    "busy": "opaque",
    "free": "transparent",
    "tentative": "tentative",
    "out_of_office": "out_of_office",
    "working_elsewhere": "working_elsewhere",
}
_FREE_BUSY = {
    "busy": "busy",
    "free": "free",
    "tentative": "tentative",
    "out_of_office": "busy",
    "working_elsewhere": "free",
}
_STATUSES = frozenset({"confirmed", "tentative", "cancelled"})

_decoder = msgspec.msgpack.Decoder(type=RemoteEvent)


@dataclass(frozen=True, slots=True)
class Shelf:
    """One calendar as one profile's application sees it.

    *id* is the partner's; *event_pad* and *series_pad* make the partner's ids of what is in it.
    *revision* is its copy's. *gone_at* is when it was deleted (epoch seconds), and all that it
    held with it; None while it is there. *may_answer*: an invitation in it may be answered.
    """

    id: str
    our_id: str
    provider: str
    access_mode: str
    key: DataKey
    event_pad: int
    series_pad: int
    revision: int
    tzid: str | None
    counts_as_busy: bool
    gone_at: int | None
    may_answer: bool

    @property
    def shows_events(self) -> bool:
        """Tell whether events are more than busy or free here."""
        return self.access_mode == AccessMode.FULL


def event(row: OccurrenceRow, shelf: Shelf, query: Query) -> dict[str, Any]:
    """Write one item of `/v1/events`."""
    if row.deleted or shelf.gone_at is not None:
        return _removed(row, shelf, query)
    remote = _opened(row, shelf)
    content = remote.content if remote else EventContent()
    item = {
        "calendar_id": shelf.id,
        "event_uid": partner_ids.event_uid(shelf.event_pad, row.uid),
        "summary": content.summary,
        "description": content.description,
        **_times(row, query, content.start_tzid, content.end_tzid, shelf.tzid),
        "deleted": False,
        "participation_status": content.participation,
        "attendees": [
            {"email": who.email, "display_name": who.display_name, "status": who.status}
            for who in content.attendees
        ],
        **_transparency(row.busy, content),
        "status": content.status if content.status in _STATUSES else "unknown",
        "categories": [],
        **_series(row, shelf),
        "event_private": content.private,
        "options": {
            "delete": False,
            "update": False,
            "change_participation_status": shelf.may_answer
            and content.participation != Participation.UNKNOWN,
        },
    }
    item |= _where_known(content, query)
    if query.google_event_ids and shelf.provider == "google" and remote is not None:
        item["google_event_id"] = _google_event_id(row, remote)
    return item


class Block(msgspec.Struct, gc=False):
    """One item of `/v1/free_busy`; an answer holds thousands, so it is no dictionary."""

    calendar_id: str
    start: Any
    end: Any
    free_busy_status: str
    event_uid: str | msgspec.UnsetType = msgspec.UNSET
    deleted: bool | msgspec.UnsetType = msgspec.UNSET


def blocks(rows: Iterable[Any], shelves: Mapping[str, Shelf], query: Query) -> list[Block]:
    """Write the items of `/v1/free_busy`. *rows* are those of `blocks_page`.

    The zone that an event was given in is content, so localised times use the calendar's.
    """
    items = []
    iso, iso_date = times.iso, times.iso_date
    with_ids, with_deleted, local = query.include_ids, query.include_deleted, query.localized_times
    for row in rows:
        start_at, uid, our_id, end_at, all_day, busy = row[:6]
        shelf = shelves[our_id]
        start: Any
        end: Any
        if local:
            start = times.localized(start_at, shelf.tzid, all_day=all_day)
            end = times.localized(end_at, shelf.tzid, all_day=all_day)
        else:
            write = iso_date if all_day else iso
            start, end = write(start_at), write(end_at)
        status = _FREE_BUSY.get(busy, "unknown") if shelf.counts_as_busy else "free"
        item = Block(shelf.id, start, end, status)
        if with_ids:
            item.event_uid = partner_ids.event_uid(shelf.event_pad, uid)
        if with_deleted:
            item.deleted = bool(row[6]) or shelf.gone_at is not None
        items.append(item)
    return items


def _opened(row: OccurrenceRow, shelf: Shelf) -> RemoteEvent | None:
    """Open the event of an occurrence; None when its row is gone."""
    if row.sealed is None:
        return None
    return _decoder.decode(shelf.key.open(row.sealed, event_place(shelf.our_id, row.event_key)))


def _removed(row: OccurrenceRow, shelf: Shelf, query: Query) -> dict[str, Any]:
    """Write what is left of a deleted event: which it was, and when."""
    return {
        "calendar_id": shelf.id,
        "event_uid": partner_ids.event_uid(shelf.event_pad, row.uid),
        **_times(row, query, None, None, shelf.tzid),
        "deleted": True,
        **_series(row, shelf),
    }


def _times(
    row: OccurrenceRow, query: Query, start: str | None, end: str | None, fallback: str | None
) -> dict[str, Any]:
    if query.localized_times:
        start = start or (fallback if row.all_day else None)
        return {
            "start": times.localized(row.start_at, start, all_day=row.all_day),
            "end": times.localized(row.end_at, end or start, all_day=row.all_day),
        }
    write = times.iso_date if row.all_day else times.iso
    return {"start": write(row.start_at), "end": write(row.end_at)}


def _transparency(busy: str, content: EventContent) -> dict[str, str]:
    extended = _EXTENDED.get(busy, "unknown")
    if content.transparent and extended == "opaque":
        extended = "transparent"
    if extended == "unknown":
        return {"transparency": "unknown", "extended_transparency": extended}
    is_free = content.transparent or busy in _TRANSPARENT
    plain = "transparent" if is_free else "opaque"
    return {"transparency": plain, "extended_transparency": extended}


def _series(row: OccurrenceRow, shelf: Shelf) -> dict[str, Any]:
    if row.series_uid is None:
        return {"recurring": False}
    identifier = partner_ids.series_identifier(shelf.series_pad, row.series_uid)
    return {"recurring": True, "series_identifier": identifier}


def _where_known(content: EventContent, query: Query) -> dict[str, Any]:
    """Write what is absent, never null, when unknown (cronofy-csharp fails on nulls)."""
    found: dict[str, Any] = {
        "created": times.whole_seconds(content.created_at),
        "updated": times.whole_seconds(content.updated_at),
        "location": _location(content, query),
        "organizer": _organizer(content),
        "meeting_url": content.meeting_url,
        "url": content.url,
    }
    return {name: value for name, value in found.items() if value}


def _location(content: EventContent, query: Query) -> Mapping[str, str]:
    place = {"description": content.location} if content.location else {}
    if query.include_geo and content.lat and content.long:
        place |= {"lat": content.lat, "long": content.long}
    return place


def _organizer(content: EventContent) -> Mapping[str, str | None] | None:
    if not content.organizer_email:
        return None
    return {"email": content.organizer_email, "display_name": content.organizer_name}


def _google_event_id(row: OccurrenceRow, remote: RemoteEvent) -> str:
    """Name the event as Google does; occurrences by the master and their original start.

    See https://developers.google.com/workspace/calendar/api/concepts/events-calendars.
    """
    if not remote.recurrence:
        return remote.remote_id
    form = "%Y%m%d" if row.all_day else "%Y%m%dT%H%M%SZ"
    return f"{remote.remote_id}_{datetime.fromtimestamp(row.start_at, UTC):{form}}"
