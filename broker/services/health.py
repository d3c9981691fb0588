"""Asking every part of a running broker how it is."""

from __future__ import annotations

from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from broker.errors import SealBroken
from broker.models import KeyCanary, reading, transaction
from broker.services import housekeeping
from broker.services.runtime import Runtime

PROCESSES = ("worker", "clock")
_CANARY = b"this ring opens what this database holds"
_PLACE = "key_canaries:ring:wrapped"


def check(runtime: Runtime) -> dict[str, str]:
    """Give each part's state: `ok`, or what is wrong with it in a few words."""
    parts = {"database": _database(), "redis": _redis(runtime)}
    if parts["database"] != "ok":
        return parts | dict.fromkeys(("keys", *PROCESSES), "unknown")
    try:
        parts["keys"] = keys(runtime)
        beats = housekeeping.heartbeats()
    except SQLAlchemyError:
        # It answers but has no tables yet, or went away just now.
        reading().rollback()
        unknown = dict.fromkeys(("keys", *PROCESSES), "unknown")
        return parts | unknown | {"database": "not migrated"}
    now = runtime.clock.now()
    for name in PROCESSES:
        seen = beats.get(name)
        alive = seen is not None and now - seen < housekeeping.ALIVE
        parts[name] = "ok" if alive else "not seen lately"
    return parts


def keys(runtime: Runtime) -> str:
    """Tell whether the key ring opens what the database holds."""
    session = reading()
    canary = session.get(KeyCanary, "ring")
    session.rollback()
    if canary is None:
        return "ok"
    try:
        opened = runtime.vault.unwrap(canary.wrapped, _PLACE)
    except SealBroken:
        return "the key ring does not open this database"
    return "ok" if opened == _CANARY else "the key ring does not open this database"


def ensure_canary(runtime: Runtime) -> None:
    """Leave a canary in a new database, sealed under the ring that it begins with."""
    if reading().get(KeyCanary, "ring") is not None:
        return
    with transaction() as session:
        if session.get(KeyCanary, "ring") is None:
            session.add(KeyCanary(name="ring", wrapped=runtime.vault.wrap(_CANARY, _PLACE)))


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
