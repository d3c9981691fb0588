"""Which calendars a connection has: found, renamed, gone."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import select
from sqlalchemy.orm import Session

from broker.crypto import DataKey
from broker.domain import RemoteCalendar
from broker.errors import LeaseLost
from broker.ids import jitter, new_id
from broker.models import Calendar, Connection, transaction
from broker.providers.base import CalendarClient, ListeningProvider, PushProvider
from broker.services import connections, tasks
from broker.services.credentials import with_client
from broker.services.runtime import Runtime
from broker.services.tasks import Kind, Lease
from broker.sync.rows import Rows

log = logging.getLogger(__name__)

LIST_EVERY = timedelta(hours=1)
ASK_AGAIN = timedelta(seconds=60)


def list_calendars(runtime: Runtime, lease: Lease) -> None:
    """Bring the list of a connection's calendars up to date, and sync the new ones.

    A listing that fails changes nothing: calendars that are known go on being synced.
    """

    def read(client: CalendarClient) -> list[RemoteCalendar]:
        return client.calendars()

    found = with_client(runtime, lease.subject_id, read)
    now = runtime.clock.now()
    with transaction() as session:
        connections.lock(session, [lease.subject_id])
        tasks.hold(session, lease, now)
        connection = session.get(Connection, lease.subject_id)
        if connection is None:
            raise LeaseLost(lease.kind.value)
        if not _is_believable(runtime, session, connection, found, lease):
            connection.reason = tasks.HELD_BACK
            tasks.finish(session, lease, now + ASK_AGAIN, reason=tasks.HELD_BACK)
            return
        wanted = store(runtime, session, connection, found, now)
        if not found and connection.initial_sync_at is None:
            connection.initial_sync_at = now
        connection.last_attempt_at = connection.last_success_at = now
        connection.reason = None
        tasks.finish(session, lease, now + LIST_EVERY * jitter())
    runtime.queue.announce(wanted)


def _is_believable(
    runtime: Runtime,
    session: Session,
    connection: Connection,
    found: list[RemoteCalendar],
    lease: Lease,
) -> bool:
    """Tell whether a listing may be acted on: one without most of what we hold is asked twice."""
    query = select(Calendar.remote_digest).where(
        Calendar.connection_id == connection.id, Calendar.deleted_at.is_(None)
    )
    held = set(session.scalars(query))
    named = {runtime.vault.digest("calendar", connection.id, remote.remote_id) for remote in found}
    lost = len(held - named)
    return lost * 2 <= len(held) or lost == 1 or tasks.reason(session, lease) == tasks.HELD_BACK


def store(
    runtime: Runtime,
    session: Session,
    connection: Connection,
    found: list[RemoteCalendar],
    now: datetime,
) -> list[str]:
    """Write a complete listing, in the caller's transaction; gives tasks to announce."""
    key = connections.data_key(runtime.vault, connection)
    query = select(Calendar).where(Calendar.connection_id == connection.id)
    held = {calendar.remote_digest: calendar for calendar in session.scalars(query)}
    tasks.lock(session, [calendar.id for calendar in held.values()])
    wanted: list[str] = []
    for remote in found:
        digest = runtime.vault.digest("calendar", connection.id, remote.remote_id)
        calendar = held.pop(digest, None)
        if calendar is None or calendar.deleted_at is not None:
            if calendar is None:
                calendar = _new(session, connection, key, digest, remote)
            else:
                _bring_back(session, calendar, now)
            wanted += _start(runtime, session, connection, calendar.id, now)
        _describe(key, calendar, remote)
    for calendar in held.values():
        if calendar.deleted_at is None:
            calendar.deleted_at = now
            tasks.drop(session, _CALENDAR_TASKS, [calendar.id])
            log.info("calendar gone", extra={"calendar": calendar.id})
    return wanted


def _bring_back(session: Session, calendar: Calendar, now: datetime) -> None:
    """Show again what a calendar held; all of that changes, as it did when the calendar went.

    In one transaction, however much it is: this is rare, and nobody else writes to it now.
    """
    calendar.deleted_at = None
    calendar.revision = Calendar.revision + 1
    Rows(session, calendar.id).mark_changed(ceil(now.timestamp()))
    log.info("calendar is back", extra={"calendar": calendar.id})


_CALENDAR_TASKS = (Kind.SYNC_CALENDAR, Kind.ROLL_WINDOW, Kind.SUBSCRIBE)


def start_all(
    runtime: Runtime, session: Session, connection: Connection, now: datetime
) -> list[str]:
    """Want every task of a connection that has just been connected; gives those for now.

    Its calendars were listed a moment ago, to prove the login: if there were any, there is time.
    """
    query = select(Calendar.id).where(
        Calendar.connection_id == connection.id, Calendar.deleted_at.is_(None)
    )
    calendar_ids = session.scalars(query).all()
    listed_at = now + LIST_EVERY * jitter() if calendar_ids else now
    login_id = connections.login_in_turns(runtime, connection.provider, connection.id)
    listing = tasks.want(
        session, Kind.LIST_CALENDARS, connection.id, now, listed_at, login_id=login_id
    )
    wanted = [] if calendar_ids else [listing]
    for calendar_id in calendar_ids:
        wanted += _start(runtime, session, connection, calendar_id, now)
    return wanted


def stop_all(session: Session, connection_id: str) -> None:
    """Forget every task of a connection, in the caller's transaction."""
    query = select(Calendar.id).where(Calendar.connection_id == connection_id)
    tasks.drop(session, _CALENDAR_TASKS, session.scalars(query).all())
    tasks.drop(session, (Kind.LIST_CALENDARS, Kind.LISTEN), [connection_id])


def _new(
    session: Session, connection: Connection, key: DataKey, digest: bytes, remote: RemoteCalendar
) -> Calendar:
    calendar_id = new_id("cal")
    calendar = Calendar(
        id=calendar_id,
        connection_id=connection.id,
        remote_digest=digest,
        sealed_remote_id=key.seal_text(remote.remote_id, f"calendars:{calendar_id}:remote_id"),
        sealed_name=key.seal_text(remote.name, f"calendars:{calendar_id}:name"),
    )
    session.add(calendar)
    session.flush()
    return calendar


def _describe(key: DataKey, calendar: Calendar, remote: RemoteCalendar) -> None:
    if connections.calendar_name(key, calendar) != remote.name:
        calendar.sealed_name = key.seal_text(remote.name, f"calendars:{calendar.id}:name")
    calendar.color = remote.color
    calendar.tzid = remote.tzid or calendar.tzid
    calendar.read_only = remote.read_only
    calendar.primary = remote.primary
    calendar.counts_as_busy = remote.counts_as_busy


def _start(
    runtime: Runtime, session: Session, connection: Connection, calendar_id: str, now: datetime
) -> list[str]:
    login_id = connections.login_in_turns(runtime, connection.provider, connection.id)
    sync = tasks.want(session, Kind.SYNC_CALENDAR, calendar_id, now, now, login_id=login_id)
    wanted = [sync]
    tomorrow = now + timedelta(days=1) * jitter(0.1)
    tasks.want(session, Kind.ROLL_WINDOW, calendar_id, now, tomorrow)
    provider = runtime.provider(connection.provider)
    if isinstance(provider, ListeningProvider) and runtime.settings.listen_streams:
        # Not announced: whoever listens already begins anew, with one more calendar.
        tasks.want(session, Kind.LISTEN, connection.id, now, now)
    if isinstance(provider, PushProvider):
        wanted.append(tasks.want(session, Kind.SUBSCRIBE, calendar_id, now, now, login_id=login_id))
    return wanted
