"""When a connection's first sync has ended: partners wait for it before they trust free time."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from broker.errors import CalendarGone, PermissionMissing
from broker.models import Calendar, Connection, Task
from broker.models.base import changed, table_of
from broker.services.tasks import Kind

log = logging.getLogger(__name__)

# What a first pass may end in for good: nothing more is to come of such a calendar. Everything
# else passes, so that whoever waits is right to wait.
CLOSED = frozenset({CalendarGone.reason, PermissionMissing.reason})

_CALENDARS, _CONNECTIONS, _TASKS = table_of(Calendar), table_of(Connection), table_of(Task)


def note(session: Session, connection_id: str, now: datetime) -> None:
    """Note that it has ended once no calendar waits for its first pass.

    A calendar whose pass was refused for good does not wait. Part of the caller's transaction,
    which holds the connection.
    """
    refused = select(_TASKS.c.id).where(
        _TASKS.c.kind == Kind.SYNC_CALENDAR.value,
        _TASKS.c.subject_id == _CALENDARS.c.id,
        _TASKS.c.reason.in_(CLOSED),
    )
    waiting = select(_CALENDARS.c.id).where(
        _CALENDARS.c.connection_id == connection_id,
        _CALENDARS.c.deleted_at.is_(None),
        _CALENDARS.c.synced_through.is_(None),
        ~refused.exists(),
    )
    ended = update(_CONNECTIONS).where(
        _CONNECTIONS.c.id == connection_id,
        _CONNECTIONS.c.initial_sync_at.is_(None),
        ~waiting.exists(),
    )
    if changed(session, ended.values(initial_sync_at=now)):
        log.info("initial sync completed", extra={"connection": connection_id})
