"""Ids as one profile's application sees them.

Several applications may share a connection, so what is ours alone (calendar ids, occurrence
uids) never leaves: each profile has its own names for the same things, derived with the digest
key. They need no table, and are the same after any resync.
"""

from __future__ import annotations

import base64
import re

from broker.crypto import Vault

EVENT_PREFIX = "evt_external_"

_EVENT = re.compile(EVENT_PREFIX + r"([0-9a-f]{24})", re.ASCII)
_CALENDAR_BYTES = 12
_UID_BYTES = 12
_SERIES_BYTES = 8


def calendar_id(vault: Vault, profile_id: str, our_id: str) -> str:
    """Give a calendar's id for a profile; it cannot be turned back, only compared."""
    local = vault.digest("partner_calendar", profile_id, our_id)[:_CALENDAR_BYTES]
    suffix = profile_id.partition("_")[2]
    return f"cal_{suffix}_{base64.urlsafe_b64encode(local).decode()}"


def event_pad(vault: Vault, profile_id: str) -> int:
    """Give the pad that turns occurrence uids into a profile's event uids and back."""
    return int.from_bytes(vault.digest("partner_event_pad", profile_id)[:_UID_BYTES])


def series_pad(vault: Vault, profile_id: str) -> int:
    """Give the pad that turns series uids into a profile's series identifiers and back."""
    return int.from_bytes(vault.digest("partner_series_pad", profile_id)[:_SERIES_BYTES])


def event_uid(pad: int, uid: bytes) -> str:
    """Give an occurrence's `event_uid`. *pad* is that of `event_pad`."""
    return f"{EVENT_PREFIX}{int.from_bytes(uid) ^ pad:024x}"


def occurrence_uid(pad: int, partner_id: str) -> bytes | None:
    """Give the occurrence uid behind an `event_uid`; None when it is not one."""
    match = _EVENT.fullmatch(partner_id)
    return (int(match[1], 16) ^ pad).to_bytes(_UID_BYTES) if match else None


def series_identifier(pad: int, uid: bytes) -> str:
    """Give a series' `series_identifier`. *pad* is that of `series_pad`."""
    return f"{int.from_bytes(uid) ^ pad:016x}"
