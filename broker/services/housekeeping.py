"""Cleaning up: what has expired, and heartbeats that tell who is alive."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Delete, and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from broker.models import (
    AccessToken,
    AuthorizationCode,
    Calendar,
    ConnectAttempt,
    Diagnosis,
    Event,
    Grant,
    Heartbeat,
    LearnedServer,
    LoginRefusal,
    RefreshToken,
    Subscription,
    reading,
    transaction,
)
from broker.models.base import changed, table_of
from broker.models.upserts import insert_into
from broker.services import learned_servers, tasks
from broker.services.runtime import Runtime
from broker.services.tasks import Kind, Lease
from broker.sync.rows import Rows
from broker.sync.steps import ROWS_PER_STEP

EVERY = timedelta(hours=1)
ATTEMPTS_KEPT = timedelta(days=1)
UNOPENED_KEPT = timedelta(days=1)
SPENT_CODES_KEPT = timedelta(days=1)
ROTATED_KEPT = timedelta(days=90)
REFUSALS_KEPT = timedelta(days=1)
GONE_KEPT = timedelta(days=60)
ALIVE = timedelta(seconds=60)


def ensure(runtime: Runtime) -> None:
    """Make sure the recurring clean-up is on the list of tasks."""
    now = runtime.clock.now()
    with transaction() as session:
        tasks.want(session, Kind.CLEAN_UP, "broker", now, now + EVERY)


def clean_up(runtime: Runtime, lease: Lease) -> None:
    """Delete what nobody can use any more, and end grants that the application never took."""
    now = runtime.clock.now()
    _purge(runtime, lease, now)
    with transaction() as session:
        tasks.hold(session, lease, now)
        runtime.oauth.revoke_grants(session, _never_taken(session, now))
        for statement in (
            delete(ConnectAttempt).where(ConnectAttempt.expires_at < now - ATTEMPTS_KEPT),
            delete(AuthorizationCode).where(AuthorizationCode.expires_at < now - SPENT_CODES_KEPT),
            _forget_access_tokens(now),
            delete(RefreshToken).where(RefreshToken.rotated_at < now - ROTATED_KEPT),
            delete(Subscription).where(Subscription.expires_at < now),
            delete(Subscription).where(
                Subscription.expires_at.is_(None), Subscription.created_at < now - UNOPENED_KEPT
            ),
            delete(Diagnosis).where(Diagnosis.expires_at < now),
            delete(LearnedServer).where(
                LearnedServer.standing == learned_servers.Standing.LEARNED.value,
                LearnedServer.last_success_at < now - learned_servers.KEPT,
            ),
            delete(LoginRefusal).where(
                LoginRefusal.window_at < now - REFUSALS_KEPT,
                or_(LoginRefusal.paused_until.is_(None), LoginRefusal.paused_until < now),
            ),
        ):
            session.execute(statement)
        tasks.finish(session, lease, now + EVERY)


def _purge(runtime: Runtime, lease: Lease, now: datetime) -> None:
    """Drop the copies of calendars that went long ago, a portion for each transaction."""
    events = select(Event.key).where(Event.calendar_id == Calendar.id).exists()
    old = Calendar.deleted_at < now - GONE_KEPT
    calendar_ids = reading().scalars(select(Calendar.id).where(old, events)).all()
    for calendar_id in calendar_ids:
        # Read anew in full, should it ever come back; which it may while we are at it.
        forget = update(Calendar).where(Calendar.id == calendar_id, old)
        forget = forget.values(sealed_cursor=None, revision=Calendar.revision + 1)
        is_left = True
        while is_left:
            with transaction() as session:
                tasks.hold(session, lease, runtime.clock.now())
                is_left = bool(changed(session, forget)) and (
                    Rows(session, calendar_id).purge(limit=ROWS_PER_STEP) == ROWS_PER_STEP
                )


def _forget_access_tokens(now: datetime) -> Delete:
    """Delete access tokens that ran out, but not the last one of a grant that stands.

    An application may revoke by the access token that it has, however old; of later ones that it
    was given, it has the last.
    """
    later = aliased(AccessToken)
    is_last = ~exists().where(
        later.grant_id == AccessToken.grant_id, later.expires_at > AccessToken.expires_at
    )
    stands = exists().where(Grant.id == AccessToken.grant_id, Grant.revoked_at.is_(None))
    past = delete(AccessToken).where(AccessToken.expires_at < now, ~and_(is_last, stands))
    return past.execution_options(synchronize_session=False)


def _never_taken(session: Session, now: datetime) -> list[str]:
    """Find live grants whose only code ran out unspent: nobody holds a token of them."""
    query = (
        select(Grant.id)
        .join(AuthorizationCode, AuthorizationCode.grant_id == Grant.id)
        .where(
            Grant.revoked_at.is_(None),
            AuthorizationCode.spent_at.is_(None),
            AuthorizationCode.expires_at < now,
        )
    )
    return list(session.scalars(query))


def beat(runtime: Runtime, name: str) -> None:
    """Note that the process of this name is alive."""
    table = table_of(Heartbeat)
    with transaction() as session:
        statement = insert_into(session, table).values(name=name, at=runtime.clock.now())
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["name"], set_={"at": statement.excluded["at"]}
            )
        )


def heartbeats() -> dict[str, datetime]:
    """Tell when each kind of process was last seen alive."""
    session = reading()
    found = {row.name: row.at for row in session.scalars(select(Heartbeat))}
    session.rollback()
    return found
