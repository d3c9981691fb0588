"""How every connection is doing, in lines for an operator: our ids, times and reason codes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import func, select

from broker.models import Calendar, Connection, Task, reading
from broker.services import times
from broker.services.runtime import Runtime
from broker.services.tasks import Kind


def lines(runtime: Runtime) -> Iterator[str]:
    """Yield a line for each connection and one for each of its calendars."""
    now = runtime.clock.now()
    session = reading()
    dues = {
        (kind, subject): due
        for kind, subject, due in session.execute(select(Task.kind, Task.subject_id, Task.due_at))
    }
    for connection in session.scalars(select(Connection).order_by(Connection.id)):
        query = select(Calendar).filter_by(connection_id=connection.id).order_by(Calendar.id)
        calendars = session.scalars(query).all()
        successes = [connection.last_success_at, *(one.synced_through for one in calendars)]
        state = connection.disconnected_reason or connection.reason or "ok"
        yield (
            f"{connection.id}  {connection.provider}  {state}  "
            f"last success {_ago(now, times.latest(successes))}"
        )
        for calendar in calendars:
            due = dues.get((Kind.SYNC_CALENDAR.value, calendar.id))
            yield (
                f"    {calendar.id}  {'gone' if calendar.deleted_at else calendar.reason or 'ok'}  "
                f"synced through {_ago(now, calendar.synced_through)}, "
                f"next {_ago(now, due)}"
            )
    waiting = session.scalar(select(func.count()).where(Task.due_at <= now)) or 0
    yield f"{waiting} tasks due"


def _ago(now: datetime, moment: datetime | None) -> str:
    if moment is None:
        return "never"
    seconds = round((now - moment).total_seconds())
    return f"{seconds} s ago" if seconds >= 0 else f"in {-seconds} s"
