"""What people type, put in order before anything else looks at it. Pure."""

from __future__ import annotations

import re

EMAIL = re.compile(r"[^@\s/:]+@[^@\s/:]+")


def trimmed(text: str | None) -> str | None:
    """Take off the blanks that copying and phone keyboards add around a value."""
    return text.strip() if text else text


def lower_domain(text: str | None) -> str | None:
    """Write the domain of an e-mail address small; before the @ case may matter."""
    local, at, domain = (trimmed(text) or "").rpartition("@")
    return f"{local}{at}{domain.lower()}" if at else domain


def without_password(address: str) -> str:
    """Take the password out of an address like `https://ada:secret@example.com/`."""
    scheme, sep, rest = address.rpartition("://")
    authority = rest.partition("/")[0]
    begin, _colon, after = authority.partition(":")
    if "@" not in rest or "@" in begin or not _colon:
        return address
    if "@" not in authority and (not after or after.isdigit()):
        return address  # a port, and an @ in the path
    host = (rest if "@" not in authority else authority).rpartition("@")[2]
    tail = rest[len(authority) :] if "@" in authority else ""
    return f"{scheme}{sep}{begin}@{host}{tail}"


def is_email(text: str | None) -> bool:
    """Tell an e-mail address from a server address."""
    return EMAIL.fullmatch(text or "") is not None
