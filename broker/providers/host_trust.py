"""To which hosts a typed password goes, and which ones the person is asked about first.

Without asking it goes to what the person named, to hosts below that, and to services that we
know. Wherever else DNS or a redirect points, the person sees the host's name and says yes
before anything secret is sent (RFC 6764 section 8).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from broker.addresses import as_address
from broker.errors import AddressRefused, HostUnconfirmed

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9-]+)+")
_USUAL_PORT = 443


@dataclass(frozen=True, slots=True)
class HostTrust:
    """Knows the places that may have the password.

    *named* and *confirmed* hold places as `place_of` gives them. What is below a *named* one
    belongs to it; what was *confirmed* is that place only.
    """

    named: frozenset[str]
    confirmed: frozenset[str] = frozenset()

    def covers(self, place: str) -> bool:
        """Tell whether a place may have the password without a question."""
        below = any(place.endswith(f".{name}") for name in self.named if as_address(name) is None)
        return place in self.named or place in self.confirmed or below

    def check(self, url: str) -> None:
        """Raise HostUnconfirmed for a place to ask about, AddressRefused for one to refuse."""
        place = place_of(url)
        if not self.covers(place):
            raise HostUnconfirmed(place)


def place_of(url: str) -> str:
    """Give the host of an address as a person is shown it, with a port that is not the usual.

    In ASCII, so that look-alikes in other scripts show. Raises AddressRefused when it is not
    https to a host's name, or has a user name in it.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").encode("idna").decode().lower()
        port = parts.port or _USUAL_PORT
    except (ValueError, UnicodeError) as error:
        raise AddressRefused("redirect_refused") from error
    if parts.scheme != "https" or "@" in parts.netloc or "\\" in url or not _HOST.fullmatch(host):
        raise AddressRefused("redirect_refused")
    if as_address(host) is not None:
        raise AddressRefused("redirect_refused")
    return host if port == _USUAL_PORT else f"{host}:{port}"
