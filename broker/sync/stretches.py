"""The stretches of a series: the master's, and those of exceptions that hold from then on.

An exception with RANGE=THISANDFUTURE moves every later occurrence by as much as its own and
gives them its length and content (RFC 5545 sections 3.2.13 and 3.8.4.4). Pure; never raises.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from broker.domain import Moment, RemoteEvent, Window, midnight_utc
from broker.sync.expand import Expansion, Occurrence, expand
from broker.sync.plan import Keyed
from broker.sync.wall_time import (
    DAY,
    LATEST,
    Frame,
    event_length,
    frame_at,
    local_time,
    shifted,
    utc_seconds,
)

MOST = 10
_EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The part of a series that *item* describes: what the rules put at *begin* or later.

    *end* is exclusive; *shift* is how far occurrences are moved on the series' own clock.
    """

    item: Keyed
    begin: datetime
    end: datetime
    length: timedelta
    shift: timedelta = timedelta(0)


def stretches(master: Keyed, exceptions: Sequence[Keyed]) -> list[Stretch]:
    """Give the stretches in their order, the master's first; of more than MOST, the first ones."""
    ranges = {
        item.event.original_start.at: item
        for item in exceptions
        if item.event.original_start is not None and _holds_on(item.event)
    }
    begins = sorted(ranges)[: MOST - 1]
    ends = [*begins, LATEST]
    found = [Stretch(master, _EARLIEST, ends[0], _length(master.event))]
    for begin, end in zip(begins, ends[1:], strict=True):
        item = ranges[begin]
        found.append(
            Stretch(item, begin, end, _length(item.event), _shift(master.event, item.event, begin))
        )
    return found


def occurrences_of(
    master: RemoteEvent, stretch: Stretch, window: Window, replaced: Collection[datetime]
) -> Expansion:
    """Give what occurs of one stretch in *window*; nothing when the stretch is cancelled.

    *replaced* holds the original starts that exceptions move or cancel.
    """
    event = stretch.item.event
    if event.cancelled or event.start is None or master.start is None:
        return Expansion([])
    source, is_moved = frame_at(master.start, master.all_day), stretch.begin > _EARLIEST
    usual = event_length(stretch.length, master.all_day)
    expansion = expand(
        start=master.start,
        end=Moment(shifted(utc_seconds(master.start.at), stretch.length)),
        all_day=master.all_day,
        recurrence=master.recurrence,
        window=_reach(stretch, window) if is_moved else window,
        replaced=replaced,
    )
    low, high = _edges(window, all_day=event.all_day)
    found = []
    for original, start, end in expansion.occurrences:
        if not stretch.begin <= original < stretch.end:
            continue
        if is_moved:
            # A listed period has a length of its own.
            length = stretch.length if end - start == usual else end - start
            start = _moved(original, stretch.shift, source, event)
            end = shifted(start, event_length(length, event.all_day))
        if start < high and (end > low or end == start == low):
            found.append(Occurrence(original, start, end))
    return Expansion(found, expansion.problem, expansion.work)


def _holds_on(event: RemoteEvent) -> bool:
    return event.this_and_future and (event.cancelled or event.start is not None)


def _reach(stretch: Stretch, window: Window) -> Window:
    """Give where the rules may have put what is in *window* after it was moved."""
    by = stretch.shift
    low = shifted(shifted(utc_seconds(window.start), -by), -2 * DAY)
    high = shifted(shifted(utc_seconds(window.end), -by), 2 * DAY)
    return Window(max(low, stretch.begin), min(high, stretch.end))


def _edges(window: Window, *, all_day: bool) -> tuple[datetime, datetime]:
    """All-day events get a day more on both sides, as in `expand`."""
    slack = DAY if all_day else timedelta(0)
    return shifted(utc_seconds(window.start), -slack), shifted(utc_seconds(window.end), slack)


def _length(event: RemoteEvent) -> timedelta:
    if event.start is None or event.end is None:
        return timedelta(0)
    return event_length(utc_seconds(event.end.at) - utc_seconds(event.start.at), event.all_day)


def _shift(master: RemoteEvent, event: RemoteEvent, original: datetime) -> timedelta:
    """Tell how far an exception moves its own occurrence, on the clock of the series.

    Between a timed series and an all-day exception only the days count.
    """
    if master.start is None or event.start is None:
        return timedelta(0)
    source = frame_at(master.start, master.all_day)
    before, after = _wall(original, source), _wall(utc_seconds(event.start.at), source, event)
    return after - before if not event.all_day else timedelta((after.date() - before.date()).days)


def _moved(original: datetime, by: timedelta, source: Frame, event: RemoteEvent) -> datetime:
    """Move an original start; skipped and repeated hours are those of where it arrives."""
    try:
        wall = _written(original, source) + by
    except OverflowError:
        return LATEST
    if event.all_day:
        return midnight_utc(wall.date())
    if source.all_day and event.start is not None:
        return frame_at(event.start, all_day=False).instant(wall)
    return source.instant(wall)


def _written(original: datetime, source: Frame) -> datetime:
    """Give the wall time that the rules wrote: one that the clock skips has become a later one."""
    usual = datetime.combine(local_time(original, source.zone), source.wall.time())
    return usual if source.instant(usual) == original else _wall(original, source)


def _wall(at: datetime, source: Frame, event: RemoteEvent | None = None) -> datetime:
    """Give the wall time of an instant: on the series' clock, or an exception's where it has none.

    Dates are midnight.
    """
    if event is not None and event.all_day:
        return at.replace(tzinfo=None)
    if event is not None and source.all_day and event.start is not None:
        return local_time(at, frame_at(event.start, all_day=False).zone)
    return local_time(at, source.zone)
