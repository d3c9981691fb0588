"""Tasks: wanting them, holding them, and telling how they ended.

A worker claims a task by a conditional update and holds it by a lease, which it renews while
it works. The fence rises with each claim: a step's transaction begins with `hold`, which
fails once somebody else has claimed the task. So a worker that was stopped for a minute and
wakes up writes nothing.

Tasks of one `login_id` take turns: the database lets one of them be held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import String, and_, bindparam, case, delete, exists, or_, select, update
from sqlalchemy.engine import Connection as DbConnection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from broker.errors import LeaseLost, RateLimited
from broker.ids import jitter, new_id
from broker.models import Task, at_once
from broker.models.base import UtcDateTime, changed, table_of
from broker.models.ready import Ready
from broker.models.upserts import insert_into, is_postgresql
from broker.services.runtime import Runtime

LEASE = timedelta(seconds=10)
RENEW_EVERY = timedelta(seconds=3)
FIRST_RETRY = timedelta(seconds=5)
LAST_RETRY = timedelta(hours=1)
HELD_BACK = "held_back"
_TASKS = table_of(Task)


class Kind(StrEnum):
    """What tasks do, and to whom."""

    LIST_CALENDARS = "list_calendars"  # a connection
    SYNC_CALENDAR = "sync_calendar"  # a calendar
    ROLL_WINDOW = "roll_window"  # a calendar
    SUBSCRIBE = "subscribe"  # a calendar
    UNSUBSCRIBE = "unsubscribe"  # a subscription
    LISTEN = "listen"  # a connection; never queued
    REVOKE = "revoke"  # a revocation
    RETIRE = "retire"  # a connection
    CLEAN_UP = "clean_up"  # the broker itself


# Built once: building a statement costs more than running it.
NOW = bindparam("now", type_=UtcDateTime())
_LEASE_UNTIL = bindparam("held_until", type_=UtcDateTime())
_OTHERS = _TASKS.alias("others")
_IS_ITS_TURN = ~exists().where(
    _OTHERS.c.login_id == _TASKS.c.login_id,
    _OTHERS.c.lease_until.is_not(None),
    _OTHERS.c.id != _TASKS.c.id,
)
_IS_NOBODYS = or_(_TASKS.c.lease_until.is_(None), _TASKS.c.lease_until <= NOW)
FREE = and_(_IS_NOBODYS, _IS_ITS_TURN)
"""What may be claimed once it is due: in nobody's hands, nor another of its login."""

_IS_DUE = and_(_TASKS.c.id == bindparam("task"), _TASKS.c.due_at <= NOW)
_OURS = and_(_TASKS.c.id == bindparam("task"), _TASKS.c.fence == bindparam("our_fence"))
_WANTED = _TASKS.c.wanted_at.is_not(None)
_CLAIM = Ready(
    update(_TASKS)
    .where(_IS_DUE, FREE)
    .values(
        fence=_TASKS.c.fence + 1,
        attempts=_TASKS.c.attempts + 1,
        lease_until=_LEASE_UNTIL,
        queued_until=None,
        wanted_at=None,
    )
    .returning(
        _TASKS.c.kind, _TASKS.c.subject_id, _TASKS.c.fence, _TASKS.c.attempts, _TASKS.c.login_id
    )
)
_STEP_BACK = update(_TASKS).where(_IS_DUE, _IS_NOBODYS).values(queued_until=None)
# One that has ended is held by nobody, though nobody has claimed it since.
_HELD = _TASKS.c.lease_until.is_not(None)
_HOLD = update(_TASKS).where(_OURS, _HELD).values(lease_until=_LEASE_UNTIL)
_END = delete(_TASKS).where(_OURS, _HELD, ~_WANTED)
_COME_BACK = Ready(
    update(_TASKS)
    .where(_OURS, _HELD)
    .values(
        due_at=case((_WANTED, _TASKS.c.wanted_at), else_=bindparam("next", type_=UtcDateTime())),
        lease_until=None,
        queued_until=None,
        attempts=0,
        reason=bindparam("reason", type_=String()),
    )
)


@dataclass(frozen=True, slots=True)
class Lease:
    """One worker's hold on one task since *started_at*.

    *get_on* is to be called by whoever does the work, whenever it gets on.
    """

    task_id: str
    kind: Kind
    subject_id: str
    fence: int
    attempts: int
    login_id: str | None
    started_at: datetime
    get_on: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)


def want(
    session: Session,
    kind: Kind,
    subject_id: str,
    now: datetime,
    due_at: datetime,
    *,
    login_id: str | None = None,
) -> str:
    """Ask for a task at *due_at*, in the caller's transaction; gives its id.

    One that exists is moved forward, never back, and never past a wait that the provider
    asked for. A task that runs right now will run again. *login_id* is
    `connections.login_in_turns` of whose login the task uses.
    """
    statement = insert_into(session, _TASKS).values(
        id=new_id("tsk"),
        kind=kind.value,
        subject_id=subject_id,
        due_at=due_at,
        wanted_at=now,
        fence=0,
        attempts=0,
        login_id=login_id,
    )
    queued = and_(_TASKS.c.due_at <= now, _TASKS.c.queued_until > now)
    waits = or_(_TASKS.c.due_at < due_at, _TASKS.c.reason == RateLimited.reason)
    earlier = case((waits, _TASKS.c.due_at), else_=due_at)
    statement = statement.on_conflict_do_update(
        index_elements=["kind", "subject_id"],
        set_={
            "due_at": earlier,
            "wanted_at": now,
            "queued_until": case((queued, _TASKS.c.queued_until), else_=None),
        },
    )
    return str(session.scalar(statement.returning(_TASKS.c.id)))


