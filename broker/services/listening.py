"""Listening to providers over answers that stay open: one for each login, whoever holds it.

Who listens holds a task, as a worker does: so two never listen to one login, a wait that a
provider asked for is kept, and what a refusal means is decided where it always is. Such tasks
are not queued; the listener of the clock's process (`broker.listener`) takes them itself.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import and_, delete, exists, or_, select, tuple_, update

from broker.errors import ConfigurationRefused, ProviderUnavailable, RateLimited
from broker.ids import jitter
from broker.line import Line
from broker.models import Calendar, Connection, Task, reading, transaction
from broker.models.base import table_of
from broker.providers.base import CalendarClient, ListeningProvider
from broker.services import connections, tasks
from broker.services.credentials import with_client
from broker.services.runtime import Runtime
from broker.services.tasks import Kind, Lease

log = logging.getLogger(__name__)

# Servers say something every minute or so, and what stands between us often cuts what is quiet.
SILENCE = timedelta(minutes=3)
WELL_AFTER = timedelta(minutes=10)
TOMORROW = timedelta(days=1)
LATER = timedelta(hours=1)
AT_ONCE = 200

_TASKS = table_of(Task)
_LISTEN = _TASKS.c.kind == Kind.LISTEN.value


def ensure(runtime: Runtime) -> None:
    """Want somebody to listen to every connection that can be listened to."""
    slugs = [slug for slug, one in runtime.providers.items() if isinstance(one, ListeningProvider)]
    listened = exists().where(_LISTEN, _TASKS.c.subject_id == Connection.id)
    query = select(Connection.id).where(
        Connection.provider.in_(slugs), *connections.WANTED, ~listened
    )
    session = reading()
    found = session.scalars(query.limit(AT_ONCE)).all()
    session.rollback()
    if found:
        now = runtime.clock.now()
        with transaction() as session:
            for connection_id in found:
                tasks.want(session, Kind.LISTEN, connection_id, now, now)


def forget() -> None:
    """Want nobody to listen any more: it was switched off."""
    with transaction() as session:
        session.execute(delete(_TASKS).where(_LISTEN))


def due(runtime: Runtime, most: int) -> list[str]:
    """Give tasks to listen that are due and in nobody's hands, the longest waiting first."""
    now = runtime.clock.now()
    is_free = or_(_TASKS.c.lease_until.is_(None), _TASKS.c.lease_until <= now)
    query = select(_TASKS.c.id).where(_LISTEN, _TASKS.c.due_at <= now, is_free)
    session = reading()
    found = list(session.scalars(query.order_by(_TASKS.c.due_at).limit(most)))
    session.rollback()
    return found


def renew(runtime: Runtime, leases: Iterable[Lease]) -> set[str]:
    """Hold on to tasks; gives those that are still ours and that nobody wants begun anew."""
    ours = [(lease.task_id, lease.fence) for lease in leases]
    if not ours:
        return set()
    hold = (
        update(_TASKS)
        .where(tuple_(_TASKS.c.id, _TASKS.c.fence).in_(ours), _TASKS.c.lease_until.is_not(None))
        .values(lease_until=runtime.clock.now() + tasks.LEASE)
        .returning(_TASKS.c.id, _TASKS.c.wanted_at)
    )
    with transaction() as session:
        return {task_id for task_id, wanted_at in session.execute(hold) if wanted_at is None}


def let_go(runtime: Runtime, lease: Lease, *, in_: timedelta = timedelta()) -> None:
    """Give a task back, for whoever listens next."""
    now = runtime.clock.now()
    with transaction() as session:
        tasks.finish(session, lease, now + in_)


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is listened to: calendars by the names that the provider has for them."""

    provider: ListeningProvider
    calendars: dict[str, str]


def listen(runtime: Runtime, lease: Lease, line: Line) -> None:
    """Listen to a connection until it is over or *line* is cut, and want syncs of what changed.

    A line that was good for a while is made anew soon; what breaks again and again waits
    longer each time, and polling does meanwhile. Raises ProviderErrors.
    """
    subject = _subject(runtime, lease)
    if subject is None or not subject.calendars:
        let_go(runtime, lease, in_=LATER * jitter())
        return
    provider, calendars = subject.provider, subject.calendars

    def hear(remote_ids: Collection[str]) -> None:
        _wake(runtime, lease.subject_id, provider.slug, [calendars[one] for one in remote_ids])

    def act(client: CalendarClient) -> None:
        provider.listen(client, tuple(calendars), hear, line)

    began_at = runtime.clock.now()
    try:
        with_client(runtime, lease.subject_id, act)
    except ConfigurationRefused:
        log.info("not listened to, polling instead", extra={"connection": lease.subject_id})
        let_go(runtime, lease, in_=TOMORROW * jitter(0.1))
    except RateLimited as error:
        if error.retry_after is not None:
            raise
        # So many lines, and no more, may be open to a mailbox; the rest of it works.
        let_go(runtime, lease, in_=LATER * jitter())
    except ProviderUnavailable:
        if runtime.clock.now() - began_at < WELL_AFTER:
            raise
        let_go(runtime, lease, in_=tasks.FIRST_RETRY * jitter())
    else:
        let_go(runtime, lease)


def _subject(runtime: Runtime, lease: Lease) -> _Subject | None:
    """Find what to listen to; None when there is nothing."""
    session = reading()
    wanted = select(Connection).where(Connection.id == lease.subject_id, *connections.WANTED)
    connection = session.scalar(wanted)
    if connection is None:
        return None
    provider = runtime.providers.get(connection.provider)
    if not isinstance(provider, ListeningProvider):
        return None
    key = connections.data_key(runtime.vault, connection)
    query = select(Calendar).where(
        and_(Calendar.connection_id == connection.id, Calendar.deleted_at.is_(None))
    )
    found = {
        connections.calendar_remote_id(key, one.id, one.sealed_remote_id): one.id
        for one in session.scalars(query)
    }
    session.rollback()
    return _Subject(provider, found)


def _wake(runtime: Runtime, connection_id: str, slug: str, calendar_ids: Iterable[str]) -> None:
    """Want calendars synced now, unless the connection was left or refused meanwhile."""
    ordered = sorted(calendar_ids)
    if not ordered:
        return
    now = runtime.clock.now()
    login_id = connections.login_in_turns(runtime, slug, connection_id)
    wanted: list[str] = []
    with transaction() as session:
        want = partial(tasks.want, session, Kind.SYNC_CALENDAR, login_id=login_id)
        if connections.lock_wanted(session, connection_id):
            wanted = [want(one, now, now) for one in ordered]
    runtime.queue.announce(wanted)
