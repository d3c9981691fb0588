"""The copy's rows: bulk reads and writes, in the caller's transaction.

Writes are `executemany` upserts: one statement, compiled once, 15 times faster than one
statement with many rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from broker.models import Event, Occurrence
from broker.models.base import table_of
from broker.sync.plan import Held, Known, OccurrencePlan

_EVENTS = table_of(Event)
_OCCURRENCES = table_of(Occurrence)
_CHUNK = 400
_ALL_ABOVE = 2000


class Rows:
    """The rows of one calendar's copy."""

    def __init__(self, session: Session, calendar_id: str) -> None:
        self._session = session
        self._calendar_id = calendar_id
        self._dialect = session.get_bind().dialect.name

    def count_events(self) -> int:
        """Count the events held, of any kind."""
        query = select(func.count()).select_from(_EVENTS).where(self._own_events)
        return int(self._session.scalar(query) or 0)

    def known(self, keys: Collection[bytes]) -> dict[bytes, Known]:
        """Read what is held of *keys* and of the series that they name."""
        columns = select(_EVENTS.c.key, _EVENTS.c.etag, _EVENTS.c.series_key)
        rows: dict[bytes, Known] = {}
        for chunk in _chunks(keys):
            query = columns.where(self._own_events)
            if chunk is not None:
                query = query.where(or_(_EVENTS.c.key.in_(chunk), _EVENTS.c.series_key.in_(chunk)))
            for key, etag, series_key in self._session.execute(query):
                rows[key] = Known(etag, series_key)
        return rows

    def stale(self, generation: int) -> dict[bytes, Known]:
        """Read the events that the full read *generation* has not seen."""
        query = select(_EVENTS.c.key, _EVENTS.c.etag, _EVENTS.c.series_key).where(
            self._own_events, _EVENTS.c.generation < generation
        )
        return {key: Known(etag, series) for key, etag, series in self._session.execute(query)}

    def sealed(self, keys: Collection[bytes]) -> Iterator[tuple[bytes, bytes | None, bytes]]:
        """Yield key, series key and sealed event of *keys*."""
        columns = select(_EVENTS.c.key, _EVENTS.c.series_key, _EVENTS.c.sealed)
        for chunk in _chunks(keys):
            query = columns.where(self._own_events)
            if chunk is not None:
                query = query.where(_EVENTS.c.key.in_(chunk))
            yield from self._session.execute(query)

    def series_keys(self) -> dict[bytes, Known]:
        """Read the masters and exceptions of the calendar."""
        query = select(_EVENTS.c.key, _EVENTS.c.etag, _EVENTS.c.series_key).where(
            self._own_events, or_(_EVENTS.c.recurring.is_(True), _EVENTS.c.series_key.is_not(None))
        )
        return {key: Known(etag, series) for key, etag, series in self._session.execute(query)}

    def held(self, event_keys: Collection[bytes], *, since: int) -> list[Held]:
        """Read the occurrences of these events that end after *since* (epoch seconds)."""
        table = _OCCURRENCES.c
        columns = select(
            table.uid,
            table.event_key,
            table.start_at,
            table.end_at,
            table.busy,
            table.deleted,
            table.past_start_at,
            table.past_end_at,
        ).where(table.calendar_id == self._calendar_id, table.end_at >= since)
        rows: list[Held] = []
        for chunk in _chunks(event_keys):
            query = columns if chunk is None else columns.where(table.event_key.in_(chunk))
            rows += [Held(*row) for row in self._session.execute(query)]
        return rows

    def write_events(self, rows: Sequence[dict[str, Any]]) -> None:
        """Insert or replace events."""
        if rows:
            self._session.execute(self._upsert(_EVENTS), rows)

    def mark_seen(self, keys: Collection[bytes], generation: int) -> None:
        """Note that the full read *generation* has seen these events."""
        statement = (
            update(_EVENTS)
            .where(
                _EVENTS.c.calendar_id == self._calendar_id,
                _EVENTS.c.key == bindparam("event_key"),
            )
            .values(generation=generation)
        )
        if keys:
            self._session.connection().execute(statement, [{"event_key": key} for key in keys])

    def delete_events(self, keys: Iterable[bytes]) -> None:
        """Remove events; their occurrences are the caller's to mark."""
        statement = delete(_EVENTS).where(
            _EVENTS.c.calendar_id == self._calendar_id, _EVENTS.c.key == bindparam("event_key")
        )
        rows = [{"event_key": key} for key in keys]
        if rows:
            self._session.connection().execute(statement, rows)

    def write_occurrences(self, plan: OccurrencePlan, *, at: int) -> None:
        """Write what the plan says; what is removed stays as a mark of its removal."""
        if plan.writes:
            common = {"calendar_id": self._calendar_id, "deleted": False}
            rows = [common | row._asdict() for row in plan.writes]
            self._session.execute(self._upsert(_OCCURRENCES), rows)
        if plan.removed:
            statement = (
                update(_OCCURRENCES)
                .where(
                    _OCCURRENCES.c.calendar_id == self._calendar_id,
                    _OCCURRENCES.c.uid == bindparam("removed_uid"),
                )
                .values(deleted=True, changed_at=at)
            )
            rows = [{"removed_uid": uid} for uid in plan.removed]
            self._session.connection().execute(statement, rows)

    def forget(self, *, before: int, removed_before: int) -> None:
        """Drop what ended before *before*, and marks of removal from before *removed_before*.

        Both in epoch seconds. Single events without an occurrence left go too.
        """
        table = _OCCURRENCES.c
        old = (table.end_at < before) | (
            table.deleted.is_(True) & (table.changed_at < removed_before)
        )
        self._session.execute(
            delete(_OCCURRENCES).where(table.calendar_id == self._calendar_id, old)
        )
        left = (
            select(1)
            .where(
                table.calendar_id == _EVENTS.c.calendar_id,
                table.event_key == _EVENTS.c.key,
                table.deleted.is_(False),
            )
            .exists()
        )
        self._session.execute(
            delete(_EVENTS).where(
                self._own_events,
                _EVENTS.c.recurring.is_(False),
                _EVENTS.c.series_key.is_(None),
                ~left,
            )
        )

    @property
    def _own_events(self) -> ColumnElement[bool]:
        return _EVENTS.c.calendar_id == self._calendar_id

    def _upsert(self, table: Any) -> Any:
        make = postgresql.insert if self._dialect == "postgresql" else sqlite.insert
        statement = make(table)
        keys = list(table.primary_key.columns)
        changed = {
            column.name: statement.excluded[column.name]
            for column in table.columns
            if column not in keys
        }
        return statement.on_conflict_do_update(index_elements=keys, set_=changed)


def _chunks(keys: Collection[bytes]) -> Iterator[list[bytes] | None]:
    """Cut keys for IN lists; a single None means: so many that all rows are read."""
    if len(keys) > _ALL_ABOVE:
        yield None
        return
    listed = list(keys)
    for start in range(0, len(listed), _CHUNK):
        yield listed[start : start + _CHUNK]
