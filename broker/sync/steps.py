"""Steps: what one short transaction writes of a pass.

Comparing, sealing and expanding happen before, while no transaction is open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from broker.sync.plan import OccurrencePlan, Written
from broker.sync.rows import EventRow

ROWS_PER_STEP = 2_000

Item = TypeVar("Item")


@dataclass(slots=True)
class Step:
    """Rows to write together.

    *removed* holds uids of occurrences, and whether each counts as changed by it. *renewed* are
    events that say what they said, with another etag. *expanded* names series whose occurrences
    now reach the window's end, *postponed* those that must wait.
    """

    writes: list[Written] = field(default_factory=list)
    removed: list[tuple[bytes, bool]] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    deletes: list[bytes] = field(default_factory=list)
    renewed: list[EventRow] = field(default_factory=list)
    seen: list[bytes] = field(default_factory=list)
    expanded: list[bytes] = field(default_factory=list)
    postponed: list[bytes] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Count the rows that this touches."""
        return sum(map(len, self._lists()))

    @property
    def is_full(self) -> bool:
        """Tell whether this is enough for one transaction."""
        return self.size >= ROWS_PER_STEP

    def add(self, plan: OccurrencePlan, *, changed: bool) -> None:
        """Take in what a plan says; *changed* is whether what it removes counts as changed."""
        self.writes += plan.writes
        self.removed += [(uid, changed) for uid in plan.removed]

    def cut(self) -> Iterator[Step]:
        """Give this step, or several where it is too large for one transaction.

        Occurrences come first: an event whose etag is stored is not looked at again.
        """
        if self.size <= 2 * ROWS_PER_STEP:
            yield self
            return
        yield from _each(self.writes, lambda rows: Step(writes=rows))
        yield from _each(self.removed, lambda rows: Step(removed=rows))
        yield from _each(self.events, lambda rows: Step(events=rows))
        yield from _each(self.renewed, lambda rows: Step(renewed=rows))
        yield from _each(self.deletes, lambda rows: Step(deletes=rows))
        yield from _each(self.seen, lambda rows: Step(seen=rows))
        yield Step(expanded=self.expanded, postponed=self.postponed)

    def _lists(self) -> tuple[Sequence[object], ...]:
        return (
            self.writes,
            self.removed,
            self.events,
            self.deletes,
            self.renewed,
            self.seen,
            self.expanded,
            self.postponed,
        )


def _each(rows: list[Item], make: Callable[[list[Item]], Step]) -> Iterator[Step]:
    for start in range(0, len(rows), ROWS_PER_STEP):
        yield make(rows[start : start + ROWS_PER_STEP])
