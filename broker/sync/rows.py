"""The copy's rows: bulk reads and writes, in the caller's transaction.

Writes are `executemany` upserts: one statement, compiled once, 15 times faster than one
statement with many rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, func, select, union_all, update
from sqlalchemy.orm import Session

from broker.errors import CopyOvertaken
from broker.models import Calendar, Event, Occurrence
from broker.models.base import changed, table_of
from broker.models.upserts import insert_into
from broker.sync.plan import Held, Known, Written

_CALENDARS = table_of(Calendar)
_EVENTS = table_of(Event)
_OCCURRENCES = table_of(Occurrence)
_CHUNK = 400
_ALL_ABOVE = 2000


class Rows:
    """The rows of one calendar's copy."""

    def __init__(self, session: Session, calendar_id: str) -> None:
        self._session = session
        self._calendar_id = calendar_id

    def revision(self) -> int:
        """Read how often the copy was written: what is read after this is at least as new."""
        query = select(_CALENDARS.c.revision).where(_CALENDARS.c.id == self._calendar_id)
        return int(self._session.scalar(query) or 0)

    def begin_writing(self, revision: int) -> None:
        """Go on from *revision* to the next, and keep everybody else out until the end.

        Raises CopyOvertaken when somebody else has written since *revision* was read.
        """
        follow = (
            update(_CALENDARS)
            .where(_CALENDARS.c.id == self._calendar_id, _CALENDARS.c.revision == revision)
            .values(revision=revision + 1)
        )
        if not changed(self._session, follow):
            raise CopyOvertaken(self._calendar_id)

    def count_events(self) -> int:
        """Count the events held, of any kind."""
        query = select(func.count()).select_from(_EVENTS).where(self._own_events)
        return int(self._session.scalar(query) or 0)

    def known(self, keys: Collection[bytes]) -> dict[bytes, Known]:
        """Read what is held of *keys* and of the series that they name."""
        columns = select(_EVENTS.c.key, _EVENTS.c.etag, _EVENTS.c.series_key)
        own = columns.where(self._own_events)
        rows: dict[bytes, Known] = {}
        for chunk in _chunks(keys):
            # Asked about both at once, SQLite walks through the whole calendar for each chunk.
            query = own if chunk is None else union_all(
                own.where(_EVENTS.c.key.in_(chunk)), own.where(_EVENTS.c.series_key.in_(chunk))
            )  # fmt: skip
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

    def behind(self, end: int) -> list[tuple[bytes, bool]]:
        """Read which series do not reach *end* yet (epoch seconds), the most urgent first.

        Beside each key: whether the series still waits for its last change to show.
        """
        reach = func.coalesce(_EVENTS.c.expanded_to, 1)
        query = (
            select(_EVENTS.c.key, reach == 0)
            .where(self._own_events, _EVENTS.c.recurring.is_(True), reach < end)
            .order_by(reach)
        )
        return [(key, bool(waits)) for key, waits in self._session.execute(query)]

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
        self._mark(keys, {"generation": generation})

    def mark_expanded(self, keys: Collection[bytes], end: int) -> None:
        """Note that these series' occurrences reach *end* (epoch seconds), 0 that they wait."""
        self._mark(keys, {"expanded_to": end})

    def _mark(self, keys: Collection[bytes], values: dict[str, Any]) -> None:
        statement = (
            update(_EVENTS).where(self._own_events, _EVENTS.c.key == bindparam("event_key"))
        ).values(values)
        if keys:
            self._session.connection().execute(statement, [{"event_key": key} for key in keys])

    def delete_events(self, keys: Iterable[bytes]) -> None:
        """Remove events; their occurrences are the caller's to mark."""
        statement = delete(_EVENTS).where(self._own_events, _EVENTS.c.key == bindparam("event_key"))
        rows = [{"event_key": key} for key in keys]
        if rows:
            self._session.connection().execute(statement, rows)

    def write_occurrences(self, writes: Sequence[Written]) -> None:
        """Insert or replace occurrences."""
        common = {"calendar_id": self._calendar_id, "deleted": False}
        rows = [common | row._asdict() for row in writes]
        if rows:
            self._session.execute(self._upsert(_OCCURRENCES), rows)

    def remove_occurrences(self, removed: Iterable[tuple[bytes, int]]) -> None:
        """Leave a mark where an occurrence was, with when it was removed (epoch seconds)."""
        statement = (
            update(_OCCURRENCES)
            .where(
                _OCCURRENCES.c.calendar_id == self._calendar_id,
                _OCCURRENCES.c.uid == bindparam("removed_uid"),
            )
            .values(deleted=True, changed_at=bindparam("removed_at"))
        )
        rows = [{"removed_uid": uid, "removed_at": at} for uid, at in removed]
        if rows:
            self._session.connection().execute(statement, rows)

    def forget_occurrences(self, *, before: int, removed_before: int, limit: int) -> int:
        """Drop what ended before *before*, and marks of removal from before *removed_before*.

        Both in epoch seconds. Gives how many went, no more than *limit* at a time.
        """
        table = _OCCURRENCES.c
        old = (table.end_at < before) | (
            table.deleted.is_(True) & (table.changed_at < removed_before)
        )
        some = select(table.uid).where(table.calendar_id == self._calendar_id, old).limit(limit)
        own = delete(_OCCURRENCES).where(table.calendar_id == self._calendar_id)
        return changed(self._session, own.where(table.uid.in_(some)))

    def forget_events(self, *, limit: int) -> int:
        """Drop single events without an occurrence left; gives how many, at most *limit*."""
        table = _OCCURRENCES.c
        left = (
            select(1)
            .where(
                table.calendar_id == _EVENTS.c.calendar_id,
                table.event_key == _EVENTS.c.key,
                table.deleted.is_(False),
            )
            .exists()
        )
        single = _EVENTS.c.recurring.is_(False) & _EVENTS.c.series_key.is_(None)
        some = select(_EVENTS.c.key).where(self._own_events, single, ~left).limit(limit)
        return changed(
            self._session, delete(_EVENTS).where(self._own_events, _EVENTS.c.key.in_(some))
        )

    def purge(self, *, limit: int) -> int:
        """Drop events and occurrences, of any kind; gives how many, at most *limit*."""
        gone = 0
        for table, key in ((_OCCURRENCES, _OCCURRENCES.c.uid), (_EVENTS, _EVENTS.c.key)):
            own = table.c.calendar_id == self._calendar_id
            some = select(key).where(own).limit(limit - gone)
            gone += changed(self._session, delete(table).where(own, key.in_(some)))
        return gone

    @property
    def _own_events(self) -> ColumnElement[bool]:
        return _EVENTS.c.calendar_id == self._calendar_id

    def _upsert(self, table: Any) -> Any:
        statement = insert_into(self._session, table)
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
