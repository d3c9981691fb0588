"""Identities inside the copy: the same thing has the same key after any resync.

What a provider calls a thing may be a mail address, so it is kept sealed and found by keyed
digest. Everything here is deterministic for one digest key.
"""

from __future__ import annotations

from broker.crypto import Vault


def event_key(vault: Vault, calendar_id: str, remote_id: str) -> bytes:
    """Give the 16 bytes under which an event of a calendar is kept."""
    return vault.digest("event", calendar_id, remote_id)[:16]


def occurrence_uid(vault: Vault, calendar_id: str, key: bytes, original: int | None) -> bytes:
    """Give the 12 bytes that identify one occurrence.

    *key* is the event's, or the master's for an occurrence of a series, also for one that was
    moved: *original* is when the rule had put it (epoch seconds), None for a single event.
    """
    place = "" if original is None else str(original)
    return vault.digest("occurrence", calendar_id, key.hex(), place)[:12]


def series_uid(vault: Vault, calendar_id: str, master_key: bytes) -> bytes:
    """Give the 8 bytes shared by all occurrences of a series."""
    return vault.digest("series", calendar_id, master_key.hex())[:8]


def event_place(calendar_id: str, key: bytes) -> str:
    """Name where a sealed event belongs, for its associated data."""
    return f"events:{calendar_id}:{key.hex()}"
