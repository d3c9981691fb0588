"""Identifiers and secrets: the only source of randomness.

Prefixes are those of the partner API (`acc_`, `pro_`, `cal_`, `evt_external_`, `chn_`).
"""

from __future__ import annotations

import random
import secrets
import uuid


def new_id(prefix: str) -> str:
    """Make an identifier such as `acc_6a0f3c51d2e84b0013c7a9f1`: 96 random bits in hex."""
    return f"{prefix}_{secrets.token_hex(12)}"


def new_profile_id() -> str:
    """Make a profile id: `pro_` and 12 letters or digits, never `_`, which splits calendar ids."""
    alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789"
    return "pro_" + "".join(secrets.choice(alphabet) for _ in range(16))


def new_secret() -> str:
    """Make a token, code or state: 32 URL-safe characters, 192 random bits."""
    return secrets.token_urlsafe(24)


def new_client_secret() -> str:
    """Make a partner application's secret: `CRN_` and 38 URL-safe characters."""
    return "CRN_" + secrets.token_urlsafe(29)[:38]


def new_pkce_verifier() -> str:
    """Make a PKCE code verifier of 64 characters (RFC 7636 section 4.1)."""
    return secrets.token_urlsafe(48)


def new_uuid() -> str:
    """Make a random UUID, for ids that a provider wants in that form."""
    return str(uuid.uuid4())


def new_support_code() -> str:
    """Make a code such as `K7Q2-9F3M` to read out on the telephone: 39 random bits."""
    alphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
    drawn = "".join(secrets.choice(alphabet) for _ in range(8))
    return f"{drawn[:4]}-{drawn[4:]}"


def new_key() -> bytes:
    """Make a 256-bit key."""
    return secrets.token_bytes(32)


def new_nonce() -> bytes:
    """Make a 96-bit nonce for AES-GCM (NIST SP 800-38D section 8.2.2)."""
    return secrets.token_bytes(12)


def jitter(spread: float = 0.25) -> float:
    """Draw a factor around 1, so that a thousand calendars do not poll in step."""
    return 1.0 + random.uniform(-spread, spread)  # noqa: S311 - spreads load, guards nothing
