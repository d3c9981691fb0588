"""Redirect URIs: which ones are good, and what is appended to them."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import quote, urlencode

_LONGEST = 2048

# No control characters, spaces, quotes, backslashes or fragments, and ASCII only: what two
# parsers could read in two ways is refused, even where it was registered.
_PLAIN = re.compile(r"https?://[^\s\"<>\\^`{|}#]+", re.ASCII)
_USERINFO = re.compile(r"https?://[^/?]*@", re.ASCII)
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?((?:[/?].*)?)", re.ASCII)
_LOCALHOST = re.compile(
    r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?(?:[/?].*)?", re.ASCII
)


def is_well_formed(uri: str) -> bool:
    """Tell whether *uri* can be a redirect URI at all (RFC 6749 section 3.1.2)."""
    return (
        len(uri) <= _LONGEST
        and uri.isascii()
        and uri.isprintable()
        and _PLAIN.fullmatch(uri) is not None
        and _USERINFO.match(uri) is None
    )


def is_allowed(uri: str, registered: Collection[str], *, any_loopback: bool = False) -> bool:
    """Compare *uri* with the registered ones as exact strings.

    Only the port of a registered loopback address may differ (RFC 8252 section 7.3), since a
    native application cannot know it beforehand. *any_loopback* accepts every http address of
    this machine.
    See RFC 9700 section 4.1.3.
    """
    if not is_well_formed(uri):
        return False
    if uri in registered:
        return True
    if any_loopback and _LOCALHOST.fullmatch(uri):
        return True
    portless = _without_port(uri)
    return portless is not None and portless in {_without_port(known) for known in registered}


def with_parameters(uri: str, parameters: dict[str, str]) -> str:
    """Append *parameters* to whatever query *uri* has (RFC 6749 section 3.1.2)."""
    query = urlencode(parameters, quote_via=quote, safe="")
    if uri.endswith(("?", "&")):
        return uri + query
    return f"{uri}{'&' if '?' in uri else '?'}{query}"


def _without_port(uri: str) -> tuple[str, str] | None:
    match = _LOOPBACK.fullmatch(uri)
    return (match[1], match[2]) if match else None
