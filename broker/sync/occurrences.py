"""From events to occurrences: what a family comes to inside the window. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from broker.crypto import Vault
from broker.domain import RemoteEvent, Window
from broker.sync.keys import occurrence_uid, series_uid
from broker.sync.plan import Keyed, Wanted
from broker.sync.stretches import occurrences_of, stretches


def occurrences(
    vault: Vault, calendar_id: str, family: Iterable[Keyed], window: Window
) -> Iterator[Wanted]:
    """Yield the occurrences of one family that the copy should hold.

    A series is expanded inside *window*, less what its exceptions replace. Single events and
    exceptions come wherever they are, so that they need no second look when the window moves.
    """
    members = list(family)
    master = next((item for item in members if item.series_key is None), None)
    exceptions = [item for item in members if item.series_key is not None]
    if master is None:
        yield from _singly(vault, calendar_id, exceptions)
    elif not master.event.recurrence:
        yield from _singly(vault, calendar_id, [master])
        yield from _singly(vault, calendar_id, exceptions)
    else:
        yield from _series(vault, calendar_id, master, exceptions, window)


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
) -> Iterator[Wanted]:
    event = master.event
    if event.start is None or event.end is None:
        return
    series = series_uid(vault, calendar_id, master.key)
    replaced = {
        item.event.original_start.at for item in exceptions if item.event.original_start is not None
    }
    for stretch in stretches(master, exceptions):
        item = stretch.item
        for original, start, end in occurrences_of(event, stretch, window, replaced):
            uid = occurrence_uid(vault, calendar_id, master.key, _seconds(original))
            times = _seconds(start), _seconds(end)
            yield Wanted(uid, item.key, series, *times, item.event.all_day, item.event.busy.value)
    for item in exceptions:
        uid = occurrence_uid(vault, calendar_id, master.key, _original(item.event))
        wanted = _wanted(item, uid, series)
        if wanted is not None:
            yield wanted


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
