"""Credentials that work: one refresh upstream, however many callers need it.

Whoever sets `refresh_until` on the connection refreshes; everyone else waits for the row's
`credential_version` to rise. It works across processes, because it is a row.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar, cast

from sqlalchemy import bindparam, or_, select, update

from broker.errors import (
    AuthorizationLost,
    LoginPaused,
    ProviderUnavailable,
    RefreshPending,
    ScopeMissing,
)
from broker.logins import Credential, OAuthCredential
from broker.models import Connection, at_once, reading, transaction
from broker.models.base import changed, table_of
from broker.providers.base import CalendarClient, OAuthProvider
from broker.services import connections, moved_homes
from broker.services.runtime import Runtime

log = logging.getLogger(__name__)

MARGIN = timedelta(minutes=4)
REFRESH_LEASE = timedelta(seconds=75)
LOOK_AGAIN = timedelta(milliseconds=50)
PATIENCE = timedelta(seconds=5)
_CONNECTIONS = table_of(Connection)
COLUMNS = (
    _CONNECTIONS.c.id,
    _CONNECTIONS.c.provider,
    _CONNECTIONS.c.wrapped_key,
    _CONNECTIONS.c.sealed_credential,
    _CONNECTIONS.c.credential_version,
    _CONNECTIONS.c.refresh_until,
    _CONNECTIONS.c.paused_until,
    _CONNECTIONS.c.disconnected_reason,
)
"""What of a connection is read here; whoever has just read it hands it on as *seen*."""

_FIND = select(*COLUMNS).where(_CONNECTIONS.c.id == bindparam("id"))

Result = TypeVar("Result")


def with_client(
    runtime: Runtime,
    connection_id: str,
    action: Callable[[CalendarClient], Result],
    *,
    seen: Connection | None = None,
) -> Result:
    """Do something with a working client; a refused access token is renewed once.

    *action* may run twice. Raises AuthorizationLost when the login is refused and ScopeMissing
    when it covers too little, with the version of the credential: a newer one is not concerned.
    A token that the provider has just issued and refuses all the same is its own trouble,
    ProviderUnavailable: only the refusal to renew says that the person has to come back.
    """
    found, version = client(runtime, connection_id, seen=seen)
    try:
        return _with(runtime, connection_id, found, version, action)
    except AuthorizationLost:
        found, renewed = client(runtime, connection_id, stale=version)
        if renewed == version:
            raise
    try:
        return _with(runtime, connection_id, found, renewed, action)
    except AuthorizationLost as error:
        if _is_oauth(runtime, connection_id):
            detail = "refuses a token that it has just issued"
            raise ProviderUnavailable(
                error.provider, error.operation, error.status, detail=detail
            ) from error
        raise


def _is_oauth(runtime: Runtime, connection_id: str) -> bool:
    return isinstance(runtime.provider(_look(connection_id).provider), OAuthProvider)


def _with(
    runtime: Runtime,
    connection_id: str,
    found: CalendarClient,
    version: int,
    action: Callable[[CalendarClient], Result],
) -> Result:
    """Do something with a client, and keep where it found the calendars."""
    before = moved_homes.place(found)
    try:
        result = action(found)
    except (AuthorizationLost, ScopeMissing) as error:
        error.credential_version = version
        raise
    moved_homes.keep(runtime, connection_id, version, before, found)
    return result


def client(
    runtime: Runtime,
    connection_id: str,
    *,
    stale: int | None = None,
    seen: Connection | None = None,
) -> tuple[CalendarClient, int]:
    """Give a client with a credential that is good now, and the credential's version.

    Raises AuthorizationLost when the connection is gone or the provider refuses the refresh,
    ProviderMissing, and what `OAuthProvider.refresh` raises.
    """
    connection, credential = fresh(runtime, connection_id, stale=stale, seen=seen)
    return runtime.provider(connection.provider).client(credential), connection.credential_version


def fresh(
    runtime: Runtime,
    connection_id: str,
    *,
    stale: int | None = None,
    seen: Connection | None = None,
) -> tuple[Connection, Credential]:
    """Give a connection, as it was read, and a credential that does not expire within minutes.

    *stale* is a credential version that the provider has just refused: it is not used again.
    Whoever finds that somebody else refreshes only reads, so as to keep nobody from writing.
    Raises RefreshPending when that takes long: a worker has other work to do; and LoginPaused
    while the provider wants to hear nothing of this login.
    """
    waited_from = runtime.clock.now()
    while True:
        connection, credential = _opened(runtime, seen or _look(connection_id))
        seen = None
        now = runtime.clock.now()
        if connection.paused_until is not None and connection.paused_until > now:
            wait = connection.paused_until - now
            raise LoginPaused(connection.provider, "pause", retry_after=wait)
        if not _needs_refresh(connection, credential, stale, now):
            return connection, credential
        provider = cast(OAuthProvider, runtime.provider(connection.provider))
        is_free = connection.refresh_until is None or connection.refresh_until <= now
        if is_free and _begin_refresh(connection, now):
            try:
                _refresh(runtime, provider, connection, cast(OAuthCredential, credential))
            except AuthorizationLost as error:
                error.credential_version = connection.credential_version
                # The person may have connected again while the old token was being refused.
                if _version(connection_id) == connection.credential_version:
                    raise
            # What comes of it is used even when it is short-lived, or this would never end.
            return _read(runtime, connection_id)
        if now - waited_from >= PATIENCE:
            raise RefreshPending(connection.provider, "refresh", retry_after=PATIENCE)
        runtime.clock.sleep(LOOK_AGAIN)


def _read(runtime: Runtime, connection_id: str) -> tuple[Connection, Credential]:
    return _opened(runtime, _look(connection_id))


def _opened(runtime: Runtime, connection: Connection) -> tuple[Connection, Credential]:
    return connection, connections.credential(runtime.vault, connection)


def _look(connection_id: str) -> Connection:
    """Read what is there now, and hold no snapshot while a provider is asked."""
    with at_once() as database:
        row = database.execute(_FIND, {"id": connection_id}).one_or_none()
    if row is None or row.disconnected_reason is not None:
        raise AuthorizationLost("broker", "credential", detail="not connected")
    return cast(Connection, row)


def _version(connection_id: str) -> int | None:
    query = select(Connection.credential_version).where(Connection.id == connection_id)
    return reading().scalar(query)


def _needs_refresh(
    connection: Connection, credential: Credential, stale: int | None, now: datetime
) -> bool:
    if not isinstance(credential, OAuthCredential):
        return False
    if stale is not None and connection.credential_version <= stale:
        return True
    return credential.expires_at - now < MARGIN


def _begin_refresh(connection: Connection, now: datetime) -> bool:
    """Take the right to refresh this version of the credential."""
    table = _CONNECTIONS.c
    with transaction() as session:
        take = (
            update(_CONNECTIONS)
            .where(
                table.id == connection.id,
                table.credential_version == connection.credential_version,
                or_(table.refresh_until.is_(None), table.refresh_until <= now),
            )
            .values(refresh_until=now + REFRESH_LEASE)
        )
        return bool(changed(session, take))


def _refresh(
    runtime: Runtime, provider: OAuthProvider, connection: Connection, old: OAuthCredential
) -> None:
    connection_id, held = connection.id, connection.credential_version
    key = connections.data_key(runtime.vault, connection)
    values: dict[str, object] = {"refresh_until": None}
    try:
        new = provider.refresh(old)
        values["sealed_credential"] = connections.seal_credential(key, connection_id, new)
        values["credential_version"] = held + 1
        log.info("credential refreshed", extra={"connection": connection_id})
    finally:
        with transaction() as session:
            session.execute(
                update(_CONNECTIONS)
                .where(
                    _CONNECTIONS.c.id == connection_id,
                    _CONNECTIONS.c.credential_version == held,
                )
                .values(**values)
            )
