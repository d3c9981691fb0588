"""Waits that a provider asks for: they are the login's, not only the task's that was told.

Quotas are counted per person, so whoever asks next for the same connection makes it worse. No
row of its own says that a connection pauses: the task that was told does, until it is due.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, bindparam, func, literal, select, union_all

from broker.errors import RateLimited
from broker.models import Calendar, Task, at_once
from broker.models.base import UtcDateTime, table_of
from broker.services.runtime import Runtime
from broker.services.tasks import Kind, Lease

ASKING = frozenset({Kind.LIST_CALENDARS, Kind.SYNC_CALENDAR, Kind.SUBSCRIBE, Kind.LISTEN})

_TASKS, _CALENDARS = table_of(Task), table_of(Calendar)
_SUBJECT = bindparam("subject", type_=String())
# Of a calendar its connection; else the subject is the connection.
_CONNECTION = func.coalesce(
    select(_CALENDARS.c.connection_id).where(_CALENDARS.c.id == _SUBJECT).scalar_subquery(),
    _SUBJECT,
)
_SUBJECTS = union_all(
    select(_CONNECTION), select(_CALENDARS.c.id).where(_CALENDARS.c.connection_id == _CONNECTION)
)
_UNTIL = select(func.max(_TASKS.c.due_at)).where(
    # As literals, because a list of values is written into the statement each time anew.
    _TASKS.c.kind.in_([literal(kind.value) for kind in ASKING]),
    _TASKS.c.subject_id.in_(_SUBJECTS),
    _TASKS.c.reason == RateLimited.reason,
    _TASKS.c.due_at > bindparam("now", type_=UtcDateTime()),
)


def until(runtime: Runtime, lease: Lease) -> datetime | None:
    """Tell until when the provider of a task's connection wants to hear nothing.

    None when it may be asked. The task's kind is one of those that are ASKING.
    """
    with at_once() as database:
        found: datetime | None = database.scalar(
            _UNTIL, {"subject": lease.subject_id, "now": runtime.clock.now()}
        )
    return found
