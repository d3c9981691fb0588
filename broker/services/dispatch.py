"""Dispatch: which tasks are due, in nobody's hands, and whose turn it is.

The clock hands them out, a second after they are due at the latest. Where a login's tasks take
turns, whoever ends one makes the next begin, so that ten calendars are not ten seconds.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, or_, select, update

from broker.models import Task, at_once, transaction
from broker.models.base import UtcDateTime, table_of
from broker.services.runtime import Runtime
from broker.services.tasks import FREE, NOW, Kind, Lease

QUEUED = timedelta(seconds=30)
STILL_QUEUED = timedelta(minutes=10)

_TASKS = table_of(Task)
_LOST = _TASKS.c.queued_until <= bindparam("queued_before", type_=UtcDateTime())
_READY = and_(
    _TASKS.c.due_at <= NOW,
    FREE,
    _TASKS.c.kind != Kind.LISTEN.value,
    or_(_TASKS.c.queued_until.is_(None), _LOST),
)
_ANY = select(_TASKS.c.id).where(_READY).limit(1)
_NEXT = (
    select(_TASKS.c.id)
    .where(_READY, _TASKS.c.login_id == bindparam("login"))
    .order_by(_TASKS.c.due_at)
    .limit(1)
)


def due(runtime: Runtime, limit: int = 500, *, drained: bool = True) -> list[str]:
    """Find tasks that are due and not in anybody's hands, and mark them as queued.

    Called by the clock; two clocks at once hand out a task once. One that was handed out and
    not claimed is lost if the queue is *drained*; otherwise it has probably still to wait its
    turn, and is handed out again only after a good while.
    """
    now = runtime.clock.now()
    with transaction() as session:
        ready = (
            select(_TASKS.c.id)
            .where(_READY)
            .order_by(_TASKS.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        ids = list(session.scalars(ready, _ready_at(now, drained)))
        if ids:
            session.execute(
                update(_TASKS).where(_TASKS.c.id.in_(ids)).values(queued_until=now + QUEUED)
            )
    return ids


def anything_due(runtime: Runtime, *, drained: bool = True) -> bool:
    """Tell, without taking the write lock, whether `due` would find anything."""
    ready_at = _ready_at(runtime.clock.now(), drained)
    with at_once() as database:
        return database.execute(_ANY, ready_at).first() is not None


def next_in_turn(runtime: Runtime, lease: Lease) -> list[str]:
    """Give the task that has waited longest for a task of its login to end, if any."""
    if lease.login_id is None:
        return []
    ready_at = _ready_at(runtime.clock.now(), drained=False)
    with at_once() as database:
        return list(database.scalars(_NEXT, ready_at | {"login": lease.login_id}))


def _ready_at(now: datetime, drained: bool) -> dict[str, object]:
    return {"now": now, "queued_before": now if drained else now - STILL_QUEUED}
