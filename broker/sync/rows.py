"""The copy's rows: bulk reads and writes, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Executable,
    Integer,
    bindparam,
    delete,
    func,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from broker.errors import CopyOvertaken
from broker.models import Calendar, Event, Occurrence
from broker.models.base import changed, table_of
from broker.models.bulk import Replacing, among, end_to_end
from broker.sync.plan import Held, Known, Written

_CALENDARS = table_of(Calendar)
_EVENTS = table_of(Event)
_OCCURRENCES = table_of(Occurrence)


class EventRow(NamedTuple):
    """An event to write. Field names are those of the table."""

    key: bytes
    series_key: bytes | None
    etag: str
    generation: int
    recurring: bool
    cancelled: bool
    sealed: bytes
    expanded_to: int | None


# Built once: building a statement costs more than running it.
_OWN_EVENTS = _EVENTS.c.calendar_id == bindparam("own")
_OWN_OCCURRENCES = _OCCURRENCES.c.calendar_id == bindparam("own")
_REVISION = select(_CALENDARS.c.revision).where(_CALENDARS.c.id == bindparam("own"))
_BEFORE = bindparam("before", type_=Integer())
_FOLLOW = (
    update(_CALENDARS)
    .where(_CALENDARS.c.id == bindparam("own"), _CALENDARS.c.revision == _BEFORE)
    .values(revision=_BEFORE + 1)
)
_KNOWN = select(_EVENTS.c.key, _EVENTS.c.etag, _EVENTS.c.series_key).where(_OWN_EVENTS)
# Asked about both at once, SQLite walks through the whole calendar.
_FAMILIES = union_all(_KNOWN.where(among(_EVENTS.c.key)), _KNOWN.where(among(_EVENTS.c.series_key)))
_STALE = _KNOWN.where(_EVENTS.c.generation < bindparam("generation"))
_SEALED = select(_EVENTS.c.key, _EVENTS.c.series_key, _EVENTS.c.sealed).where(
    _OWN_EVENTS, among(_EVENTS.c.key)
)
_HELD = select(*(_OCCURRENCES.c[name] for name in Held._fields)).where(
    _OWN_OCCURRENCES, _OCCURRENCES.c.end_at >= bindparam("since"), among(_OCCURRENCES.c.event_key)
)
_CHANGE_EVENTS = update(_EVENTS).where(_OWN_EVENTS, among(_EVENTS.c.key))
_MARK_SEEN = _CHANGE_EVENTS.values(generation=bindparam("seen"))
_MARK_EXPANDED = _CHANGE_EVENTS.values(expanded_to=bindparam("reach"))
_DELETE_EVENTS = delete(_EVENTS).where(_OWN_EVENTS, among(_EVENTS.c.key))
_REMOVE = (
    update(_OCCURRENCES)
    .where(_OWN_OCCURRENCES, among(_OCCURRENCES.c.uid))
    .values(deleted=True, changed_at=bindparam("removed_at"))
)
_CHANGE = (
    update(_OCCURRENCES)
    .where(_OWN_OCCURRENCES, _OCCURRENCES.c.deleted.is_(False))
    .values(changed_at=bindparam("changed"))
)
_REPLACE_EVENTS = Replacing(_EVENTS, ("calendar_id", *EventRow._fields))
_RENEW_EVENTS = Replacing(_EVENTS, ("calendar_id", *EventRow._fields[:-1]))
_REPLACE_OCCURRENCES = Replacing(
    _OCCURRENCES, ("calendar_id", "deleted", *Written._fields[:-1], "changed_at")
)


class Rows:
    """The rows of one calendar's copy."""

    def __init__(self, session: Session, calendar_id: str) -> None:
        self._session = session
        self._calendar_id = calendar_id

    def revision(self) -> int:
        """Read how often the copy was written: what is read after this is at least as new."""
        return int(self._execute(_REVISION).scalar() or 0)

    def begin_writing(self, revision: int) -> None:
        """Go on from *revision* to the next, and keep everybody else out until the end.

        Raises CopyOvertaken when somebody else has written since *revision* was read.
        """
        if not self._execute(_FOLLOW, before=revision).rowcount:
            raise CopyOvertaken(self._calendar_id)

    def count_events(self) -> int:
        """Count the events held, of any kind."""
        query = select(func.count()).select_from(_EVENTS).where(self._own_events)
        return int(self._session.scalar(query) or 0)

    def known(self, keys: Collection[bytes]) -> dict[bytes, Known]:
        """Read what is held of *keys* and of the series that they name."""
        found = self._read(_FAMILIES, **end_to_end(keys))
        return {key: Known(etag, series_key) for key, etag, series_key in found}

    def stale(self, generation: int) -> dict[bytes, Known]:
        """Read the events that the full read *generation* has not seen."""
        found = self._read(_STALE, generation=generation)
        return {key: Known(etag, series_key) for key, etag, series_key in found}

    def sealed(self, keys: Collection[bytes]) -> Iterable[tuple[bytes, bytes | None, bytes]]:
        """Give key, series key and sealed event of *keys*."""
        return self._read(_SEALED, **end_to_end(keys)) if keys else ()

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
        found = self._read(_HELD, since=since, **end_to_end(event_keys))
        return [Held(*row) for row in found]

    def write_events(self, rows: Iterable[EventRow]) -> None:
        """Insert or replace events."""
        own = (self._calendar_id,)
        _REPLACE_EVENTS.write(self._session, [own + row for row in rows])

    def renew_events(self, rows: Iterable[EventRow]) -> None:
        """Replace events whose occurrences stay as they are, however far they reach."""
        own = (self._calendar_id,)
        _RENEW_EVENTS.write(self._session, [own + row[:-1] for row in rows])

    def mark_seen(self, keys: Collection[bytes], generation: int) -> None:
        """Note that the full read *generation* has seen these events."""
        if keys:
            self._execute(_MARK_SEEN, seen=generation, **end_to_end(keys))

    def mark_expanded(self, keys: Collection[bytes], end: int) -> None:
        """Note that these series' occurrences reach *end* (epoch seconds), 0 that they wait."""
        if keys:
            self._execute(_MARK_EXPANDED, reach=end, **end_to_end(keys))

    def delete_events(self, keys: Collection[bytes]) -> None:
        """Remove events; their occurrences are the caller's to mark."""
        if keys:
            self._execute(_DELETE_EVENTS, **end_to_end(keys))

    def write_occurrences(self, writes: Iterable[Written], at: int) -> None:
        """Insert or replace occurrences; what counts as changed was so *at* (epoch seconds)."""
        own = (self._calendar_id, False)
        rows = [own + row[:-1] + (at if row.changed else 0,) for row in writes]
        _REPLACE_OCCURRENCES.write(self._session, rows)

    def remove_occurrences(self, removed: Iterable[tuple[bytes, bool]], at: int) -> None:
        """Leave marks where occurrences were; *at* (epoch seconds) dates what counts as changed."""
        for counts, together in groupby(removed, itemgetter(1)):
            uids = end_to_end(uid for uid, _ in together)
            self._execute(_REMOVE, removed_at=at if counts else 0, **uids)

    def mark_changed(self, at: int) -> None:
        """Let every occurrence that is there count as changed *at* (epoch seconds)."""
        self._execute(_CHANGE, changed=at)

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

    def _read(self, statement: Executable, **values: object) -> Iterable[Any]:
        return self._execute(statement, **values)

    def _execute(self, statement: Executable, **values: object) -> CursorResult[Any]:
        connection = self._session.connection()
        return connection.execute(statement, {"own": self._calendar_id, **values})
