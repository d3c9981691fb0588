"""What a server that answers 401 takes as proof of a login (RFC 9110 section 11.6.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping

UNAUTHORIZED = 401
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z][A-Za-z0-9-]*)(?=\s*(?:,|$)|\s+[^\s=,]+)")
_LONGEST = 16_384
_NAMES: Mapping[str, str] = {
    name.lower(): name for name in ("NTLM", "Negotiate", "Basic", "Digest", "Bearer", "Kerberos")
}


def schemes(header: str) -> frozenset[str]:
    """Read the names in WWW-Authenticate, in lower case."""
    bare = _QUOTED.sub('""', header[:_LONGEST])
    return frozenset(match[1].lower() for match in _SCHEME.finditer(bare))


def offered_by(status: int, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Give the schemes of an answer that we know by name: a server can write what it likes."""
    if status != UNAUTHORIZED:
        return ()
    found = schemes(headers.get("WWW-Authenticate", ""))
    return tuple(sorted(_NAMES[name] for name in found & _NAMES.keys()))
