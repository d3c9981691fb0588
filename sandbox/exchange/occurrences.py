"""What takes place in a window: single items, and series expanded with their changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from . import recurrence, zones
from .ids import Id
from .model import Change, Item
from .soap import Refused


@dataclass(frozen=True)
class Occurrence:
    """Something that takes place once. `original_s` is None for what does not repeat."""

    item: Item
    start_s: int
    end_s: int
    original_s: int | None = None
    change: Change | None = None

    @property
    def id(self) -> Id:
        """Its id, which an occurrence derives from its series and its original start."""
        if self.original_s is None:
            return Id("item", self.item.number)
        return Id("occurrence", self.item.number, self.original_s)

    @property
    def type(self) -> str:
        """Its CalendarItemType."""
        if self.original_s is None:
            return "RecurringMaster" if self.item.rule else "Single"
        return "Exception" if self.change else "Occurrence"

    def field(self, name: str) -> str:
        """Return the XML of a kept element; empty when there is none."""
        if self.change and name in self.change.fields:
            return self.change.fields[name]
        return self.item.fields.get(name, "")


def whole(item: Item) -> Occurrence:
    """Return a single item, or a series as such."""
    return Occurrence(item, item.start_s, item.end_s)


def one(item: Item, original_s: int) -> Occurrence:
    """Return one occurrence of a series. Raises Refused when there is none."""
    if original_s in item.deleted:
        raise Refused("ErrorCalendarOccurrenceIsDeletedFromRecurrence")
    if next(recurrence.starts_between(item, original_s, original_s + 1), None) is None:
        raise Refused("ErrorItemNotFound")
    return _at(item, original_s)


def numbered(item: Item, index: int) -> Occurrence:
    """Return an occurrence by its place in the series, from 1. Raises Refused."""
    for place, original_s in enumerate(recurrence.starts(item), start=1):
        if place == index:
            return one(item, original_s)
        if place > index:
            break
    raise Refused("ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange")


def first(item: Item) -> Occurrence | None:
    """Return the first occurrence that is left."""
    return next((_at(item, at) for at in recurrence.starts(item) if at not in item.deleted), None)


def last(item: Item) -> Occurrence | None:
    """Return the last occurrence that is left; None when the series never ends."""
    if recurrence.is_endless(item.rule):
        return None
    left = [at for at in recurrence.starts(item) if at not in item.deleted]
    return _at(item, left[-1]) if left else None


def between(items: Iterable[Item], low_s: int, high_s: int) -> Iterator[Occurrence]:
    """Yield what overlaps a window, in no order: ends after *low_s* and starts before *high_s*."""
    for item in items:
        if item.kind != "CalendarItem":
            continue
        if not item.rule:
            if _overlaps(item.start_s, item.end_s, low_s, high_s):
                yield whole(item)
            continue
        for original_s in _originals(item, low_s, high_s):
            found = _at(item, original_s)
            if _overlaps(found.start_s, found.end_s, low_s, high_s):
                yield found


def _originals(item: Item, low_s: int, high_s: int) -> list[int]:
    length = item.end_s - item.start_s
    # A day more on either side: lengths in wall time change with the clocks.
    near = recurrence.starts_between(item, low_s - length - 86_400, high_s)
    return sorted({*near, *item.changes} - set(item.deleted))


def _at(item: Item, original_s: int) -> Occurrence:
    change = item.changes.get(original_s)
    if change:
        return Occurrence(item, change.start_s, change.end_s, original_s, change)
    return Occurrence(item, original_s, _end(item, original_s), original_s)


def _end(item: Item, original_s: int) -> int:
    if not item.all_day:
        return original_s + item.end_s - item.start_s
    begin, end = (zones.to_wall(at, item.zone) for at in (item.start_s, item.end_s))
    return zones.from_wall(zones.to_wall(original_s, item.zone) + (end - begin), item.zone)


def _overlaps(start_s: int, end_s: int, low_s: int, high_s: int) -> bool:
    return start_s < high_s and (end_s > low_s or start_s == end_s >= low_s)
