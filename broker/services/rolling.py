"""Moving the window: every calendar's, every day, without asking the provider if possible."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, update

from broker.ids import jitter
from broker.models import Calendar, Connection, transaction
from broker.models.base import table_of
from broker.services import connections, copies, tasks
from broker.services.copies import GO_ON, SERIES_WAITING
from broker.services.runtime import Runtime
from broker.services.tasks import Kind, Lease
from broker.sync.apply import Copy

DAY = timedelta(days=1)
REREAD_EVERY = timedelta(days=7)
_CALENDARS = table_of(Calendar)


def roll_window(runtime: Runtime, lease: Lease) -> None:
    """Move a calendar's window to today, without asking the provider where that is enough.

    Also expands what a pass had to postpone. It does a portion, and comes back for the rest.
    """
    found = connections.of_calendar(lease.subject_id)
    if found is None or found[0].deleted_at:
        with transaction() as session:
            tasks.finish(session, lease, None)
        return
    calendar, connection = found
    key = connections.data_key(runtime.vault, connection)
    copy = copies.copy_of(runtime, lease, key, calendar.id)
    copies.write(runtime, lease, copy, copy.roll_steps)
    is_left = True
    while is_left:
        with transaction() as session:
            tasks.hold(session, lease, runtime.clock.now())
            is_left = copy.forget(session)
    _end_roll(runtime, lease, calendar, connection, copy)


def _end_roll(
    runtime: Runtime, lease: Lease, calendar: Calendar, connection: Connection, copy: Copy
) -> None:
    """Note how far the window has come, or that there is more; ask the provider where it must."""
    now = runtime.clock.now()
    with transaction() as session:
        connections.lock(session, [connection.id])
        tasks.hold(session, lease, now)
        own = update(_CALENDARS).where(_CALENDARS.c.id == calendar.id)
        if copy.is_behind:
            session.execute(own.values(reason=func.coalesce(_CALENDARS.c.reason, SERIES_WAITING)))
            tasks.finish(session, lease, now + GO_ON)
            return
        provider = runtime.providers.get(connection.provider)
        bound = provider is not None and provider.window_bound
        read_at = calendar.full_read_at
        values: dict[str, object] = {"rolled_to": copy.window.end}
        if bound or read_at is None or now - read_at > REREAD_EVERY:
            values["sealed_cursor"] = None
            login_id = connections.login_in_turns(runtime, connection.provider, connection.id)
            tasks.want(session, Kind.SYNC_CALENDAR, calendar.id, now, now, login_id=login_id)
        session.execute(own.values(values))
        waited = own.where(_CALENDARS.c.reason == SERIES_WAITING)
        session.execute(waited.values(reason=None))
        tasks.finish(session, lease, now + DAY * jitter(0.1))
