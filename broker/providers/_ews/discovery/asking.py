"""Asking one host after the other, within the time that a search has."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from broker.clock import Clock
from broker.errors import AddressRefused, BrokerError, ProviderError, ProviderUnavailable
from broker.http import Answer, Call, Http
from broker.providers._ews.discovery.names import Names
from broker.providers._ews.discovery.places import host_of
from broker.providers._ews.discovery.verdict import NOT_NOW
from broker.providers._ews.faults import PROVIDER
from broker.providers._ews.signing_in import NoScheme, Scheme, SignIn

BUDGET = timedelta(seconds=20)
PATIENCE = timedelta(seconds=8)
# Without a login there is nothing to work out. A web site that hangs must not use up the time of
# the host that comes after it.
PROBE_PATIENCE = timedelta(seconds=6)
CAP_BYTES = 1024 * 1024

_XML = {"Content-Type": "text/xml; charset=utf-8", "Accept": "text/xml"}
_BUSY = frozenset({429, 500, 502, 503, 504, 510})


@dataclass(slots=True)
class Asker:
    """Puts a search's questions. *failures* is told what went wrong where a password was sent."""

    http: Http
    clock: Clock
    names: Names
    password: str = field(repr=False)
    failures: list[BrokerError]
    _until: float = 0.0
    _logins: dict[tuple[str, str], SignIn] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._until = self.clock.monotonic() + BUDGET.total_seconds()

    def get(self, operation: str, url: str, *, plain: bool = False) -> Answer:
        """Ask without credentials. Raises ProviderUnavailable and AddressRefused."""
        return self.http.call(self._asking(operation, "GET", url, plain=plain))

    def post(self, url: str, body: bytes, scheme: Scheme | None) -> Answer | None:
        """Ask one host with the password, each name once; None when it says nothing of use.

        *scheme* is how a login goes there, as far as that is known. Raises LoginRejected.
        """
        while True:
            login = self._login(url, scheme)
            try:
                answer = login.send(self._asking("autodiscover", "POST", url, body=body))
            except (ProviderError, AddressRefused) as error:
                self.failures.append(error)
                return None
            except NoScheme:
                return None
            if answer.status in _BUSY:
                where = (PROVIDER, "autodiscover", answer.status)
                self.failures.append(ProviderUnavailable(*where, detail=NOT_NOW))
                return None
            if answer.status != 401:
                return answer
            self.names.refuse()

    def _login(self, url: str, scheme: Scheme | None) -> SignIn:
        """Give the login at a host; its next form goes over the connection of the one before."""
        whose = (host_of(url), self.names.current)
        if whose not in self._logins:
            made = SignIn(self.http.alone(), self.names.current, self.password, scheme)
            self._logins[whose] = made
        return self._logins[whose]

    def _asking(
        self,
        operation: str,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        plain: bool = False,
    ) -> Call:
        left = self._until - self.clock.monotonic()
        if left <= 0:
            raise ProviderUnavailable(PROVIDER, operation, detail="too slow")
        return Call(
            PROVIDER,
            operation,
            method,
            url,
            headers=_XML if body is not None else {},
            body=body,
            deadline=min(PROBE_PATIENCE if body is None else PATIENCE, timedelta(seconds=left)),
            cap_bytes=CAP_BYTES,
            guarded=True,
            plain=plain,
        )
