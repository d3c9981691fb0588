"""Waits that a provider asks for: they are the login's, not only the task's that was told.

Quotas are counted per person, so whoever asks next for the same connection makes it worse. No
row of its own says that a connection pauses: the task that was told does, until it is due.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, bindparam, func, select, union_all

from broker.errors import RateLimited
from broker.models import Calendar, Task, reading
from broker.models.base import UtcDateTime, table_of
from broker.services.runtime import Runtime
from broker.services.tasks import Kind

ASKING = frozenset({Kind.LIST_CALENDARS, Kind.SYNC_CALENDAR, Kind.SUBSCRIBE})

_TASKS, _CALENDARS = table_of(Task), table_of(Calendar)
_OURS = bindparam("connection", type_=String())
_SUBJECTS = union_all(
    select(_OURS), select(_CALENDARS.c.id).where(_CALENDARS.c.connection_id == _OURS)
)
_UNTIL = select(func.max(_TASKS.c.due_at)).where(
    _TASKS.c.kind.in_([kind.value for kind in ASKING]),
    _TASKS.c.subject_id.in_(_SUBJECTS),
    _TASKS.c.reason == RateLimited.reason,
    _TASKS.c.due_at > bindparam("now", type_=UtcDateTime()),
)


def until(runtime: Runtime, connection_id: str) -> datetime | None:
    """Tell until when a connection's provider wants to hear nothing; None when it may be asked."""
    session = reading()
    found: datetime | None = session.scalar(
        _UNTIL, {"connection": connection_id, "now": runtime.clock.now()}
    )
    session.rollback()
    return found
