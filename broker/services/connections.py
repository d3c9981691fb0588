"""Connections: opening what is sealed about them, and how they end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec
from sqlalchemy import bindparam, case, select, update
from sqlalchemy.orm import Session

from broker.crypto import DataKey, Vault
from broker.logins import Credential, OAuthCredential, PasswordCredential
from broker.models import Calendar, Connection, at_once, reading
from broker.models.base import UtcDateTime, table_of
from broker.models.upserts import is_postgresql
from broker.providers.base import PasswordProvider
from broker.services.runtime import Runtime

_CONNECTIONS = table_of(Connection)
WANTED = (_CONNECTIONS.c.disconnected_reason.is_(None), _CONNECTIONS.c.unused_since.is_(None))
"""What says that the provider accepts a connection and some application may read it."""

_LOCK = (
    select(_CONNECTIONS.c.id)
    .where(_CONNECTIONS.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(_CONNECTIONS.c.id)
    .with_for_update()
)
_UNTIL = bindparam("until", type_=UtcDateTime())
_PAUSED_LONGER = _CONNECTIONS.c.paused_until > _UNTIL
_PAUSE = (
    update(_CONNECTIONS)
    .where(_CONNECTIONS.c.id == bindparam("connection"))
    .values(paused_until=case((_PAUSED_LONGER, _CONNECTIONS.c.paused_until), else_=_UNTIL))
)


class Identity(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose login a connection is, as sealed in its row.

    *addresses* of the person are never shown to anybody but their own applications.
    """

    subject: str
    profile_name: str
    email: str | None = None
    display_name: str | None = None


class _Stored(msgspec.Struct, frozen=True):
    """A credential as it is sealed: one of its two kinds."""

    oauth: OAuthCredential | None = None
    password: PasswordCredential | None = None


def lock(session: Session, connection_ids: Iterable[str]) -> None:
    """Lock connections for the caller's transaction; what is read afterwards is true until then.

    Everybody locks in one order, or two transactions wait for each other: accounts, grants,
    connections, their tasks, their calendars. So this comes before `tasks.hold` wherever a
    transaction writes a connection, or more than one task. SQLite has one writer and needs no
    locks.
    """
    if is_postgresql(session):
        session.execute(_LOCK, {"ids": list(connection_ids)})


def pause(connection_id: str, until: datetime) -> None:
    """Note that a provider wants to hear nothing of a login *until* then, or later if it said so.

    `credentials` keeps to it.
    """
    with at_once() as database:
        database.execute(_PAUSE, {"connection": connection_id, "until": until})


def lock_wanted(session: Session, connection_id: str) -> bool:
    """Lock a connection; False when it was left or refused, so that nothing may be started."""
    lock(session, [connection_id])
    works = select(Connection.id).where(Connection.id == connection_id, *WANTED)
    return session.scalar(works) is not None


def login_in_turns(runtime: Runtime, slug: str, connection_id: str) -> str | None:
    """Name the login whose tasks take turns; None where several may run at once.

    A password that was changed is refused once then, and not once for each worker, which may
    lock the account; and servers that are asked with passwords like to be asked one by one.
    """
    return connection_id if isinstance(runtime.providers.get(slug), PasswordProvider) else None


def of_calendar(calendar_id: str) -> tuple[Calendar, Connection] | None:
    """Read a calendar with its connection; None when it is gone."""
    query = select(Calendar, Connection).join(Connection, Connection.id == Calendar.connection_id)
    row = reading().execute(query.where(Calendar.id == calendar_id)).one_or_none()
    return (row[0], row[1]) if row is not None else None


def key_place(connection_id: str) -> str:
    """Name where a connection's wrapped data key belongs."""
    return f"connections:{connection_id}:key"


def data_key(vault: Vault, connection: Connection) -> DataKey:
    """Open a connection's data key. Raises SealBroken under a wrong key ring."""
    return vault.data_key(connection.wrapped_key, key_place(connection.id))


def identity(vault: Vault, connection: Connection) -> Identity:
    """Open whose login a connection is."""
    sealed = connection.sealed_identity
    plain = data_key(vault, connection).open(sealed, f"connections:{connection.id}:identity")
    return msgspec.json.decode(plain, type=Identity)


def seal_identity(key: DataKey, connection_id: str, who: Identity) -> bytes:
    """Seal whose login a connection is."""
    return key.seal(msgspec.json.encode(who), f"connections:{connection_id}:identity")


def credential(vault: Vault, connection: Connection) -> Credential:
    """Open a connection's credential."""
    place = f"connections:{connection.id}:credential"
    return decode_credential(data_key(vault, connection).open(connection.sealed_credential, place))


def seal_credential(key: DataKey, connection_id: str, secret: Credential) -> bytes:
    """Seal a credential."""
    return key.seal(encode_credential(secret), f"connections:{connection_id}:credential")


def encode_credential(secret: Credential) -> bytes:
    """Write a credential of either kind as bytes, for sealing only."""
    if isinstance(secret, OAuthCredential):
        return msgspec.json.encode(_Stored(oauth=secret))
    return msgspec.json.encode(_Stored(password=secret))


def decode_credential(plain: bytes) -> Credential:
    """Read what `encode_credential` wrote."""
    stored = msgspec.json.decode(plain, type=_Stored)
    found = stored.oauth or stored.password
    if found is None:
        raise ValueError("a credential of no kind")
    return found


def calendar_remote_id(key: DataKey, calendar_id: str, sealed: bytes) -> str:
    """Open what the provider calls a calendar."""
    return key.open_text(sealed, f"calendars:{calendar_id}:remote_id")


def calendar_name(key: DataKey, calendar: Calendar) -> str:
    """Open a calendar's name."""
    return key.open_text(calendar.sealed_name, f"calendars:{calendar.id}:name")
