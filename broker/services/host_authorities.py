"""Certificate authorities that are believed for one host only, because its operator said so.

Many companies issue the certificates of their own servers. Trusting such an authority everywhere
would let it, and whoever steals its key, speak for every other company's server: so each stands
beside one host name, in the database, where every process sees it within seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from broker.clock import Clock
from broker.crypto import Vault
from broker.errors import InvalidFields, NotFound, SealBroken
from broker.ids import new_id
from broker.models import HostAuthority as Row
from broker.models import audit, db, reading, transaction
from broker.models.base import table_of
from broker.services import authority_files
from broker.services.authority_files import Authority
from broker.services.learned_rules import domain_of
from broker.services.runtime import Runtime

log = logging.getLogger(__name__)

SEEN_WITHIN = timedelta(seconds=5)
"""How long another process may still go by what it read before."""
_SHORTEST_FINGERPRINT = 8


@dataclass(frozen=True, slots=True)
class Trusted:
    """An authority and the one host that it is believed for."""

    host: str
    authority: Authority


class _Sealed(msgspec.Struct, frozen=True):
    host: str
    der: bytes


class HostAuthorities:
    """Answers, for the one place of HTTP, whom to believe for a host; reads at most every 5 s.

    *context* opens an app context, since calls are also made where there is none.
    """

    def __init__(
        self, vault: Vault, clock: Clock, context: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._vault = vault
        self._clock = clock
        self._context = context
        self._held: Mapping[bytes, tuple[bytes, ...]] = {}
        self._read_at: float | None = None
        self._first = Lock()

    def __call__(self, host: str) -> tuple[bytes, ...]:
        """Give the authorities of this very host in DER; none of any other, not of one below it."""
        now = self._clock.monotonic()
        if self._read_at is None:
            # Whoever comes meanwhile waits: there is no last word yet that they could go by.
            with self._first:
                if self._read_at is None:
                    self._renew()
                    self._read_at = now
        elif now - self._read_at >= SEEN_WITHIN.total_seconds():
            self._read_at = now
            self._renew()
        if not self._held:
            return ()
        return self._held.get(_digest(self._vault, host.lower().rstrip(".")), ())

    def _renew(self) -> None:
        with suppress(SQLAlchemyError):
            # Without a database the last word counts: nobody could have changed it.
            self._held = self._read()

    def _read(self) -> dict[bytes, tuple[bytes, ...]]:
        # A connection of its own: the caller's session must not begin a transaction for this.
        table = table_of(Row).c
        query = select(table.id, table.host_digest, table.wrapped).order_by(table.id)
        with self._context(), db.engine.connect() as connection:
            rows = connection.execute(query).all()
        found: dict[bytes, tuple[bytes, ...]] = {}
        for row_id, digest, wrapped in rows:
            try:
                found[digest] = (*found.get(digest, ()), _opened(self._vault, row_id, wrapped).der)
            except SealBroken:
                log.warning("authority sealed under a missing key", extra={"authority": row_id})
        return found


def add(runtime: Runtime, host: str, data: bytes) -> list[Trusted]:
    """Believe the authorities in a file for one host; those that it has already stay as they are.

    Raises InvalidFields.
    """
    name, now = _asked(host), runtime.clock.now()
    found = authority_files.read(data, now)
    with transaction() as session:
        for authority in found:
            digest = _digest(runtime.vault, name, authority.fingerprint)
            if session.scalar(select(Row.id).filter_by(authority_digest=digest)) is not None:
                continue
            row_id = new_id("cav")
            plain = msgspec.json.encode(_Sealed(name, authority.der))
            session.add(
                Row(
                    id=row_id,
                    host_digest=_digest(runtime.vault, name),
                    authority_digest=digest,
                    wrapped=runtime.vault.wrap(plain, place(row_id)),
                    added_at=now,
                )
            )
            audit.note(session, now, "authority_added", subject_id=row_id)
    return [Trusted(name, authority) for authority in found]


def listed(runtime: Runtime, host: str = "") -> list[Trusted]:
    """List the authorities of one host, or of all, by host and end. Raises InvalidFields."""
    query = select(Row)
    if host:
        query = query.filter_by(host_digest=_digest(runtime.vault, _asked(host)))
    found = [_trusted(runtime, row) for row in reading().scalars(query)]
    return sorted(found, key=lambda one: (one.host, one.authority.expires_at))


def remove(runtime: Runtime, host: str, fingerprint: str = "") -> int:
    """No longer believe the authorities of a host, or the one whose fingerprint begins so.

    Gives how many that were. Raises InvalidFields and NotFound.
    """
    begins = fingerprint.replace(":", "").lower()
    if fingerprint and len(begins) < _SHORTEST_FINGERPRINT:
        few = f"needs its first {_SHORTEST_FINGERPRINT} digits at least"
        raise InvalidFields({"fingerprint": [("errors.invalid_format", few)]})
    query = select(Row).filter_by(host_digest=_digest(runtime.vault, _asked(host)))
    with transaction() as session:
        rows = [
            row
            for row in session.scalars(query)
            if _trusted(runtime, row).authority.fingerprint.startswith(begins)
        ]
        for row in rows:
            session.delete(row)
            audit.note(session, runtime.clock.now(), "authority_removed", subject_id=row.id)
    if not rows:
        raise NotFound("authority of this host")
    return len(rows)


def place(row_id: str) -> str:
    """Name the place that an authority's sealed text belongs to."""
    return f"host_authorities:{row_id}:authority"


def _trusted(runtime: Runtime, row: Row) -> Trusted:
    sealed = _opened(runtime.vault, row.id, row.wrapped)
    return Trusted(sealed.host, authority_files.describe(sealed.der))


def _opened(vault: Vault, row_id: str, wrapped: bytes) -> _Sealed:
    return msgspec.json.decode(vault.unwrap(wrapped, place(row_id)), type=_Sealed)


def _digest(vault: Vault, host: str, fingerprint: str = "") -> bytes:
    return vault.digest("host_authorities", host, fingerprint)


def _asked(host: str) -> str:
    name = domain_of(f"@{host.strip()}")
    if not name:
        text = "must be one host name, such as mail.example.com"
        raise InvalidFields({"host": [("errors.invalid_format", text)]})
    return name
