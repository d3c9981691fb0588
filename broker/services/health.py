"""Asking every part of a running broker how it is."""

from __future__ import annotations

from collections.abc import Mapping

from redis.exceptions import RedisError
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from broker.errors import SealBroken
from broker.models import KeyCanary, reading, transaction
from broker.models.base import table_of
from broker.models.upserts import insert_into
from broker.services import housekeeping
from broker.services.runtime import Runtime

PROCESSES = ("worker", "clock")
_CANARY = b"this ring opens what this database holds"
RING_STATE = "the key ring does not open this database"
DIGEST_STATE = "the digest key is not this database's"
UNKNOWN = "unknown"


def check(runtime: Runtime) -> dict[str, str]:
    """Give each part's state: `ok`, or what is wrong with it in a few words."""
    parts = {"database": _database(), "redis": _redis(runtime)}
    if parts["database"] != "ok":
        return parts | dict.fromkeys(("keys", *PROCESSES), UNKNOWN)
    try:
        parts["keys"] = keys(runtime)
        beats = housekeeping.heartbeats()
    except SQLAlchemyError:
        # It answers but has no tables yet, or went away just now.
        reading().rollback()
        unknown = dict.fromkeys(("keys", *PROCESSES), UNKNOWN)
        return parts | unknown | {"database": "not migrated"}
    now = runtime.clock.now()
    for name in PROCESSES:
        seen = beats.get(name)
        alive = seen is not None and now - seen < housekeeping.ALIVE
        parts[name] = "ok" if alive else "not seen lately"
    return parts


def keys(runtime: Runtime) -> str:
    """Tell whether key ring and digest key are those that the database was made with."""
    session = reading()
    wrapped = {canary.name: canary.wrapped for canary in session.scalars(select(KeyCanary))}
    session.rollback()
    if not _is_seen(runtime, wrapped, "ring", _CANARY):
        return RING_STATE
    return "ok" if _is_seen(runtime, wrapped, "digest", _digest(runtime)) else DIGEST_STATE


def _is_seen(runtime: Runtime, wrapped: Mapping[str, bytes], name: str, expected: bytes) -> bool:
    """Tell whether a canary opens and is what we expect; one that was never left is no fault."""
    if name not in wrapped:
        return True
    try:
        return runtime.vault.unwrap(wrapped[name], _place(name)) == expected
    except SealBroken:
        return False


def ensure_canary(runtime: Runtime) -> None:
    """Leave canaries in a new database: a text under the ring, and a digest of one."""
    if keys(runtime) != "ok":
        return
    left = {"ring": _CANARY, "digest": _digest(runtime)}
    held = set(reading().scalars(select(KeyCanary.name)))
    if held.issuperset(left):
        return
    with transaction() as session:
        for name, plain in left.items():
            canary = {"name": name, "wrapped": runtime.vault.wrap(plain, _place(name))}
            statement = insert_into(session, table_of(KeyCanary)).values(canary)
            session.execute(statement.on_conflict_do_nothing())


def _digest(runtime: Runtime) -> bytes:
    return runtime.vault.digest("canary", _CANARY.decode())


def _place(name: str) -> str:
    return f"key_canaries:{name}:wrapped"


def _database() -> str:
    try:
        session = reading()
        session.execute(text("SELECT 1"))
        session.rollback()
    except SQLAlchemyError:
        reading().rollback()
        return "not answering"
    return "ok"


def _redis(runtime: Runtime) -> str:
    try:
        runtime.redis.ping()
    except (RedisError, OSError):
        return "not answering"
    return "ok"
