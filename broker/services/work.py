"""Running one task: claim it, keep its lease, do it, and say how it ended.

The one place where provider errors become decisions: wait, ask for a new connection, stop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from flask.globals import app_ctx
from sqlalchemy import select, update

from broker.errors import (
    AuthorizationLost,
    BrokerError,
    CalendarGone,
    LeaseLost,
    LoginPaused,
    ProviderError,
    RateLimited,
    ScopeMissing,
)
from broker.models import Calendar, Connection, reading, transaction
from broker.services import (
    calendar_lists,
    connections,
    disconnect,
    dispatch,
    housekeeping,
    initial_sync,
    login_guard,
    rolling,
    subscriptions,
    syncing,
    tasks,
)
from broker.services.leases import LeaseKeeper
from broker.services.runtime import Runtime
from broker.services.tasks import Kind, Lease

log = logging.getLogger(__name__)

_RUNNERS: Mapping[Kind, Callable[[Runtime, Lease], None]] = {
    Kind.LIST_CALENDARS: calendar_lists.list_calendars,
    Kind.SYNC_CALENDAR: syncing.sync_calendar,
    Kind.ROLL_WINDOW: rolling.roll_window,
    Kind.SUBSCRIBE: subscriptions.subscribe,
    Kind.UNSUBSCRIBE: subscriptions.unsubscribe,
    Kind.REVOKE: disconnect.revoke_credential,
    Kind.RETIRE: disconnect.retire,
    Kind.CLEAN_UP: housekeeping.clean_up,
}
_ON_CALENDARS = frozenset({Kind.SYNC_CALENDAR, Kind.ROLL_WINDOW, Kind.SUBSCRIBE})
_ON_CONNECTIONS = frozenset({Kind.LIST_CALENDARS, Kind.RETIRE, Kind.LISTEN})
_KEEPER = LeaseKeeper(tasks.RENEW_EVERY)


def run(runtime: Runtime, task_id: str, get_on: Callable[[], None] = lambda: None) -> bool:
    """Run a task if it is due and free; False when there was nothing to do.

    *get_on* is called whenever the task gets on, however long it takes in all.

    Errors end here: they become a wait, a reason code, or a connection that asks to be
    renewed. Only what no class of ours describes is raised, after the task was put back.
    """
    lease = tasks.claim(runtime, task_id, get_on)
    if lease is None:
        return False

    def act() -> None:
        with _KEEPER.keep(_renewal(runtime, lease)):
            _RUNNERS[lease.kind](runtime, lease)

    settle(runtime, lease, act)
    runtime.queue.announce(dispatch.next_in_turn(runtime, lease))
    return True


def settle(runtime: Runtime, lease: Lease, act: Callable[[], None]) -> None:
    """Do what a claimed task is about. Errors end here, as `run` says."""
    try:
        try:
            act()
        except LoginPaused as pause:
            tasks.fail(runtime, lease, pause.reason, pause.retry_after)
        except ProviderError as error:
            _provider_failed(runtime, lease, error)
    except LeaseLost:
        log.info("lease lost", extra={"task": lease.task_id, "kind": lease.kind.value})
    except BrokerError as error:
        log.error("task failed", extra={"task": lease.task_id, "error": type(error).__name__})
        _put_back(runtime, lease, type(error).__name__)
    except Exception:
        _put_back(runtime, lease, "unexpected")
        raise


def _renewal(runtime: Runtime, lease: Lease) -> Callable[[], bool]:
    """Give what holds on to a task, for a thread that is in no context of ours."""
    app = app_ctx.app

    def renew() -> bool:
        with app.app_context():
            return tasks.renew(runtime, lease)

    return renew


def _provider_failed(runtime: Runtime, lease: Lease, error: ProviderError) -> None:
    connection_id = _connection_of(lease)
    log.warning(
        "provider failed",
        extra={
            "task": lease.task_id,
            "kind": lease.kind.value,
            "connection": connection_id,
            "operation": error.operation,
            "status": error.status,
            "reason": error.reason,
        },
    )
    uses_login = lease.kind in _ON_CALENDARS | _ON_CONNECTIONS
    if isinstance(error, AuthorizationLost | ScopeMissing) and uses_login:
        if connection_id is not None and error.status is not None:
            login_guard.count_background_refusal(runtime, connection_id)
        disconnect.mark_disconnected(runtime, lease, connection_id, error)
        return
    if isinstance(error, CalendarGone) and lease.kind in _ON_CALENDARS:
        _calendar_gone(runtime, lease, connection_id)
        return
    if lease.kind is Kind.REVOKE and lease.attempts >= disconnect.GIVE_UP_AFTER:
        disconnect.forget_revocation(runtime, lease)
        return
    asked_for = error.retry_after if isinstance(error, RateLimited) else None
    wait = asked_for or tasks.backoff(lease.attempts)
    if error.reason == RateLimited.reason and connection_id is not None:
        # Quotas are counted per person: whoever asks next for the same login makes it worse.
        connections.pause(connection_id, runtime.clock.now() + wait)
    tasks.fail(runtime, lease, error.reason, wait)
    _note_reason(runtime, lease, connection_id, error.reason)


def _calendar_gone(runtime: Runtime, lease: Lease, connection_id: str | None) -> None:
    """The provider no longer knows the calendar: the list decides whether it is gone.

    Nothing is started again for a connection that was left or refused meanwhile.
    """
    now = runtime.clock.now()
    wanted: list[str] = []
    with transaction() as session:
        connections.lock(session, [connection_id or ""])
        tasks.hold(session, lease, now)
        held = session.get(Connection, connection_id) if connection_id else None
        if held is not None and held.unused_since is None and held.disconnected_reason is None:
            login_id = connections.login_in_turns(runtime, held.provider, held.id)
            listing = tasks.want(session, Kind.LIST_CALENDARS, held.id, now, now, login_id=login_id)
            wanted.append(listing)
    tasks.fail(runtime, lease, CalendarGone.reason)
    _note_reason(runtime, lease, connection_id, CalendarGone.reason)
    runtime.queue.announce(wanted)


def _put_back(runtime: Runtime, lease: Lease, reason: str) -> None:
    tasks.fail(runtime, lease, reason)
    _note_reason(runtime, lease, _connection_of(lease), "unreadable_answer")


def _note_reason(runtime: Runtime, lease: Lease, connection_id: str | None, reason: str) -> None:
    """Let status say why it is not well, and when we last tried; it is well without push.

    Whoever is told to wait when asking for push waits with everything else, though.
    """
    now = runtime.clock.now()
    model = Calendar if lease.kind in _ON_CALENDARS else Connection
    is_for_push = lease.kind is Kind.SUBSCRIBE and reason != RateLimited.reason
    if connection_id is None or lease.kind is Kind.LISTEN or is_for_push:
        return
    with transaction() as session:
        connections.lock(session, [connection_id])
        noted = update(model).where(model.id == lease.subject_id)
        session.execute(noted.values(reason=reason, last_attempt_at=now))
        if reason in initial_sync.CLOSED:
            initial_sync.note(session, connection_id, now)


def _connection_of(lease: Lease) -> str | None:
    if lease.kind in _ON_CONNECTIONS:
        return lease.subject_id
    if lease.kind in _ON_CALENDARS:
        query = select(Calendar.connection_id).where(Calendar.id == lease.subject_id)
        return reading().scalar(query)
    return None
