"""The values that providers, sync and services speak.

`remote_id`, `etag` and `cursor` are the field's vocabulary: Google's event id, etag and
syncToken; CalDAV's href, getetag and sync-token (RFC 6578).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import msgspec


class AccessMode(StrEnum):
    """How much the provider gives us; independent of what an application may see."""

    FULL = "full"
    FREE_BUSY = "free_busy"
    NONE = "none"


class Busy(StrEnum):
    """What an event does to the person's time."""

    BUSY = "busy"
    FREE = "free"
    TENTATIVE = "tentative"
    OUT_OF_OFFICE = "out_of_office"
    WORKING_ELSEWHERE = "working_elsewhere"


class Participation(StrEnum):
    """An answer to an invitation, in the partner API's words."""

    NEEDS_ACTION = "needs_action"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    TENTATIVE = "tentative"
    UNKNOWN = "unknown"


class Moment(NamedTuple):
    """A start or end.

    *at* is an aware UTC datetime; for an all-day event, midnight UTC of the date.
    *tzid* is the IANA zone it was given in; None for all-day events.
    """

    at: datetime
    tzid: str | None = None


class Attendee(msgspec.Struct, frozen=True, omit_defaults=True):
    """One invited person or room."""

    email: str
    display_name: str | None = None
    status: Participation = Participation.UNKNOWN


class EventContent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What only a key opens: everything about an event that says what it is about."""

    remote_id: str = ""
    summary: str = ""
    description: str = ""
    location: str | None = None
    lat: str | None = None
    long: str | None = None
    organizer_email: str | None = None
    organizer_name: str | None = None
    attendees: tuple[Attendee, ...] = ()
    participation: Participation = Participation.UNKNOWN
    meeting_url: str | None = None
    url: str | None = None
    private: bool = False
    status: str = "confirmed"
    transparent: bool = False
    start_tzid: str | None = None
    end_tzid: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    ical_uid: str | None = None


class RemoteEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as the provider has it: a single event, a series' master, or an exception.

    *start* and *end* bound the event; *end* is exclusive. For a master they are the first
    occurrence's. *recurrence* holds iCalendar lines (`RRULE:`, `RDATE`, `EXDATE`; RFC 5545
    section 3.8.5) and marks a master. *series_id* is the master's remote_id and marks an
    exception, which *original_start* places; with *cancelled* the occurrence does not happen,
    and with *this_and_future* it speaks for all later ones too (RFC 5545 section 3.2.13).
    An exception whose master is unknown is a single event.
    """

    remote_id: str
    etag: str
    start: Moment | None
    end: Moment | None
    all_day: bool = False
    busy: Busy = Busy.BUSY
    cancelled: bool = False
    recurrence: tuple[str, ...] = ()
    series_id: str | None = None
    original_start: Moment | None = None
    this_and_future: bool = False
    content: EventContent = EventContent()


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event to write, as an application has it.

    *uid* is safe in an address and new in the whole account. *start* and *end* are aware; for
    an all-day event they are midnight UTC of the first day and of the day after the last.
    *tzid* is the IANA zone that they are shown in, None for UTC. *remote_id* is where the
    event is; None for one that we named ourselves, or that is new. *attendees* are to be
    invited, and nobody else; None says nothing of people, and so no meeting is written by it.
    """

    uid: str
    summary: str
    start: datetime
    end: datetime
    description: str = ""
    location: str | None = None
    all_day: bool = False
    tzid: str | None = None
    transparent: bool = False
    remote_id: str | None = None
    attendees: tuple[Attendee, ...] | None = None


@dataclass(frozen=True, slots=True)
class RemoteCalendar:
    """One calendar of a login.

    *tzid* places all-day events when the provider knows it. *counts_as_busy* is False for
    holiday and birthday calendars. *version* is an opaque mark that changes when the calendar
    does (CalDAV ctag or sync-token); None when the provider has none.
    """

    remote_id: str
    name: str
    read_only: bool = False
    primary: bool = False
    tzid: str | None = None
    color: str | None = None
    counts_as_busy: bool = True
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of time that we keep: *start* inclusive, *end* exclusive, aware UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Changes:
    """One page of what changed in a calendar.

    *deleted* holds remote ids. *cursor* comes with the last page only (None before).
    *complete* is True when the pages together list everything in the window, so that what
    is absent is gone. *whole_series* is True when a master always arrives together with all
    of its exceptions (CalDAV), so that absent exceptions are gone too. *skipped* holds the
    remote ids of events that could not be read, in part or at all: they and their exceptions
    stay as they were.
    """

    events: Sequence[RemoteEvent]
    deleted: frozenset[str] = frozenset()
    cursor: str | None = None
    complete: bool = False
    whole_series: bool = False
    skipped: frozenset[str] = frozenset()
    tzid: str | None = None


@dataclass(frozen=True, slots=True)
class BusySpan:
    """A stretch of somebody's time, in aware UTC."""

    start: datetime
    end: datetime
    busy: Busy


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Somebody, or some room, by mail address."""

    email: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class OpenedSubscription:
    """A push subscription that the provider granted, until *expires_at*."""

    resource_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Notification:
    """What a push message claims, believed only with the *secret* we gave; *ends*: ask anew."""

    subscription_id: str
    secret: str = field(repr=False)
    resource_id: str | None = None
    wakes: bool = True
    ends: bool = False


DEFAULT_PAST, DEFAULT_FUTURE = timedelta(days=42), timedelta(days=201)


def window_at(now: datetime) -> Window:
    """Give the default window around *now*: 42 days back, 201 ahead, on whole UTC days."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return Window(midnight - DEFAULT_PAST, midnight + DEFAULT_FUTURE + timedelta(days=1))


def midnight_utc(day: date) -> datetime:
    """Give the instant that stands for an all-day date in storage."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
