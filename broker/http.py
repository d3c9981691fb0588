"""The one place for outgoing HTTP: deadlines, byte caps, addresses, redirects, step trace.

Every call has a deadline for the whole of it (see `wire`), a cap on the body, no redirects
unless asked, no cookies, no environment proxies and no credentials from files. For addresses
that outsiders chose (`guarded=True`) only https on usual ports is spoken, and the address really
connected to must be public: the check is made on the resolved address that the socket then uses,
so a name that changes its mind between check and connect gains nothing.

What is traced and raised names hosts and steps; never headers, bodies, queries or secrets.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec
import requests
from requests.adapters import BaseAdapter
from urllib3.exceptions import HTTPError

from broker.addresses import AddressPolicy, find, same_origin
from broker.certificates import read_chain
from broker.challenges import offered_by
from broker.clock import Clock
from broker.errors import AddressRefused, ProtocolError, ProviderUnavailable
from broker.laps import Laps, measuring
from broker.trace import Step, unseen
from broker.transport_failures import REDIRECT_LOOP, TOO_LARGE, name_of
from broker.trust import Trust
from broker.wire import Deadline, TlsSocket, Wire, WireAdapter, within

log = logging.getLogger(__name__)

BODY_CAP_BYTES = 50 * 1024 * 1024
DEADLINE = timedelta(seconds=60)
TOO_SLOW = "too slow"
USER_AGENT = "Calbroker/0.1 (gzip)"
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", "Accept": "*/*"}
_CHUNK_BYTES = 64 * 1024
_MULTISTATUS = 207
_CREDENTIAL_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class Call:
    """One request to make. *operation* is the name used in errors and traces.

    *guarded* marks an address that an outsider chose; *plain* lets it be http on port 80, and
    leaves out *auth* and the headers that carry credentials. *redirects* is how many hops may be
    followed; *may_follow(from_url, to_url)* then decides each (None: same origin only). A hop
    to another origin loses credentials too.

    *tried* tells the trace how the call logs in, without saying who.

    *reading* reads the body of an answer of *read_status* while it arrives, because it can be long
    or last. It is called anew for each answer; what it raises ends the call.
    """

    provider: str
    operation: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, Any] | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)
    deadline: timedelta = DEADLINE
    cap_bytes: int = BODY_CAP_BYTES
    guarded: bool = False
    plain: bool = False
    redirects: int = 0
    may_follow: Callable[[str, str], bool] | None = None
    tried: str = ""
    reading: Callable[[Iterator[bytes]], Any] | None = field(default=None, repr=False)
    read_status: int = _MULTISTATUS


@dataclass(frozen=True, slots=True)
class Channel:
    """The connection that an answer came over.

    *port* is our end of it, which tells it from another one to the same host. *certificate*
    is the server's in DER; None without TLS.
    """

    port: int
    certificate: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. *url* is the address that answered, after redirects.

    *channel* is known to an Http that stands `alone`, and while the connection is kept.
    *read* is what `Call.reading` made of the body, which is then empty.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str
    channel: Channel | None = None
    read: Any = field(default=None, repr=False)

    def json(self, provider: str, operation: str) -> Any:
        """Decode a JSON body. Raises ProtocolError when it is not JSON, or too deep."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError(provider, operation, self.status, detail="not JSON") from error


