"""From events to occurrences: what a family comes to inside the window. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from broker.crypto import Vault
from broker.domain import RemoteEvent, Window
from broker.sync.keys import occurrence_uid, series_uid
from broker.sync.plan import Keyed, Wanted
from broker.sync.stretches import occurrences_of, stretches

# What else costs time, in the units of `expand.MAX_WORK`.
WORK_PER_OCCURRENCE = 2
CHARACTERS_PER_WORK = 4


class Occurring(NamedTuple):
    """The occurrences of a family, and what finding them has cost in the units of MAX_WORK.

    *of_series* says that there may be more of them beyond the window.
    """

    wanted: list[Wanted]
    work: int = 0
    of_series: bool = False


def series_of(family: Iterable[Keyed]) -> Keyed | None:
    """Give the master of a family that repeats; None for a family that needs no expansion."""
    master = next((item for item in family if item.series_key is None), None)
    return master if master is not None and master.event.recurrence else None


def occurrences(
    vault: Vault, calendar_id: str, family: Sequence[Keyed], window: Window
) -> Occurring:
    """Give the occurrences of one family that the copy should hold.

    A series is expanded inside *window*, less what its exceptions replace. Single events and
    exceptions come wherever they are, so that they need no second look when the window moves.
    """
    master = series_of(family)
    if master is None:
        return Occurring(list(_singly(vault, calendar_id, family)))
    exceptions = [item for item in family if item.series_key is not None]
    return _series(vault, calendar_id, master, exceptions, window)


def _singly(
    vault: Vault,
    calendar_id: str,
    items: Iterable[Keyed],
) -> Iterator[Wanted]:
    for item in items:
        uid = occurrence_uid(vault, calendar_id, item.family, _original(item.event))
        wanted = _wanted(item, uid, None)
        if wanted is not None:
            yield wanted


def _series(
    vault: Vault, calendar_id: str, master: Keyed, exceptions: list[Keyed], window: Window
) -> Occurring:
    event = master.event
    if event.start is None or event.end is None:
        return Occurring([], of_series=True)
    series = series_uid(vault, calendar_id, master.key)
    replaced = {
        item.event.original_start.at for item in exceptions if item.event.original_start is not None
    }
    found, work = [], 0
    reading = sum(map(len, event.recurrence)) // CHARACTERS_PER_WORK
    for stretch in stretches(master, exceptions):
        item = stretch.item
        expansion = occurrences_of(event, stretch, window, replaced)
        work += expansion.work + reading
        for original, start, end in expansion.occurrences:
            uid = occurrence_uid(vault, calendar_id, master.key, _seconds(original))
            times = _seconds(start), _seconds(end)
            busy = item.event.busy.value
            found.append(Wanted(uid, item.key, series, *times, item.event.all_day, busy))
    for item in exceptions:
        uid = occurrence_uid(vault, calendar_id, master.key, _original(item.event))
        wanted = _wanted(item, uid, series)
        if wanted is not None:
            found.append(wanted)
    return Occurring(found, work + WORK_PER_OCCURRENCE * len(found), of_series=True)


def _wanted(item: Keyed, uid: bytes, series: bytes | None) -> Wanted | None:
    event = item.event
    if event.cancelled or event.start is None or event.end is None:
        return None
    start, end = _seconds(event.start.at), _seconds(event.end.at)
    return Wanted(uid, item.key, series, start, end, event.all_day, event.busy.value)


def _original(event: RemoteEvent) -> int | None:
    return _seconds(event.original_start.at) if event.original_start is not None else None


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
