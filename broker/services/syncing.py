"""Keeping the copy fresh: reading what changed in a calendar.

Each step is one short transaction that begins with `tasks.hold`, so that only the lease's owner
writes. A pass that dies leaves what it has written; the next one repeats it harmlessly.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, cast

from sqlalchemy import BindParameter, ColumnElement, bindparam, func, select, update

from broker.crypto import DataKey
from broker.domain import Changes, window_at
from broker.errors import CursorExpired, MassDelete, ProtocolError
from broker.models import Calendar, Connection, at_once, transaction
from broker.models.base import UtcDateTime, table_of
from broker.models.ready import Ready
from broker.providers.base import CalendarClient
from broker.services import connections, copies, credentials, initial_sync, polling, tasks
from broker.services.runtime import Runtime
from broker.services.tasks import Kind, Lease
from broker.sync.apply import Applied, Copy

log = logging.getLogger(__name__)

ASK_AGAIN = timedelta(seconds=60)
EVENTS_UNREADABLE = "events_unreadable"

_CALENDARS, _CONNECTIONS = table_of(Calendar), table_of(Connection)
_CALENDAR = _CALENDARS.c.id == bindparam("calendar")
_SUBJECT = Ready(
    select(
        *credentials.COLUMNS,
        _CONNECTIONS.c.initial_sync_at,
        _CALENDARS.c.sealed_remote_id,
        _CALENDARS.c.sealed_cursor,
        _CALENDARS.c.generation,
        _CALENDARS.c.skipped,
        _CALENDARS.c.quiet_passes,
        _CALENDARS.c.held_back_at,
        polling.IS_PUSHED,
    )
    .join_from(_CALENDARS, _CONNECTIONS)
    .where(_CALENDAR, _CALENDARS.c.deleted_at.is_(None), *connections.WANTED)
)
_AT = bindparam("at", type_=UtcDateTime())


def _new(column: str) -> BindParameter[Any]:
    return bindparam(column, type_=_CALENDARS.c[column].type)


def _if_any(column: str) -> ColumnElement[Any]:
    return func.coalesce(_new(column), _CALENDARS.c[column])


_CALENDAR_SYNCED = Ready(
    update(_CALENDARS)
    .where(_CALENDAR)
    .values(
        synced_through=_AT,
        last_attempt_at=_AT,
        held_back_at=None,
        reason=_new("reason"),
        skipped=_new("skipped"),
        quiet_passes=_new("quiet_passes"),
        sealed_cursor=_if_any("sealed_cursor"),
        tzid=_if_any("tzid"),
        full_read_at=_if_any("full_read_at"),
        rolled_to=_if_any("rolled_to"),
    )
)


@dataclass(frozen=True, slots=True)
class Subject:
    """The calendar that a pass is about, as it was when the pass began.

    *connection* is as `credentials` reads it.
    """

    calendar_id: str
    remote_id: str
    connection: Connection
    key: DataKey
    cursor: str | None
    generation: int
    skipped: int
    quiet_passes: int
    is_pushed: bool
    asked_before: bool
    initially_synced: bool


def sync_calendar(runtime: Runtime, lease: Lease) -> None:
    """Read what changed in one calendar and bring the copy up to date.

    Raises whatever the provider's client raises; nothing of the copy is lost by it.
    """
    subject = _subject(runtime, lease)
    if subject is None:
        return
    try:
        try:
            applied = _pass(runtime, lease, subject)
        except CursorExpired:
            log.info("cursor expired", extra={"calendar": subject.calendar_id})
            subject = replace(subject, cursor=None)
            applied = _pass(runtime, lease, subject)
    except MassDelete as error:
        _hold_back(runtime, lease, subject, error)
        return
    log.info(
        "calendar synced",
        extra={
            "calendar": subject.calendar_id,
            "written": applied.written,
            "removed": applied.removed,
            "full": subject.cursor is None,
        },
    )


def _subject(runtime: Runtime, lease: Lease) -> Subject | None:
    """Read what a pass needs to know; None, and the task's end, where nobody wants it."""
    calendar_id = lease.subject_id
    with at_once() as database:
        row = _SUBJECT.first(database, calendar=calendar_id, now=lease.started_at)
    if row is None:
        with transaction() as session:
            tasks.finish(session, lease, None)
        return None
    connection = cast(Connection, row)
    key = connections.data_key(runtime.vault, connection)
    place, sealed = f"calendars:{calendar_id}:cursor", row.sealed_cursor
    return Subject(
        calendar_id=calendar_id,
        remote_id=connections.calendar_remote_id(key, calendar_id, row.sealed_remote_id),
        connection=connection,
        key=key,
        cursor=key.open_text(sealed, place) if sealed else None,
        generation=row.generation,
        skipped=row.skipped,
        quiet_passes=row.quiet_passes,
        is_pushed=row.is_pushed,
        asked_before=row.held_back_at is not None,
        initially_synced=row.initial_sync_at is not None,
    )