class Http:
    """Makes calls. *mounts* replaces the wire for URL prefixes, for tests."""

    def __init__(
        self,
        clock: Clock,
        *,
        policy: AddressPolicy | None = None,
        proxy_url: str | None = None,
        ca_file: str | None = None,
        mounts: Mapping[str, BaseAdapter] | None = None,
    ) -> None:
        self.clock = clock
        self.policy = policy or AddressPolicy()
        self.trace: list[Step] | None = None
        self._is_alone = False
        self.trust = Trust(ca_file, TlsSocket)
        self._wiring = (proxy_url, mounts)
        self._plain = Wire(WireAdapter(self.trust, find), *self._wiring)
        self._guarded = self._guarded_wire()

    def _guarded_wire(self, **kept: int) -> Wire:
        # Behind an egress proxy it is the proxy that connects: only the URL can be checked.
        finder = find if self._wiring[0] else self.policy.find
        return Wire(WireAdapter(self.trust, finder, **kept), *self._wiring)

    def traced(self, steps: list[Step]) -> Http:
        """Give a view of this Http whose calls are also written to *steps*."""
        view = object.__new__(Http)
        view.__dict__.update(self.__dict__)
        view.trace = steps
        return view

    def alone(self) -> Http:
        """Give a view whose guarded calls share a connection with nobody, one for each host.

        For logins that belong to the connection and not to the request (NTLM): what comes over
        it is done in the login's name.
        """
        view = object.__new__(Http)
        view.__dict__.update(self.__dict__)
        view._is_alone = True
        view._guarded = view._guarded_wire(hosts=1, each=1)
        return view

    def call(self, call: Call) -> Answer:
        """Make one call and give the whole answer, whatever its status.

        Raises ProviderUnavailable when the transport fails, the deadline passes or the body
        is over its cap; AddressRefused when the address is not one to connect to.
        """
        started, laps = self.clock.monotonic(), Laps(self.clock)
        outcome = "refused"
        offered: tuple[str, ...] = ()
        try:
            with measuring(laps), within(self.clock, call.deadline) as deadline:
                answer = self._follow(call, deadline)
            outcome, offered = str(answer.status), offered_by(answer.status, answer.headers)
            return answer
        except ProviderUnavailable as error:
            outcome = error.detail
            raise
        finally:
            self._note(call, outcome, offered, started, laps)

    def _follow(self, call: Call, deadline: Deadline) -> Answer:
        url, method, hops = call.url, call.method, 0
        while True:
            if deadline.left_s() <= 0:
                raise ProviderUnavailable(call.provider, call.operation, detail=TOO_SLOW)
            answer = self._once(call, method, url, deadline, first=hops == 0)
            location = answer.headers.get("Location", "")
            if answer.status not in REDIRECT_STATUSES or not call.redirects or not location:
                return answer
            target = _joined(url, location)
            hops += 1
            if hops > call.redirects:
                raise ProviderUnavailable(
                    call.provider, call.operation, answer.status, detail=REDIRECT_LOOP
                )
            may_follow = call.may_follow or same_origin
            if not may_follow(url, target):
                raise AddressRefused("redirect_refused")
            url = target

    def _once(
        self, call: Call, method: str, url: str, deadline: Deadline, *, first: bool
    ) -> Answer:
        if call.guarded:
            self.policy.check_url(url, plain=call.plain)
        wire = self._guarded if call.guarded else self._plain
        stays = not call.plain and (first or same_origin(call.url, url))
        headers = {**_HEADERS, **call.headers}
        if not stays:
            headers = {k: v for k, v in headers.items() if k.lower() not in _CREDENTIAL_HEADERS}
        try:
            response = wire.send(
                method,
                url,
                headers=headers,
                params=call.params if first else None,
                body=call.body,
                auth=call.auth if stays else None,
            )
            with response:
                channel = _channel(response) if self._is_alone else None
                chunks, read, body = self._chunks(call, response, deadline), None, b""
                if call.reading is not None and response.status_code == call.read_status:
                    read = call.reading(chunks)
                else:
                    body = b"".join(chunks)
        except AddressRefused:
            raise
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            detail = name_of(error)
            raise ProviderUnavailable(call.provider, call.operation, detail=detail) from None
        return Answer(response.status_code, response.headers, body, url, channel, read)

    def _chunks(
        self, call: Call, response: requests.Response, deadline: Deadline
    ) -> Iterator[bytes]:
        size = 0
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            size += len(chunk)
            if size > call.cap_bytes:
                raise ProviderUnavailable(
                    call.provider, call.operation, response.status_code, detail=TOO_LARGE
                )
            if deadline.left_s() < 0:
                raise ProviderUnavailable(
                    call.provider, call.operation, response.status_code, detail=TOO_SLOW
                )
            yield chunk

    def _note(
        self, call: Call, outcome: str, offered: tuple[str, ...], started: float, laps: Laps
    ) -> None:
        spent_ms = round((self.clock.monotonic() - started) * 1000)
        log.debug(
            "called provider",
            extra={"provider": call.provider, "operation": call.operation, "ms": spent_ms},
        )
        if self.trace is not None:
            scheme, host = _place(call.url)
            step = Step(call.operation, host, outcome, spent_ms, scheme != "http", laps.spent_ms)
            chain = unseen(self.trace, host, read_chain(laps.chain))
            self.note(replace(step, offered=offered, tried=call.tried, chain=chain))

    def note(self, step: Step) -> None:
        """Write a line of the trace, if there is one; also for questions that are no calls."""
        if self.trace is not None:
            self.trace.append(step)


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise AddressRefused("redirect_refused") from error


def _channel(response: requests.Response) -> Channel | None:
    """Name the connection of an answer that has not been read; None when it will be closed."""
    connection = getattr(response.raw, "connection", None)
    sock = getattr(connection, "sock", None)
    if sock is None:
        return None
    certificate = sock.getpeercert(True) if isinstance(sock, ssl.SSLSocket) else None
    return Channel(sock.getsockname()[1], certificate)


def _place(url: str) -> tuple[str, str]:
    """Give scheme and host for the trace; empty for an address that cannot be read."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or ""
    except ValueError:
        return "", ""
