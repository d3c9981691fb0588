"""Which addresses we connect to when an outsider chose them (security.md C2).

Refused: loopback, private, link-local, shared (CGNAT), multicast, unspecified, reserved,
IPv4 hidden in IPv6 (mapped, 6to4, Teredo, NAT64), anything but https on 443 or 8443, user
info in the address, and names of cloud metadata services. An operator's allow-list of host
names and ranges opens what is inside their own network.
"""

from __future__ import annotations

import ipaddress
import socket
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from broker.errors import AddressRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], list[str]]

USUAL_PORTS = frozenset({443, 8443})
PLAIN_PORTS = frozenset({80})
_PORTS = {"http": 80, "https": 443}
_REFUSED_NAMES = frozenset({"metadata.google.internal", "metadata", "instance-data"})
_EMBEDDED = (
    ipaddress.ip_network("64:ff9b::/96"),
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("2002::/16"),
    ipaddress.ip_network("2001::/32"),
)
# Not for the public Internet, though `is_global` says so: protocol assignments (RFC 6890),
# 6to4 relays (RFC 7526) and site-local addresses (RFC 3879).
_SPECIAL = (
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("192.88.99.0/24"),
    ipaddress.ip_network("fec0::/10"),
)


def resolve(host: str, port: int) -> list[str]:
    """Give the addresses of a host name, in the system's order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def find(host: str, port: int) -> list[tuple[str, int]]:
    """Give where a host and port are, as addresses and ports."""
    return [(address, port) for address in resolve(host, port)]


class AddressPolicy:
    """Decides on addresses. *allowed* are host names and ranges that the operator opened.

    *detours* say where https hosts are, by name and for all names below it, in place of DNS;
    that place must be allowed all the same.
    """

    def __init__(
        self,
        allowed: Sequence[str] = (),
        *,
        resolver: Resolver = resolve,
        detours: Mapping[str, tuple[str, int]] | None = None,
    ) -> None:
        self.resolver = resolver
        self._detours = dict(detours or {})
        self._names: set[str] = set()
        self._networks: list[Network] = []
        for entry in allowed:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._names.add(entry.lower().rstrip("."))

    def check_url(self, url: str, *, plain: bool = False) -> None:
        """Refuse what can be refused before any connection. *plain* asks for http on port 80.

        Raises AddressRefused with a reason code: `address_malformed`, `address_not_https`,
        `address_port`, `address_private`.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise AddressRefused("address_malformed") from error
        if not host or parts.username is not None or "\\" in url or parts.fragment:
            raise AddressRefused("address_malformed")
        if self.is_allowed_name(host):
            return
        literal = as_address(host)
        if literal is not None and self.is_allowed(literal):
            return
        if host.rstrip(".").lower() in _REFUSED_NAMES:
            raise AddressRefused("address_private")
        if parts.scheme != ("http" if plain else "https"):
            raise AddressRefused("address_not_https")
        if port is not None and port not in (PLAIN_PORTS if plain else USUAL_PORTS):
            raise AddressRefused("address_port")
        if literal is not None and not is_public(literal):
            raise AddressRefused("address_private")

    def find(self, host: str, port: int) -> list[tuple[str, int]]:
        """Give where a host may be connected to. Raises what `addresses` does."""
        for name, place in self._detours.items():
            if port == 443 and (host == name or host.endswith(f".{name}")):
                host, port = place
                break
        return [(address, port) for address in self.addresses(host, port)]

    def addresses(self, host: str, port: int) -> list[str]:
        """Resolve *host* and keep only addresses that may be connected to.

        Raises AddressRefused when it has addresses but none may be used.
        """
        found = self.resolver(host, port)
        if self.is_allowed_name(host):
            return found
        good = [text for text in found if self._may_use(text)]
        if found and not good:
            raise AddressRefused("address_private")
        return good

    def is_allowed_name(self, host: str) -> bool:
        """Tell whether the operator opened this host name."""
        return host.lower().rstrip(".") in self._names

    def is_allowed(self, address: Address) -> bool:
        """Tell whether the operator opened a range that holds this address."""
        return any(address in network for network in self._networks)

    def _may_use(self, text: str) -> bool:
        address = ipaddress.ip_address(text.split("%")[0])
        return is_public(address) or self.is_allowed(address)


def as_address(host: str) -> Address | None:
    """Read a host as an address literal; None when it is a name.

    Decimal, octal and hexadecimal spellings of IPv4 (`2130706433`, `0x7f.1`) count too,
    because the system's resolver accepts them, and so do digits and dots of other scripts,
    because they become ASCII on the way to it.
    """
    host = unicodedata.normalize("NFKC", host).replace("\u3002", ".").removesuffix(".")
    try:
        return ipaddress.ip_address(host.strip("[]").split("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def is_public(address: Address) -> bool:
    """Tell whether an address is a global unicast one and hides no other."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None or any(address in net for net in _EMBEDDED):
            return False
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def client_place(text: str) -> str:
    """Give what a client's requests are counted under: its address, or its IPv6 network.

    Whoever has one IPv6 address has all 2^64 of its network. What is no address stays as it is.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def same_origin(from_url: str, to_url: str) -> bool:
    """Tell whether a redirect stays with the same scheme, host and port."""
    try:
        left, right = _origin(from_url), _origin(to_url)
    except ValueError:
        return False
    return left == right


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
