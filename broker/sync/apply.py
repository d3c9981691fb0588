"""What a provider said becomes rows, in the caller's transaction.

One `Copy` serves one pass over one calendar. It plans with what is held, writes events, and
brings the occurrences of every family that was touched up to date.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy.orm import Session

from broker.crypto import DataKey, Vault
from broker.domain import Changes, RemoteEvent, Window
from broker.sync.keys import event_key, event_place
from broker.sync.occurrences import occurrences
from broker.sync.plan import (
    SMALL,
    Keyed,
    Known,
    OccurrencePlan,
    check_removal,
    plan_occurrences,
    plan_page,
)
from broker.sync.rows import Rows

REMOVED_KEPT = timedelta(days=60)

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


@dataclass(frozen=True, slots=True)
class Copy:
    """Our copy of one calendar during one pass, which began at *at*.

    *asked_before* says that the provider is being asked again after wanting to remove much.
    """

    vault: Vault
    key: DataKey
    calendar_id: str
    window: Window
    at: datetime
    asked_before: bool = False

    def apply(self, session: Session, page: Changes, generation: int) -> Applied:
        """Write one page, as part of the full read or of the copy of *generation*.

        Raises MassDelete, before anything is written, when the page removes too much.
        """
        rows = Rows(session, self.calendar_id)
        keyed = [self._keyed(event) for event in page.events]
        deleted = {event_key(self.vault, self.calendar_id, name) for name in page.deleted}
        skipped = {event_key(self.vault, self.calendar_id, name) for name in page.skipped}
        named = {item.family for item in keyed} | {item.key for item in keyed}
        known = rows.known(named | deleted | skipped)
        plan = plan_page(known, keyed, deleted, whole_series=page.whole_series, unreadable=skipped)
        if len(plan.deletes) > SMALL // 2:
            held = rows.count_events()
            check_removal(len(plan.deletes), held, asked_before=self.asked_before)
        rows.write_events([self._row(item, generation) for item in plan.upserts.values()])
        if page.complete:
            left = {key for key, row in known.items() if {key, row.series_key} & skipped}
            rows.mark_seen(plan.unchanged | left, generation)
        rows.delete_events(plan.deletes)
        touched = {item.family for item in plan.upserts.values()}
        touched |= {known[key].series_key or key for key in plan.deletes}
        members = {key: row for key, row in known.items() if (row.series_key or key) in touched}
        self._materialise(rows, members, plan.upserts, plan.deletes)
        return Applied(len(plan.upserts), len(plan.deletes))

    def sweep(self, session: Session, generation: int) -> Applied:
        """Remove what the complete full read *generation* has not seen.

        Raises MassDelete, before anything is removed, when that is too much to believe.
        """
        rows = Rows(session, self.calendar_id)
        stale = rows.stale(generation)
        if not stale:
            return Applied()
        check_removal(len(stale), rows.count_events(), asked_before=self.asked_before)
        families = {held.series_key or key for key, held in stale.items()}
        known = rows.known(families | stale.keys())
        rows.delete_events(stale)
        self._materialise(rows, known, {}, stale.keys())
        return Applied(removed=len(stale))

    def roll(self, session: Session) -> None:
        """Move the window on: add the occurrences that came into it, forget what left it.

        What merely comes into view does not count as changed, so it carries no change time.
        """
        rows = Rows(session, self.calendar_id)
        known = rows.series_keys()
        self._materialise(rows, known, {}, (), at=0)
        since = int(self.window.start.timestamp())
        removed_before = int((self.at - REMOVED_KEPT).timestamp())
        rows.forget(before=since - 86_400, removed_before=removed_before)

    def _materialise(
        self,
        rows: Rows,
        members: Mapping[bytes, Known],
        upserts: Mapping[bytes, Keyed],
        gone: Collection[bytes],
        *,
        at: int | None = None,
    ) -> None:
        """Bring the occurrences of whole families up to date.

        *members* is all that was held of these families, *gone* what of it is no more.
        """
        families = self._families(rows, members, upserts, gone)
        moment = int(self.at.timestamp()) if at is None else at
        plan = self._plan(rows, members, upserts, families, moment)
        rows.write_occurrences(plan, at=moment)

    def _families(
        self,
        rows: Rows,
        members: Mapping[bytes, Known],
        upserts: Mapping[bytes, Keyed],
        gone: Collection[bytes],
    ) -> dict[bytes, list[Keyed]]:
        families: dict[bytes, list[Keyed]] = defaultdict(list)
        for item in upserts.values():
            families[item.family].append(item)
        stored = [key for key in members if key not in upserts and key not in gone]
        wanted = set(stored)
        for key, series_key, sealed in rows.sealed(stored):
            if key in wanted:
                plain = self.key.open(sealed, event_place(self.calendar_id, key))
                item = Keyed(key, series_key, _decoder.decode(plain))
                families[item.family].append(item)
        return families

    def _plan(
        self,
        rows: Rows,
        members: Mapping[bytes, Known],
        upserts: Mapping[bytes, Keyed],
        families: Mapping[bytes, list[Keyed]],
        at: int,
    ) -> OccurrencePlan:
        since = int(self.window.start.timestamp())
        keys = members.keys() | upserts.keys()
        held = rows.held(keys, since=since) if members else []
        wanted = (
            occurrence
            for family in families.values()
            for occurrence in occurrences(self.vault, self.calendar_id, family, self.window)
        )
        own = (row for row in held if row.event_key in keys)
        return plan_occurrences(own, wanted, touched=upserts.keys(), since=since, at=at)

    def _keyed(self, event: RemoteEvent) -> Keyed:
        key = event_key(self.vault, self.calendar_id, event.remote_id)
        if event.series_id is None:
            return Keyed(key, None, event)
        return Keyed(key, event_key(self.vault, self.calendar_id, event.series_id), event)

    def _row(self, item: Keyed, generation: int) -> dict[str, Any]:
        event = item.event
        place = event_place(self.calendar_id, item.key)
        return {
            "calendar_id": self.calendar_id,
            "key": item.key,
            "series_key": item.series_key,
            "etag": event.etag,
            "generation": generation,
            "recurring": bool(event.recurrence),
            "cancelled": event.cancelled,
            "sealed": self.key.seal(_encoder.encode(event), place),
        }