def drop(session: Session, kinds: Iterable[Kind], subject_ids: Iterable[str]) -> None:
    """Forget tasks, in the caller's transaction. Whoever runs one now writes nothing more."""
    values = [kind.value for kind in kinds]
    session.execute(
        delete(_TASKS).where(_TASKS.c.kind.in_(values), _TASKS.c.subject_id.in_(list(subject_ids)))
    )


def lock(session: Session, subject_ids: Iterable[str]) -> None:
    """Lock the tasks of calendars that are about to be written: a sync locks in this order."""
    if is_postgresql(session):
        query = select(_TASKS.c.id).where(_TASKS.c.subject_id.in_(list(subject_ids)))
        session.execute(query.order_by(_TASKS.c.id).with_for_update())


def claim(
    runtime: Runtime, task_id: str, get_on: Callable[[], None] = lambda: None
) -> Lease | None:
    """Take a task that is due; None when it is gone, not due, in other hands, or not its turn.

    What is not its turn steps back: whoever holds the other one, or the clock, comes back to it.
    """
    now = runtime.clock.now()
    with at_once() as database:
        try:
            row = _CLAIM.first(database, task=task_id, now=now, held_until=now + LEASE)
        except IntegrityError:
            # Claimed at the same moment as another of its login.
            row = None
        if row is None:
            database.execute(_STEP_BACK, {"task": task_id, "now": now})
            return None
    kind, subject_id, fence, attempts, login_id = row
    return Lease(task_id, Kind(kind), subject_id, fence, attempts, login_id, now, get_on)


def hold(session: Session, lease: Lease, now: datetime) -> None:
    """Begin a step: prove that the task is still ours, and lock it for this transaction.

    Raises LeaseLost when somebody else has claimed or dropped it.
    """
    lease.get_on()
    if not changed(session, _HOLD, _ours(lease, held_until=now + LEASE)):
        raise LeaseLost(lease.kind.value)


def renew(runtime: Runtime, lease: Lease) -> bool:
    """Hold on to a task between steps; False when it is no longer ours.

    That somebody holds on does not mean that the work gets on.
    """
    with at_once() as database:
        values = _ours(lease, held_until=runtime.clock.now() + LEASE)
        return bool(changed(database, _HOLD, values))


def reason(session: Session, lease: Lease) -> str | None:
    """Tell why a task did not end well the last time; None when it did."""
    return session.scalar(select(_TASKS.c.reason).where(_TASKS.c.id == lease.task_id))


def finish(
    session: Session | DbConnection,
    lease: Lease,
    next_due_at: datetime | None,
    *,
    reason: str | None = None,
) -> bool:
    """End a task well, in the step's own transaction; False when it is no longer ours.

    It comes back at *next_due_at*, or at once when somebody asked for it while it ran. With
    None it is done for good, unless it was asked for meanwhile. *reason* says why it comes
    back before its time.
    """
    if next_due_at is None:
        if changed(session, _END, _ours(lease)):
            return True
        next_due_at = lease.started_at
    database = session.connection() if isinstance(session, Session) else session
    values = _ours(lease, next=next_due_at, reason=reason)
    return bool(_COME_BACK.changed(database, **values))


def conclude(database: DbConnection, lease: Lease, next_due_at: datetime) -> None:
    """Begin the step that is a task's last: `hold` and `finish` as one.

    Raises LeaseLost when somebody else has claimed or dropped it.
    """
    lease.get_on()
    if not finish(database, lease, next_due_at):
        raise LeaseLost(lease.kind.value)


def _ours(lease: Lease, **values: object) -> dict[str, object]:
    return {"task": lease.task_id, "our_fence": lease.fence, **values}


def fail(runtime: Runtime, lease: Lease, reason: str, retry_after: timedelta | None = None) -> None:
    """End a task badly: it comes back after *retry_after*, or later with every failure."""
    wait = retry_after or backoff(lease.attempts)
    with at_once() as database:
        database.execute(
            update(_TASKS)
            .where(_TASKS.c.id == lease.task_id, _TASKS.c.fence == lease.fence)
            .values(
                due_at=runtime.clock.now() + wait,
                lease_until=None,
                queued_until=None,
                reason=reason,
            )
        )


def backoff(attempts: int) -> timedelta:
    """Give the wait after so many attempts: doubling from seconds to an hour, with jitter."""
    doubled = FIRST_RETRY * int(2 ** min(max(attempts - 1, 0), 16))
    return min(doubled, LAST_RETRY) * jitter()
