"""Asking a mail domain's hosts, in the documented order, where a mailbox is.

Each host is asked without credentials first. The password goes to one host at a time, over
https, only to what answers like Exchange, and only to hosts of the mail domain itself, or one
that the person has been shown and agreed to: Autodiscover can be redirected by anybody who
controls a web page, a DNS answer or a plain http connection on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urljoin

from broker import transport_failures
from broker.clock import Clock
from broker.errors import (
    AddressRefused,
    BrokerError,
    HostUnconfirmed,
    ProviderError,
    ProviderUnavailable,
    UserError,
)
from broker.http import REDIRECT_STATUSES, Answer, Call, Http
from broker.providers._ews.discovery.forms import (
    POX_PATH,
    SOAP_PATH,
    Told,
    Word,
    json_path,
    pox_request,
    read_json,
    read_pox,
    read_soap,
    soap_request,
)
from broker.providers._ews.discovery.names import Names
from broker.providers._ews.discovery.places import (
    MailAddress,
    host_of,
    is_autodiscover,
    is_cloud,
    read_address,
)
from broker.providers._ews.discovery.records import MailRecords, named_hosts
from broker.providers._ews.discovery.signs import is_in_cloud, looks_like_exchange
from broker.providers._ews.faults import PROVIDER
from broker.providers._ews.signing_in import NoScheme, SignIn
from broker.providers.host_trust import HostTrust, place_of

BUDGET = timedelta(seconds=20)
PATIENCE = timedelta(seconds=8)
# Without a login there is nothing to work out. A web site that hangs must not use up the time of
# the host that comes after it.
PROBE_PATIENCE = timedelta(seconds=6)
MAX_HOPS = 10
CAP_BYTES = 1024 * 1024

_XML = {"Content-Type": "text/xml; charset=utf-8", "Accept": "text/xml"}
# What a real Exchange of the company's own said: another host would not say otherwise.
_PLAIN = frozenset({"exchange_ews_off", "exchange_no_mailbox", "exchange_account_closed"})
_CERTIFICATE = frozenset(
    {
        transport_failures.CERTIFICATE_EXPIRED,
        transport_failures.CERTIFICATE_UNTRUSTED,
        transport_failures.CERTIFICATE_WRONG_NAME,
    }
)


@dataclass(slots=True)
class Search:
    """The search for one mailbox."""

    http: Http
    clock: Clock
    records: MailRecords
    address: MailAddress
    names: Names
    password: str = field(repr=False)
    trust: HostTrust
    _until: float = 0.0
    _hops: int = 0
    _visited: set[tuple[str, str]] = field(default_factory=set)
    _unconfirmed: list[str] = field(default_factory=list)
    _failures: list[BrokerError] = field(default_factory=list)
    _is_cloud: bool = False

    def __post_init__(self) -> None:
        self._until = self.clock.monotonic() + BUDGET.total_seconds()

    def endpoints(self) -> Iterator[str]:
        """Give EWS addresses that the password may go to, best first; hosts are asked as needed.

        Raises LoginRejected when a server refuses every name, and when nothing is left, what is
        to be said about that: HostUnconfirmed, UserError (`use_office365`, `exchange_...`) or
        a ProviderError.
        """
        given: set[str] = set()
        for url in self._starts():
            for found in self._ask(url, self.address):
                if found.lower() not in given and self.may_send(found):
                    given.add(found.lower())
                    yield found
        if not given:
            raise self._conclusion()

    def may_send(self, url: str) -> bool:
        """Tell whether the password may go to an address; note its host when it may not yet."""
        if is_cloud(host_of(url)):
            raise UserError("use_office365")
        try:
            place = place_of(url)
        except AddressRefused as error:
            self._failures.append(error)
            return False
        if self.trust.covers(place):
            return True
        self._unconfirmed.append(place)
        return False

    def conclusion(self, error: BrokerError) -> BrokerError:
        """Say what is to be said when the endpoints that there were all failed with *error*."""
        is_plain = isinstance(error, UserError) and error.code in _PLAIN
        return error if is_plain or not self._unconfirmed else HostUnconfirmed(self._unconfirmed[0])

    def _starts(self) -> Iterator[str]:
        """Give where to begin; DNS and the plain redirect are asked only when they are needed."""
        domain = self.address.domain
        yield f"https://{domain}{POX_PATH}"
        yield f"https://autodiscover.{domain}{POX_PATH}"
        redirected = self._plain_redirect(f"http://autodiscover.{domain}{POX_PATH}")
        if redirected:
            yield redirected
        for host in named_hosts(self.records, domain):
            yield f"https://{host}{POX_PATH}"

    def _plain_redirect(self, url: str) -> str | None:
        """Ask a plain http host where to go, which is all that it can be asked."""
        try:
            answer = self._call("redirect", "GET", url, plain=True)
        except (ProviderUnavailable, AddressRefused):
            return None
        return self._target(answer) if answer.status in REDIRECT_STATUSES else None

    def _target(self, answer: Answer) -> str | None:
        target = urljoin(answer.url, answer.headers.get("Location", ""))
        if is_cloud(host_of(target)):
            # A sign only: companies that moved in part still have mailboxes of their own.
            self._is_cloud = True
            return None
        return target if is_autodiscover(target) else None

    def _ask(self, url: str, address: MailAddress) -> Iterator[str]:
        """Ask at one place, and at those that it names."""
        place = (str(address), url.lower())
        if place in self._visited or self._hops > MAX_HOPS or not is_autodiscover(url):
            return
        self._visited.add(place)
        self._hops += 1
        try:
            answer = self._call("probe", "GET", url)
        except (ProviderUnavailable, AddressRefused) as error:
            self._failures.append(error)
            return
        if answer.status in REDIRECT_STATUSES:
            target = self._target(answer)
            if target is not None:
                yield from self._ask(target, address)
            return
        if looks_like_exchange(answer, host_of(url)):
            yield from self._asked(url, address)

    def _asked(self, url: str, address: MailAddress) -> Iterator[str]:
        """Ask in all forms, until one says something."""
        if not self.may_send(url):
            return
        host = url.split("/")[2]
        for told in self._told(f"https://{host}", url, address):
            if told.word is not Word.NOTHING:
                self._failures.append(_said(told.word))
            yield from told.urls
            if told.ask_at:
                target = urljoin(url, told.ask_at)
                if is_cloud(host_of(target)):
                    raise UserError("use_office365")
                yield from self._ask(target, address)
            if told.ask_for:
                yield from self._elsewhere(told.ask_for)
            if told != Told():
                return

    def _told(self, origin: str, url: str, address: MailAddress) -> Iterator[Told]:
        email = str(address)
        yield self._with_password(url, pox_request(email), read_pox)
        soap_url = f"{origin}{SOAP_PATH}"
        yield self._with_password(soap_url, soap_request(email, soap_url), read_soap)
        try:
            yield read_json(self._call("autodiscover", "GET", f"{origin}{json_path(email)}"))
        except ProviderUnavailable as error:
            self._failures.append(error)

    def _elsewhere(self, email: str) -> Iterator[str]:
        """Start over for another address of the same mailbox."""
        try:
            address = read_address(email)
        except AddressRefused:
            return
        if is_cloud(address.domain):
            raise UserError("use_office365")
        for host in (address.domain, f"autodiscover.{address.domain}"):
            yield from self._ask(f"https://{host}{POX_PATH}", address)

    def _with_password(self, url: str, body: bytes, read: Callable[[Answer], Told]) -> Told:
        """Ask one host with the password, each name once. Raises LoginRejected."""
        while True:
            login = SignIn(self.http.alone(), self.names.current, self.password)
            try:
                answer = login.send(self._asking("autodiscover", "POST", url, body=body))
            except (ProviderError, AddressRefused) as error:
                self._failures.append(error)
                return Told()
            except NoScheme:
                return Told()
            if answer.status in REDIRECT_STATUSES:
                return Told(ask_at=self._target(answer) or "")
            if answer.status != 401:
                return read(answer)
            self.names.refuse()

    def _call(self, operation: str, method: str, url: str, *, plain: bool = False) -> Answer:
        return self.http.call(self._asking(operation, method, url, plain=plain))

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

    def _conclusion(self) -> BrokerError:
        """Say why nothing was found: what a person can do something about comes first."""
        if self._unconfirmed:
            return HostUnconfirmed(self._unconfirmed[0])
        spoken = next((error for error in self._failures if isinstance(error, UserError)
                       and not isinstance(error, AddressRefused)), None)  # fmt: skip
        if spoken is not None:
            return spoken
        if self._is_cloud or is_in_cloud(self.http, self.records, self.address.domain):
            return UserError("use_office365")
        for error in self._failures:
            if isinstance(error, ProviderError) and error.detail in _CERTIFICATE:
                return error
        return UserError("exchange_not_found")


def _said(word: Word) -> BrokerError:
    if word is Word.LATER:
        return ProviderUnavailable(PROVIDER, "autodiscover", 200, detail="not now")
    code = "exchange_no_mailbox" if word is Word.NO_MAILBOX else "exchange_misconfigured"
    return UserError(code)
