"""What outgoing calls go over: sockets that keep a deadline.

Timeouts of sockets count from byte to byte, so a server that drips can hold a caller for ever,
and they begin anew with each address, greeting and header. Here every wait of a call, from the
question to the resolver to the last byte, ends with the deadline that the caller is `within`.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from broker.clock import Clock
from broker.laps import Lap, lap, shown
from broker.line import current
from broker.trust import Trust

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 20.0
# May stand in a query as they are (RFC 3986 section 3.4). One percent sign makes urllib3 look at
# an address byte for byte, several times over.
_PLAIN_IN_QUERIES = "(),:/=@"

# `_ssl.ENCODING_DER`, X509_FILETYPE_ASN1 of OpenSSL.
_DER = 2

Finder = Callable[[str, int], list[tuple[str, int]]]
"""Gives where a host and port may be connected to, as addresses and ports."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When waiting ends, on the monotonic clock."""

    clock: Clock
    at: float

    def left_s(self) -> float:
        """Tell the seconds that are left; none or fewer when it has passed."""
        return self.at - self.clock.monotonic()


_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def within(clock: Clock, duration: timedelta) -> Iterator[Deadline]:
    """Bound all waiting for the outside world; an earlier deadline around it still counts."""
    made = Deadline(clock, clock.monotonic() + duration.total_seconds())
    outer = _deadline.get()
    if outer is not None and outer.left_s() < made.left_s():
        made = outer
    token = _deadline.set(made)
    try:
        yield made
    finally:
        _deadline.reset(token)


def patience_s(most_s: float) -> float:
    """Tell how long one wait may take. Raises TimeoutError when there is no time left."""
    deadline = _deadline.get()
    left_s = deadline.left_s() if deadline is not None else most_s
    if left_s <= 0:
        raise TimeoutError("the deadline has passed")
    return min(left_s, most_s)


def _reading_s(waiting: socket.socket) -> float:
    line = current()
    return patience_s(READ_TIMEOUT_S if line is None else line.wait_s(waiting))


