"""How connections end: refused by the provider, left by an application, or no longer used."""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from broker.clock import Clock
from broker.errors import AuthorizationLost, NotFound, ScopeMissing
from broker.ids import new_id
from broker.logins import OAuthCredential
from broker.models import (
    Account,
    Connection,
    Grant,
    Profile,
    Revocation,
    audit,
    reading,
    transaction,
)
from broker.models.base import changed, table_of
from broker.oauth_server.revocation import lock_accounts
from broker.providers.base import OAuthProvider
from broker.services import calendar_lists, connections, tasks
from broker.services.runtime import Runtime
from broker.services.tasks import Kind, Lease

log = logging.getLogger(__name__)

GIVE_UP_AFTER = 12
_CONNECTIONS = table_of(Connection)


def mark_disconnected(
    runtime: Runtime,
    lease: Lease,
    connection_id: str | None,
    error: AuthorizationLost | ScopeMissing,
) -> None:
    """Note that the provider clearly refuses the credential, and stop every task that would use it.

    The copy stays readable; the person is asked to connect again. Where the person already
    has, the refusal was the old credential's: only the task is begun anew. Without a connection
    that works it has nothing left to do.
    """
    now, reason = runtime.clock.now(), error.reason
    with transaction() as session:
        own = (_CONNECTIONS.c.id == connection_id, _CONNECTIONS.c.disconnected_reason.is_(None))
        refuse = update(_CONNECTIONS).where(
            *own, _CONNECTIONS.c.credential_version == error.credential_version
        )
        values = {"disconnected_reason": reason, "disconnected_at": now}
        if connection_id is None or not changed(session, refuse.values(values)):
            works = session.scalar(select(_CONNECTIONS.c.id).where(*own)) is not None
            tasks.finish(session, lease, now if works else None)
            return
        calendar_lists.stop_all(session, connection_id)
        audit.note(session, now, "connection_refused", subject_id=connection_id, reason=reason)
    log.info("connection refused", extra={"connection": connection_id, "reason": reason})


def revoke_profile(runtime: Runtime, *, account_id: str, profile_id: str) -> None:
    """Take one profile out of an account; ends the connection when it was the last.

    Raises NotFound when the account has no such profile.
    """
    now = runtime.clock.now()
    wanted: list[str] = []
    with transaction() as session:
        profile = _locked_profile(session, account_id, profile_id)
        account = session.get_one(Account, account_id)
        connection = session.get_one(Connection, profile.connection_id)
        audit.note(
            session,
            now,
            "profile_revoked",
            application_id=account.application_id,
            subject_id=profile_id,
        )
        session.delete(profile)
        session.flush()
        left = select(func.count()).where(Profile.connection_id == connection.id)
        if not session.scalar(left):
            wanted = _end(runtime, session, connection)
        else:
            note_unused(runtime.clock, runtime.settings.retention_days, session, [connection.id])
    runtime.queue.announce(wanted)


def _locked_profile(session: Session, account_id: str, profile_id: str) -> Profile:
    """Lock what ends with a profile, so that whoever else leaves now is counted too."""
    profile = session.get(Profile, profile_id)
    if profile is None or profile.account_id != account_id:
        raise NotFound("profile")
    # As when grants are revoked: without their profile they are written.
    lock_accounts(session, [account_id])
    connections.lock(session, [profile.connection_id])
    found = session.get(Profile, profile_id, populate_existing=True)
    if found is None:
        raise NotFound("profile")
    return found


