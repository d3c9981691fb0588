"""Rotating the key ring while the service is up.

What is wrapped under an older key of the ring is wrapped anew under the current one, row by
row, each by a conditional update: an interrupted rotation goes on where it was, and a row
that changed meanwhile is looked at again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, select, update

from broker.models import (
    ApplicationSecret,
    ConnectAttempt,
    Connection,
    Diagnosis,
    HostAuthority,
    KeyCanary,
    LearnedServer,
    RefreshToken,
    Revocation,
    audit,
    reading,
    transaction,
)
from broker.models.base import changed, table_of
from broker.oauth_server.tokens import successor_place
from broker.services import connections, host_authorities, learned_servers
from broker.services.runtime import Runtime

BATCH = 500


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A column that holds values wrapped under the ring, and where each belongs."""

    table: Table
    column: str
    place: Callable[[Any], str]


def wrapped_columns() -> list[Wrapped]:
    """List every column of the database that the key ring opens."""
    return [
        Wrapped(table_of(Connection), "wrapped_key", connections.key_place),
        Wrapped(
            table_of(ApplicationSecret), "wrapped", lambda i: f"application_secrets:{i}:secret"
        ),
        Wrapped(
            table_of(Revocation), "wrapped_credential", lambda i: f"revocations:{i}:credential"
        ),
        Wrapped(
            table_of(ConnectAttempt), "wrapped_request", lambda i: f"connect_attempts:{i}:request"
        ),
        Wrapped(table_of(ConnectAttempt), "wrapped_flow", lambda i: f"connect_attempts:{i}:flow"),
        Wrapped(table_of(RefreshToken), "wrapped_successor", successor_place),
        Wrapped(table_of(Diagnosis), "wrapped_findings", lambda c: f"diagnoses:{c}:findings"),
        Wrapped(table_of(HostAuthority), "wrapped", host_authorities.place),
        Wrapped(table_of(LearnedServer), "wrapped", learned_servers.place),
        Wrapped(table_of(KeyCanary), "wrapped", lambda name: f"key_canaries:{name}:wrapped"),
    ]


def status(runtime: Runtime) -> Counter[str]:
    """Count the wrapped values under each key of the ring."""
    found: Counter[str] = Counter(dict.fromkeys(runtime.vault.key_names, 0))
    for wrapped in wrapped_columns():
        for _, value in _values(wrapped):
            found[runtime.vault.key_name(value)] += 1
    return found


def rotate(runtime: Runtime) -> int:
    """Wrap everything under the current key; gives how many values that were.

    Raises SealBroken when a value is under a key that is no longer in the ring.
    """
    moved = 0
    for wrapped in wrapped_columns():
        while stale := _stale(runtime, wrapped):
            with transaction() as session:
                for identity, value in stale:
                    place = wrapped.place(identity)
                    anew = runtime.vault.wrap(runtime.vault.unwrap(value, place), place)
                    key = next(iter(wrapped.table.primary_key.columns))
                    column = wrapped.table.c[wrapped.column]
                    statement = (
                        update(wrapped.table)
                        .where(key == identity, column == value)
                        .values({column: anew})
                    )
                    moved += changed(session, statement)
    with transaction() as session:
        audit.note(session, runtime.clock.now(), "keys_rotated", values=moved)
    return moved


def _stale(runtime: Runtime, wrapped: Wrapped) -> list[tuple[Any, bytes]]:
    current = runtime.vault.current
    stale: list[tuple[Any, bytes]] = []
    for identity, value in _values(wrapped):
        if runtime.vault.key_name(value) != current:
            stale.append((identity, value))
            if len(stale) == BATCH:
                break
    reading().rollback()
    return stale


def _values(wrapped: Wrapped) -> Iterator[tuple[Any, bytes]]:
    key = next(iter(wrapped.table.primary_key.columns))
    column = wrapped.table.c[wrapped.column]
    rows = reading().execute(select(key, column).where(column.is_not(None)).order_by(key))
    yield from rows.yield_per(BATCH)