def _pass(runtime: Runtime, lease: Lease, subject: Subject) -> Applied:
    """Make one pass: every page in a transaction of its own, the cursor with the last."""

    def read(client: CalendarClient) -> Applied:
        generation = _begin(runtime, lease, subject)
        pages = client.changes(subject.remote_id, subject.cursor, window_at(lease.started_at))
        return _apply_pages(runtime, lease, subject, generation, pages)

    connection = subject.connection
    return credentials.with_client(runtime, connection.id, read, seen=connection)


def _begin(runtime: Runtime, lease: Lease, subject: Subject) -> int:
    """Open a new generation for a full read, so that an aborted one cannot be mistaken for it."""
    if subject.cursor is not None:
        return subject.generation
    with transaction() as session:
        tasks.hold(session, lease, runtime.clock.now())
        statement = (
            update(Calendar)
            .where(Calendar.id == subject.calendar_id)
            .values(generation=Calendar.generation + 1)
            .returning(Calendar.generation)
        )
        return int(session.scalar(statement) or 0)


def _apply_pages(
    runtime: Runtime,
    lease: Lease,
    subject: Subject,
    generation: int,
    pages: Iterator[Changes],
) -> Applied:
    copy = copies.copy_of(runtime, lease, subject.key, subject.calendar_id)
    copy.asked_before = subject.asked_before
    total, skipped = Applied(), 0
    for page in _removals_last(pages):
        lease.get_on()
        skipped += len(page.skipped)
        if page.events or page.deleted or page.skipped:
            plan = partial(copy.page_steps, page=page, generation=generation)
            total += copies.write(runtime, lease, copy, plan, generation)
        if page.cursor is not None:
            if page.complete:
                plan = partial(copy.sweep_steps, generation=generation)
                total += copies.write(runtime, lease, copy, plan, generation)
            quiet = polling.quiet_after(subject.quiet_passes, changed=total.anything)
            _record(runtime, lease, subject, page, skipped=skipped, quiet=quiet, copy=copy)
            return total
    raise ProtocolError("broker", "changes", detail="no cursor on the last page")


def _removals_last(pages: Iterator[Changes]) -> Iterator[Changes]:
    """Bring what all pages remove with the last one, so that it can be weighed as a whole."""
    gone: set[str] = set()
    for page in pages:
        gone = (gone - {event.remote_id for event in page.events}) | page.deleted
        yield replace(page, deleted=frozenset(gone if page.cursor is not None else ()))


def _record(
    runtime: Runtime,
    lease: Lease,
    subject: Subject,
    page: Changes,
    *,
    skipped: int,
    quiet: int,
    copy: Copy,
) -> None:
    """End a pass: cursor, status and the next date, once all that it brought is written."""
    at, calendar_id = lease.started_at, subject.calendar_id
    was_full = subject.cursor is None
    unreadable = skipped if was_full else subject.skipped + skipped
    reason = EVENTS_UNREADABLE if unreadable else None
    synced: dict[str, Any] = {
        "calendar": calendar_id,
        "at": at,
        "reason": copies.SERIES_WAITING if copy.is_behind else reason,
        "skipped": unreadable,
        "quiet_passes": quiet,
        "sealed_cursor": _sealed_cursor(subject, page),
        "tzid": page.tzid or None,
        "full_read_at": at if was_full else None,
        "rolled_to": copy.window.end if was_full else None,
    }
    following = polling.next_poll(runtime, quiet, is_pushed=subject.is_pushed)
    with transaction() as session:
        if copy.is_behind or not subject.initially_synced:
            # More is written than this task and its calendar.
            connections.lock(session, [subject.connection.id])
        database = session.connection()
        tasks.conclude(database, lease, following)
        _CALENDAR_SYNCED.changed(database, **synced)
        if copy.is_behind:
            tasks.want(session, Kind.ROLL_WINDOW, calendar_id, at, at + copies.GO_ON)
        if not subject.initially_synced:
            initial_sync.note(session, subject.connection.id, at)


def _sealed_cursor(subject: Subject, page: Changes) -> bytes | None:
    """Seal the cursor that a pass brought; None when it is where it was."""
    if page.cursor is None or page.cursor == subject.cursor:
        return None
    return subject.key.seal_text(page.cursor, f"calendars:{subject.calendar_id}:cursor")


def _hold_back(runtime: Runtime, lease: Lease, subject: Subject, error: MassDelete) -> None:
    """Ask again before believing a large removal; what we hold stays until then."""
    log.warning(
        "large removal held back",
        extra={"calendar": subject.calendar_id, "removed": error.removed, "held": error.held},
    )
    with transaction() as session:
        tasks.hold(session, lease, runtime.clock.now())
        calendar = session.get_one(Calendar, subject.calendar_id)
        calendar.held_back_at = lease.started_at
        calendar.last_attempt_at = lease.started_at
        calendar.reason = tasks.HELD_BACK
        tasks.finish(session, lease, runtime.clock.now() + ASK_AGAIN)