class _Socket(socket.socket):
    """Asks the deadline before each wait; `sendall` itself counts as one."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_reading_s(self))
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(patience_s(READ_TIMEOUT_S))
        super().sendall(*args, **kwargs)


class TlsSocket(ssl.SSLSocket):
    """The same over TLS, whose greeting is one wait however many bytes it takes."""

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(patience_s(CONNECT_TIMEOUT_S))
        with lap(Lap.TLS):
            try:
                super().do_handshake(block)
            finally:
                shown(_chain_of(self))

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_reading_s(self))
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(patience_s(READ_TIMEOUT_S))
        return super().send(*args, **kwargs)


def _chain_of(sock: ssl.SSLSocket) -> list[bytes]:
    """Give what the other side showed, in DER, also when it was not believed.

    Python 3.13 has a method for it, of what the versions before keep behind `_sslobj`.
    """
    own = getattr(sock, "get_unverified_chain", None)
    if own is not None:
        return list(own())
    inner = getattr(getattr(sock, "_sslobj", None), "get_unverified_chain", None)
    found = inner() if inner is not None else None
    return [one.public_bytes(_DER) for one in found or ()]


class _Connection(HTTPConnection):
    """Connects only to a place that *find* gives."""

    find: Finder

    def _new_conn(self) -> socket.socket:
        return _connect(self, self.find)


class _TlsConnection(HTTPSConnection):
    """The same over TLS; the certificate is still checked against the name."""

    find: Finder

    def _new_conn(self) -> socket.socket:
        return _connect(self, self.find)


def _connect(connection: HTTPConnection, find: Finder) -> socket.socket:
    host, port = connection.host.strip("[]"), connection.port or 443
    failure: OSError | None = None
    try:
        with lap(Lap.DNS):
            places = _in_time(find, host, port)
    except (socket.gaierror, UnicodeError) as error:
        raise NameResolutionError(host, connection, socket.gaierror()) from error
    except TimeoutError as error:
        places, failure = [], error
    if not places and failure is None:
        raise NameResolutionError(host, connection, socket.gaierror())
    for place in places:
        made = _Socket(socket.AF_INET6 if ":" in place[0] else socket.AF_INET)
        try:
            # Above all TCP_NODELAY: without it a body waits until its headers are acknowledged.
            for option in connection.socket_options or ():
                made.setsockopt(*option)
            made.settimeout(patience_s(CONNECT_TIMEOUT_S))
            with lap(Lap.TCP):
                made.connect(place)
        except OSError as error:
            made.close()
            failure = error
            continue
        return made
    if isinstance(failure, TimeoutError):
        raise ConnectTimeoutError(connection, "no connection in time") from failure
    raise NewConnectionError(connection, "no connection") from failure


def _in_time(find: Finder, host: str, port: int) -> list[tuple[str, int]]:
    """Ask in another thread: the system's resolver takes its own time and cannot be stopped.

    Raises TimeoutError, and what *find* raises.
    """
    found: SimpleQueue[list[tuple[str, int]] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            found.put(find(host, port))
        except Exception as error:
            found.put(error)

    longest_s = patience_s(READ_TIMEOUT_S)
    Thread(target=ask, daemon=True).start()
    try:
        answer = found.get(timeout=longest_s)
    except Empty:
        raise TimeoutError("no answer of the resolver") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


class WireAdapter(HTTPAdapter):
    """A transport of requests over our sockets, to the places that *find* gives.

    Behind an egress proxy, *find* is asked about the proxy. It keeps open connections to so
    many *hosts*, and so many to *each*.
    """

    def __init__(self, trust: Trust, find: Finder, *, hosts: int = 10, each: int = 16) -> None:
        self._trust = trust
        self._find = find
        super().__init__(pool_connections=hosts, pool_maxsize=each)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Build the pool over our connections."""
        super().init_poolmanager(*args, **kwargs)
        self._bind(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Give the pool of a proxy, over our connections."""
        manager = super().proxy_manager_for(*args, **kwargs)
        self._bind(manager)
        return manager

    def _bind(self, manager: PoolManager) -> None:
        find = staticmethod(self._find)
        plain, tls = (
            type("Bound", (kind,), {"find": find}) for kind in (_Connection, _TlsConnection)
        )
        manager.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
        }

    def build_connection_pool_key_attributes(self, *args: Any, **kwargs: Any) -> Any:
        """Say what a connection needs: the TLS context of its host, for https.

        It is part of the key, so that no connection outlives the trust that it was made under.
        """
        place, _ = super().build_connection_pool_key_attributes(*args, **kwargs)
        if place["scheme"] != "https":
            return place, {}
        return place, {"ssl_context": self._trust.context_for(place["host"])}

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the context knows the authorities, which requests would read again."""


class Wire:
    """Sends requests over *adapter*, or over *mounts* for the URL prefixes that it names.

    What a session of requests does besides is what we do not want: it keeps cookies, looks for
    proxies and passwords in the environment, and reads the body of every redirect whole.
    """

    def __init__(
        self, adapter: BaseAdapter, proxy_url: str | None, mounts: Mapping[str, BaseAdapter] | None
    ) -> None:
        self._adapter = adapter
        self._proxies = {"http": proxy_url, "https": proxy_url} if proxy_url else {}
        by_length = sorted((mounts or {}).items(), key=lambda pair: -len(pair[0]))
        self._mounts = [(prefix.lower(), mounted) for prefix, mounted in by_length]

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, Any] | None,
        body: bytes | None,
        auth: tuple[str, str] | None,
    ) -> requests.Response:
        """Send one request; the answer's body is still to be read.

        Raises the errors of requests, and OSErrors.
        """
        request = requests.PreparedRequest()
        if params:
            query = urlencode(params, safe=_PLAIN_IN_QUERIES)
            url = f"{url}{'&' if '?' in url else '?'}{query}"
        try:
            request.prepare(method, url, dict(headers), data=body, auth=auth)
        except ValueError as error:
            raise requests.exceptions.InvalidURL("not an address") from error
        address = (request.url or "").lower()
        if not address.startswith(("http://", "https://")):
            raise requests.exceptions.InvalidURL("not http")
        mounted = (one for prefix, one in self._mounts if address.startswith(prefix))
        adapter = next(mounted, self._adapter)
        return adapter.send(request, stream=True, timeout=READ_TIMEOUT_S, proxies=self._proxies)
