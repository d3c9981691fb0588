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

from sqlalchemy import bindparam, update

from broker.crypto import DataKey
from broker.domain import Changes, window_at
from broker.errors import CursorExpired, MassDelete, ProtocolError
from broker.models import Calendar, Connection, transaction
from broker.models.base import UtcDateTime, table_of
from broker.providers.base import CalendarClient
from broker.services import connections, copies, credentials, initial_sync, polling, tasks
from broker.services.runtime import Runtime
from broker.services.tasks import Kind, Lease
from broker.sync.apply import Applied, Copy

log = logging.getLogger(__name__)

ASK_AGAIN = timedelta(seconds=60)
EVENTS_UNREADABLE = "events_unreadable"

_CALENDARS, _CONNECTIONS = table_of(Calendar), table_of(Connection)
_AT = bindparam("at", type_=UtcDateTime())
_CONNECTION_SYNCED = (
    update(_CONNECTIONS)
    .where(_CONNECTIONS.c.id == bindparam("synced"))
    .values(last_attempt_at=_AT, last_success_at=_AT, reason=None)
)


@dataclass(frozen=True, slots=True)
class Subject:
    """The calendar that a pass is about, as it was when the pass began."""

    calendar_id: str
    remote_id: str
    connection_id: str
    key: DataKey
    cursor: str | None
    generation: int
    skipped: int
    quiet_passes: int
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
    found = connections.of_calendar(lease.subject_id)
    if found is None or found[0].deleted_at or not connections.is_wanted(found[1]):
        with transaction() as session:
            tasks.finish(session, lease, None)
        return None
    calendar, connection = found
    key = connections.data_key(runtime.vault, connection)
    sealed = calendar.sealed_cursor
    place = f"calendars:{calendar.id}:cursor"
    return Subject(
        calendar_id=calendar.id,
        remote_id=connections.calendar_remote_id(key, calendar),
        connection_id=connection.id,
        key=key,
        cursor=key.open_text(sealed, place) if sealed else None,
        generation=calendar.generation,
        skipped=calendar.skipped,
        quiet_passes=calendar.quiet_passes,
        asked_before=calendar.held_back_at is not None,
        initially_synced=connection.initial_sync_at is not None,
    )


def _pass(runtime: Runtime, lease: Lease, subject: Subject) -> Applied:
    """Make one pass: every page in a transaction of its own, the cursor with the last."""

    def read(client: CalendarClient) -> Applied:
        generation = _begin(runtime, lease, subject)
        pages = client.changes(subject.remote_id, subject.cursor, window_at(lease.started_at))
        return _apply_pages(runtime, lease, subject, generation, pages)

    return credentials.with_client(runtime, subject.connection_id, read)


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
    at = lease.started_at
    unreadable = skipped if subject.cursor is None else subject.skipped + skipped
    reason = EVENTS_UNREADABLE if unreadable else None
    values: dict[str, object] = {
        "synced_through": at,
        "last_attempt_at": at,
        "held_back_at": None,
        "quiet_passes": quiet,
        "reason": copies.SERIES_WAITING if copy.is_behind else reason,
        "skipped": unreadable,
    }
    if page.cursor is not None and page.cursor != subject.cursor:
        place = f"calendars:{subject.calendar_id}:cursor"
        values["sealed_cursor"] = subject.key.seal_text(page.cursor, place)
    if page.tzid:
        values["tzid"] = page.tzid
    if subject.cursor is None:
        values |= {"full_read_at": at, "rolled_to": copy.window.end}
    with transaction() as session:
        connections.lock(session, [subject.connection_id])
        tasks.hold(session, lease, runtime.clock.now())
        if copy.is_behind:
            tasks.want(session, Kind.ROLL_WINDOW, subject.calendar_id, at, at + copies.GO_ON)
        own = _CALENDARS.c.id == subject.calendar_id
        session.execute(update(_CALENDARS).where(own).values(values))
        session.execute(_CONNECTION_SYNCED, {"synced": subject.connection_id, "at": at})
        if not subject.initially_synced:
            initial_sync.note(session, subject.connection_id, at)
        following = polling.next_poll(runtime, session, subject.calendar_id, quiet)
        tasks.finish(session, lease, following)


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
