"""How long a server asks us to wait: `Retry-After` (RFC 9110 section 10.2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST = timedelta(days=1)


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Read the header, seconds or a date; None when it says nothing that can be understood.

    Never negative, and a day at the most: nobody else decides that we stay away for longer.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return bounded(timedelta(seconds=int(text[:9])))
    try:
        at = parsedate_to_datetime(text)
        return bounded(at.replace(tzinfo=at.tzinfo or UTC) - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def bounded(wait: timedelta) -> timedelta:
    """Cut a wait to what is between nothing and the longest."""
    return min(max(wait, timedelta()), LONGEST)
