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
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from broker.errors import AddressRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], list[str]]

USUAL_PORTS = frozenset({443, 8443})
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


class AddressPolicy:
    """Decides on addresses. *allowed* are host names and ranges that the operator opened."""

    def __init__(self, allowed: Sequence[str] = (), *, resolver: Resolver = resolve) -> None:
        self.resolver = resolver
        self._names: set[str] = set()
        self._networks: list[Network] = []
        for entry in allowed:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._names.add(entry.lower().rstrip("."))

    def check_url(self, url: str) -> None:
        """Refuse what can be refused before any connection.

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
        if parts.scheme != "https":
            raise AddressRefused("address_not_https")
        if port is not None and port not in USUAL_PORTS:
            raise AddressRefused("address_port")
        if literal is not None and not is_public(literal):
            raise AddressRefused("address_private")

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


class _GuardedConnection(HTTPConnection):
    """Connects only to an address that the policy has just approved."""

    policy: AddressPolicy

    def _new_conn(self) -> socket.socket:
        return _connect(self, self.policy)


class _GuardedTlsConnection(HTTPSConnection):
    """The same over TLS; the certificate is still checked against the name."""

    policy: AddressPolicy

    def _new_conn(self) -> socket.socket:
        return _connect(self, self.policy)


def _connect(connection: HTTPConnection, policy: AddressPolicy) -> socket.socket:
    host, port = connection.host.strip("[]"), connection.port or 443
    try:
        addresses = policy.addresses(host, port)
    except (socket.gaierror, UnicodeError) as error:
        raise NameResolutionError(host, connection, socket.gaierror()) from error
    if not addresses:
        raise NameResolutionError(host, connection, socket.gaierror())
    timeout = connection.timeout if isinstance(connection.timeout, int | float) else None
    failure: OSError | None = None
    for address in addresses:
        try:
            made = socket.create_connection((address, port), timeout)
        except OSError as error:
            failure = error
            continue
        # Above all TCP_NODELAY: without it a body waits until its headers are acknowledged.
        for option in connection.socket_options or ():
            made.setsockopt(*option)
        return made
    if isinstance(failure, TimeoutError):
        raise ConnectTimeoutError(connection, "no connection in time") from failure
    raise NewConnectionError(connection, "no connection") from failure


class GuardedAdapter(HTTPAdapter):
    """A requests transport whose sockets go through an AddressPolicy.

    Behind an egress proxy the proxy connects, so only the URL can be checked here.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        through_proxy: bool = False,
        pool_connections: int = 10,
        pool_maxsize: int = 16,
    ) -> None:
        self._policy = policy
        self._through_proxy = through_proxy
        super().__init__(pool_connections=pool_connections, pool_maxsize=pool_maxsize)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Build the pool with connection classes bound to this policy."""
        super().init_poolmanager(*args, **kwargs)
        if self._through_proxy:
            return
        plain = type("Plain", (_GuardedConnection,), {"policy": self._policy})
        tls = type("Tls", (_GuardedTlsConnection,), {"policy": self._policy})
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
        }