def _end(runtime: Runtime, session: Session, connection: Connection) -> list[str]:
    """Shred a connection, and give its credential back unless another needs the same grant."""
    now = runtime.clock.now()
    wanted: list[str] = []
    provider, login_digest = connection.provider, connection.login_digest
    if not _is_connected(session, provider, login_digest, but=connection.id):
        secret = connections.credential(runtime.vault, connection)
        if isinstance(secret, OAuthCredential):
            revocation_id = new_id("rev")
            plain = connections.encode_credential(secret)
            wrapped = runtime.vault.wrap(plain, f"revocations:{revocation_id}:credential")
            session.add(
                Revocation(
                    id=revocation_id,
                    provider=provider,
                    login_digest=login_digest,
                    wrapped_credential=wrapped,
                    created_at=now,
                )
            )
            wanted.append(tasks.want(session, Kind.REVOKE, revocation_id, now, now))
    calendar_lists.stop_all(session, connection.id)
    tasks.drop(session, (Kind.RETIRE,), [connection.id])
    audit.note(session, now, "connection_shredded", subject_id=connection.id)
    session.delete(connection)
    return wanted


def _is_connected(session: Session, provider: str, login_digest: bytes, *, but: str = "") -> bool:
    """Tell whether a connection, *but* that one, rests on a login: providers revoke per user."""
    others = select(func.count()).where(
        Connection.provider == provider,
        Connection.login_digest == login_digest,
        Connection.id != but,
    )
    return bool(session.scalar(others))


def note_grants_revoked(
    clock: Clock, retention_days: int, session: Session, account_ids: list[str]
) -> None:
    """Stop syncing connections that no application may read any more.

    Called inside the transaction that revokes grants.
    """
    query = select(Profile.connection_id).where(Profile.account_id.in_(account_ids)).distinct()
    note_unused(clock, retention_days, session, list(session.scalars(query)))


def note_unused(
    clock: Clock, retention_days: int, session: Session, connection_ids: list[str]
) -> None:
    """Of these connections, retire those without a live grant after the retention time."""
    session.flush()
    connections.lock(session, connection_ids)
    live = (
        select(Profile.connection_id)
        .join(Grant, Grant.account_id == Profile.account_id)
        .where(Profile.connection_id.in_(connection_ids), Grant.revoked_at.is_(None))
    )
    used = set(session.scalars(live))
    now = clock.now()
    for connection_id in set(connection_ids) - used:
        connection = session.get(Connection, connection_id, populate_existing=True)
        if connection is None or connection.unused_since is not None:
            continue
        connection.unused_since = now
        calendar_lists.stop_all(session, connection_id)
        tasks.want(session, Kind.RETIRE, connection_id, now, now + timedelta(days=retention_days))


def retire(runtime: Runtime, lease: Lease) -> None:
    """End a connection that nobody has used for the whole retention time."""
    wanted: list[str] = []
    now = runtime.clock.now()
    with transaction() as session:
        connections.lock(session, [lease.subject_id])
        tasks.hold(session, lease, now)
        connection = session.get(Connection, lease.subject_id)
        if connection is not None and connection.unused_since is not None:
            wanted = _end(runtime, session, connection)
        else:
            tasks.finish(session, lease, None)
    runtime.queue.announce(wanted)


def revoke_credential(runtime: Runtime, lease: Lease) -> None:
    """Give a credential back at its provider; it is kept only until that has worked.

    Whoever has connected the same login again keeps it: it would end their new grant as well.
    """
    revocation = reading().get(Revocation, lease.subject_id)
    if revocation is not None and not _is_needed_again(revocation):
        place = f"revocations:{revocation.id}:credential"
        plain = runtime.vault.unwrap(revocation.wrapped_credential, place)
        secret = connections.decode_credential(plain)
        provider = runtime.provider(revocation.provider)
        if isinstance(provider, OAuthProvider) and isinstance(secret, OAuthCredential):
            provider.revoke(secret)
    forget_revocation(runtime, lease)


def _is_needed_again(revocation: Revocation) -> bool:
    login_digest = revocation.login_digest
    return login_digest is not None and _is_connected(reading(), revocation.provider, login_digest)


def forget_revocation(runtime: Runtime, lease: Lease) -> None:
    """Destroy a credential that has been given back, or that nobody takes back."""
    with transaction() as session:
        tasks.hold(session, lease, runtime.clock.now())
        found = session.get(Revocation, lease.subject_id)
        if found is not None:
            session.delete(found)
        tasks.finish(session, lease, None)
