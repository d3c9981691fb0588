"""What a provider said becomes rows, in steps that are written one short transaction each.

One `Copy` serves one pass over one calendar. It plans with what is held, outside of any
transaction, so that a calendar of thousands of rules keeps nobody from writing; a step that
somebody else has overtaken is not written. Expanding costs time, so a pass expands series up
to a limit and postpones the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from math import ceil

import msgspec
from sqlalchemy.orm import Session

from broker.crypto import DataKey, Vault
from broker.domain import Changes, RemoteEvent, Window
from broker.sync.families import FAMILIES_AT_ONCE, Family, batches, families_of
from broker.sync.keys import event_key, event_place
from broker.sync.occurrences import occurrences, series_of
from broker.sync.plan import (
    SMALL,
    Held,
    Keyed,
    Plan,
    check_removal,
    plan_occurrences,
    plan_page,
    says_the_same,
)
from broker.sync.rows import EventRow, Rows
from broker.sync.steps import ROWS_PER_STEP, Step

REMOVED_KEPT = timedelta(days=60)
# Of `expand.MAX_WORK`, which is about a second for one series: ten seconds, a few hundred
# thousand occurrences of ordinary series.
WORK_PER_PASS = 2_000_000

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(RemoteEvent)


@dataclass(frozen=True, slots=True)
class Applied:
    """How much a step changed, in events."""

    written: int = 0
    removed: int = 0

    @property
    def anything(self) -> bool:
        """Tell whether readers can see a difference."""
        return bool(self.written or self.removed)

    def __add__(self, other: Applied) -> Applied:
        return Applied(self.written + other.written, self.removed + other.removed)


@dataclass(slots=True)
class Copy:
    """Our copy of one calendar during one pass.

    *at* is the time, which whoever writes keeps up to date: what a step writes changed then.
    *asked_before* says that the provider is being asked again after wanting to remove much.
    *work_left* is what the pass may still spend on expanding; *is_behind* becomes true when
    that was not enough for all series.
    """

    vault: Vault
    key: DataKey
    calendar_id: str
    window: Window
    at: datetime
    asked_before: bool = False
    work_left: int = WORK_PER_PASS
    is_behind: bool = False
    _revision: int = 0
    _since: int = field(init=False)

    def __post_init__(self) -> None:
        self._since = int(self.window.start.timestamp())

    def page_steps(self, session: Session, page: Changes, generation: int) -> Iterator[Step]:
        """Plan one page, as part of the full read or of the copy of *generation*.

        Each step must have been written before the next is asked for. Raises MassDelete,
        before there is any, when the page removes too much.
        """
        rows = self._read(session)
        keyed = [self._keyed(event) for event in page.events]
        deleted = {event_key(self.vault, self.calendar_id, name) for name in page.deleted}
        skipped = {event_key(self.vault, self.calendar_id, name) for name in page.skipped}
        named = {item.family for item in keyed} | {item.key for item in keyed}
        known = rows.known(named | deleted | skipped)
        plan = plan_page(known, keyed, deleted, whole_series=page.whole_series, unreadable=skipped)
        if len(plan.deletes) > SMALL // 2:
            held = rows.count_events()
            check_removal(len(plan.deletes), held, asked_before=self.asked_before)
        renewed = self._renewed(rows, [item for key, item in plan.upserts.items() if key in known])
        if renewed:
            yield from Step(renewed=[self._row(item, generation) for item in renewed]).cut()
            same = {item.key for item in renewed}
            upserts = {key: item for key, item in plan.upserts.items() if key not in same}
            plan = replace(plan, upserts=upserts)
        if page.complete:
            left = {key for key, row in known.items() if {key, row.series_key} & skipped}
            if seen := list(plan.unchanged | left):
                yield from Step(seen=seen).cut()
        yield from self._steps(rows, families_of(known, plan), generation)

    def sweep_steps(self, session: Session, generation: int) -> Iterator[Step]:
        """Plan to remove what the complete full read *generation* has not seen.

        Raises MassDelete, before there is any step, when that is too much to believe.
        """
        rows = self._read(session)
        stale = rows.stale(generation)
        if not stale:
            return
        check_removal(len(stale), rows.count_events(), asked_before=self.asked_before)
        named = {held.series_key or key for key, held in stale.items()}
        known = rows.known(named | stale.keys())
        plan = Plan({}, frozenset(), frozenset(stale))
        yield from self._steps(rows, families_of(known, plan), generation)

    def roll_steps(self, session: Session) -> Iterator[Step]:
        """Plan to bring series to the window's end that do not reach it yet.

        What merely comes into view does not count as changed, so it carries no change time.
        """
        rows = self._read(session)
        waiting = dict(rows.behind(int(self.window.end.timestamp())))
        while waiting and self.work_left > 0:
            chosen = dict(islice(waiting.items(), FAMILIES_AT_ONCE))
            waiting = dict(islice(waiting.items(), len(chosen), None))
            families = {key: Family(waits=waits) for key, waits in chosen.items()}
            for key, held in rows.known(chosen.keys()).items():
                family = families.get(held.series_key or key)
                if family is not None:
                    family.members.append(key)
            yield from self._steps(rows, families, generation=0)
        self.is_behind |= bool(waiting)

    def write(self, session: Session, step: Step, generation: int = 0) -> Applied:
        """Write a step, in the caller's transaction.

        Raises CopyOvertaken, before anything is written, when it was planned from a state that
        is no longer the copy's.
        """
        rows = Rows(session, self.calendar_id)
        rows.begin_writing(self._revision)
        # Rounded up: not before it can be read.
        at = ceil(self.at.timestamp())
        rows.write_occurrences(step.writes, at)
        rows.remove_occurrences(step.removed, at)
        rows.write_events(step.events)
        rows.renew_events(step.renewed)
        rows.mark_seen(step.seen, generation)
        rows.delete_events(step.deletes)
        rows.mark_expanded(step.expanded, int(self.window.end.timestamp()))
        rows.mark_expanded(step.postponed, 0)
        self._revision += 1
        return Applied(len(step.events), len(step.deletes))

    def forget(self, session: Session) -> bool:
        """Forget some of what has left the window; tells whether there may be more."""
        rows = Rows(session, self.calendar_id)
        removed_before = int((self.at - REMOVED_KEPT).timestamp())
        forgotten = rows.forget_occurrences(
            before=self._since - 86_400, removed_before=removed_before, limit=ROWS_PER_STEP
        )
        if forgotten < ROWS_PER_STEP:
            forgotten = rows.forget_events(limit=ROWS_PER_STEP)
        return forgotten == ROWS_PER_STEP

    def _read(self, session: Session) -> Rows:
        rows = Rows(session, self.calendar_id)
        self._revision = rows.revision()
        return rows

    def _steps(
        self, rows: Rows, families: Mapping[bytes, Family], generation: int
    ) -> Iterator[Step]:
        """Plan what brings whole families up to date; no family is left half written."""
        step = Step()
        for batch in batches(families):
            stored = self._stored(rows, batch)
            held = self._held(rows, batch)
            for name, family in batch.items():
                items = [*family.upserts, *stored.get(name, ())]
                self._plan(step, name, family, items, held.get(name, []))
                step.events += [self._row(item, generation) for item in family.upserts]
                step.deletes += family.gone
                if step.is_full:
                    yield from step.cut()
                    step = Step()
        if step.size:
            yield from step.cut()

    def _plan(
        self, step: Step, name: bytes, family: Family, items: list[Keyed], held: list[Held]
    ) -> None:
        """Add the occurrences of one family to *step*, or that they must wait."""
        touched = {item.key for item in (items if family.waits else family.upserts)}
        changed = bool(family.upserts or family.gone or family.waits)
        if self.work_left <= 0 and series_of(items) is not None:
            self.is_behind = True
            gone = set(family.gone)
            away = [row.uid for row in held if row.event_key in gone and not row.deleted]
            step.removed += [(uid, changed) for uid in away]
            step.postponed += [name] if changed else []
            return
        found = occurrences(self.vault, self.calendar_id, items, self.window)
        self.work_left -= found.work
        plan = plan_occurrences(
            held, found.wanted, touched=touched, since=self._since, changed=changed
        )
        step.add(plan, changed=changed)
        if found.of_series:
            step.expanded.append(name)

    def _renewed(self, rows: Rows, items: Sequence[Keyed]) -> list[Keyed]:
        """Find, of events with another etag, those that still say what they said."""
        waiting = {item.key: item for item in items}
        found: list[Keyed] = []
        for key, series_key, sealed in rows.sealed(list(waiting)):
            item = waiting[key]
            if series_key == item.series_key and says_the_same(self._open(key, sealed), item.event):
                found.append(item)
        return found

    def _open(self, key: bytes, sealed: bytes) -> RemoteEvent:
        return _decoder.decode(self.key.open(sealed, event_place(self.calendar_id, key)))

    def _stored(self, rows: Rows, batch: Mapping[bytes, Family]) -> dict[bytes, list[Keyed]]:
        """Open the members that are neither replaced nor gone, by family."""
        wanted: dict[bytes, bytes] = {}
        for name, family in batch.items():
            new = {item.key for item in family.upserts}.union(family.gone)
            wanted.update((key, name) for key in family.members if key not in new)
        found: dict[bytes, list[Keyed]] = {}
        for key, series_key, sealed in rows.sealed(list(wanted)):
            if key in wanted:
                item = Keyed(key, series_key, self._open(key, sealed))
                found.setdefault(wanted[key], []).append(item)
        return found

    def _held(self, rows: Rows, batch: Mapping[bytes, Family]) -> dict[bytes, list[Held]]:
        """Read the occurrences that these families have, by family."""
        owner = {key: name for name, family in batch.items() for key in family.members}
        if not owner:
            return {}
        owner |= {item.key: name for name, family in batch.items() for item in family.upserts}
        found: dict[bytes, list[Held]] = {}
        for row in rows.held(owner, since=self._since):
            if row.event_key in owner:
                found.setdefault(owner[row.event_key], []).append(row)
        return found

    def _keyed(self, event: RemoteEvent) -> Keyed:
        key = event_key(self.vault, self.calendar_id, event.remote_id)
        if event.series_id is None:
            return Keyed(key, None, event)
        return Keyed(key, event_key(self.vault, self.calendar_id, event.series_id), event)

    def _row(self, item: Keyed, generation: int) -> EventRow:
        event = item.event
        place = event_place(self.calendar_id, item.key)
        return EventRow(
            key=item.key,
            series_key=item.series_key,
            etag=event.etag,
            generation=generation,
            recurring=bool(event.recurrence),
            cancelled=event.cancelled,
            sealed=self.key.seal(_encoder.encode(event), place),
            expanded_to=None,
        )
