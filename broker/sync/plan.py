"""Deciding what to write, from what we hold and what the provider said. Pure.

A *family* is a series: its master and its exceptions, named by the master's key. A single
event is a family of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from msgspec.structs import replace

from broker.domain import RemoteEvent
from broker.errors import MassDelete

SMALL = 20
SHARE = 0.5


class Known(NamedTuple):
    """What we hold of an event: its etag, and the master's key when it is an exception."""

    etag: str
    series_key: bytes | None


class Keyed(NamedTuple):
    """An event with its own key, and the master's when it is an exception."""

    key: bytes
    series_key: bytes | None
    event: RemoteEvent

    @property
    def family(self) -> bytes:
        """The key of the series that this belongs to, or its own."""
        return self.series_key or self.key


@dataclass(frozen=True, slots=True)
class Plan:
    """What one page means: events to write, events to leave alone, events to remove."""

    upserts: Mapping[bytes, Keyed]
    unchanged: frozenset[bytes]
    deletes: frozenset[bytes]


def plan_page(
    known: Mapping[bytes, Known],
    page: Sequence[Keyed],
    deleted: Collection[bytes],
    *,
    whole_series: bool,
    unreadable: Collection[bytes] = (),
) -> Plan:
    """Decide what one page of changes means for the events we hold.

    *known* must hold what we have of every event in *page* and *deleted*, and of their
    families. Of an event that comes twice the later one counts. A deleted master takes its
    exceptions along. With *whole_series* a family that arrives is complete, so that members
    which did not come are gone, except where part of the family was *unreadable*.
    """
    arrived = {item.key: item for item in page}
    gone = {key for key, item in arrived.items() if _is_gone(item)} | set(deleted)
    upserts = {
        key: item
        for key, item in arrived.items()
        if key not in gone and (key not in known or known[key].etag != item.event.etag)
    }
    unchanged = frozenset(key for key in arrived if key not in gone and key not in upserts)
    deletes = {key for key in gone if key in known}
    deletes |= {key for key, held in known.items() if held.series_key in gone}
    if whole_series:
        families = {item.family for item in arrived.values()} - set(unreadable)
        deletes |= {
            key
            for key, held in known.items()
            if (held.series_key or key) in families and key not in arrived
        }
    return Plan(upserts, unchanged, frozenset(deletes - upserts.keys()))


def says_the_same(held: RemoteEvent, said: RemoteEvent) -> bool:
    """Tell whether an event is as it was, for all that readers can see of it.

    Providers give a new etag, and a new time of change, for what a copy does not hold: a
    reminder that somebody has dismissed, a flag.
    """
    content = replace(said.content, updated_at=held.content.updated_at)
    return replace(said, etag=held.etag, content=content) == held


def _is_gone(item: Keyed) -> bool:
    """A cancelled exception stays, because it suppresses an occurrence; others go."""
    return item.event.cancelled and item.series_key is None


def check_removal(removed: int, held: int, *, asked_before: bool) -> None:
    """Refuse to believe a large removal the first time.

    Raises MassDelete when more than half of twenty or more events would go and the provider
    was not asked a second time.
    """
    if not asked_before and held >= SMALL and removed > held * SHARE:
        raise MassDelete(removed, held)


class Wanted(NamedTuple):
    """An occurrence as it should be. Times are epoch seconds."""

    uid: bytes
    event_key: bytes
    series_uid: bytes | None
    start_at: int
    end_at: int
    all_day: bool
    busy: str


class Held(NamedTuple):
    """An occurrence as we have it, removed ones included."""

    uid: bytes
    event_key: bytes
    start_at: int
    end_at: int
    busy: str
    deleted: bool
    past_start_at: int | None
    past_end_at: int | None


class Written(NamedTuple):
    """An occurrence to write. Field names are those of the table, but for the last.

    It counts as *changed* when it is written, unless it has merely come into view.
    """

    uid: bytes
    event_key: bytes
    series_uid: bytes | None
    start_at: int
    end_at: int
    all_day: bool
    busy: str
    past_start_at: int | None
    past_end_at: int | None
    changed: bool


@dataclass(frozen=True, slots=True)
class OccurrencePlan:
    """Occurrences to write, and the uids of those to mark as removed."""

    writes: list[Written]
    removed: list[bytes]


def plan_occurrences(
    held: Iterable[Held],
    wanted: Iterable[Wanted],
    *,
    touched: Collection[bytes],
    since: int,
    changed: bool,
) -> OccurrencePlan:
    """Decide which occurrences to write so that *held* becomes *wanted*.

    Occurrences of events in *touched* are written even when their times are the same. One that
    moved remembers the span of where it has been. One that ends before *since* is only written
    when it was held, because then it has just moved there. *changed* is for what is written.
    """
    left = {row.uid: row for row in held}
    writes: list[Written] = []
    for want in wanted:
        have = left.pop(want.uid, None)
        if have is None:
            if want.end_at >= since:
                writes.append(Written(*want, None, None, changed))
        elif want.event_key in touched or _differs(have, want):
            writes.append(Written(*want, *_past(have, want), changed))
    removed = [uid for uid, row in left.items() if not row.deleted]
    return OccurrencePlan(writes, removed)


def _differs(have: Held, want: Wanted) -> bool:
    return have.deleted or (have.event_key, have.start_at, have.end_at, have.busy) != (
        want.event_key,
        want.start_at,
        want.end_at,
        want.busy,
    )


def _past(have: Held, want: Wanted) -> tuple[int | None, int | None]:
    if (have.start_at, have.end_at) == (want.start_at, want.end_at):
        return have.past_start_at, have.past_end_at
    start, end = have.start_at, have.end_at
    if have.past_start_at is not None and have.past_end_at is not None:
        start, end = min(start, have.past_start_at), max(end, have.past_end_at)
    return start, end
