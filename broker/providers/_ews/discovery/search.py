"""Asking a mail domain's hosts, in the documented order, where a mailbox is.

Each host is asked without credentials first. The password goes to one host at a time, over
https, only to what answers like Exchange, and only to hosts of the mail domain itself, or one
that the person has been shown and agreed to: Autodiscover can be redirected by anybody who
controls a web page, a DNS answer or a plain http connection on the way. Nobody is asked about a
host that would be of no use to them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import cached_property
from urllib.parse import urlsplit

from broker.clock import Clock
from broker.errors import (
    AddressRefused,
    BrokerError,
    HostUnconfirmed,
    ProviderUnavailable,
    UserError,
)
from broker.http import REDIRECT_STATUSES, Answer, Http
from broker.providers._ews.discovery.asking import Asker
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
    EWS_PATH,
    MailAddress,
    host_of,
    is_autodiscover,
    is_cloud,
    joined,
    read_address,
)
from broker.providers._ews.discovery.records import MailRecords, named_hosts
from broker.providers._ews.discovery.signs import (
    cloud_reason,
    looks_like_exchange,
    premises,
    scheme_of,
    why_not_ews,
)
from broker.providers._ews.discovery.verdict import (
    Verdict,
    is_inside,
    is_of_certificate,
    is_plain,
)
from broker.providers._ews.signing_in import Scheme
from broker.providers.host_trust import HostTrust, place_of

MAX_HOPS = 10


class Search:
    """The search for one mailbox."""

    def __init__(
        self,
        http: Http,
        clock: Clock,
        records: MailRecords,
        address: MailAddress,
        names: Names,
        password: str,
        trust: HostTrust,
    ) -> None:
        self._http, self._clock, self._records = http, clock, records
        self._address, self._trust = address, trust
        self._verdict = Verdict()
        self._asker = Asker(http, clock, names, password, self._verdict.failures)
        self._hops = 0
        self._visited: set[tuple[str, str]] = set()
        self._inside: set[str] = set()
        self._guessed: set[str] = set()
        self._is_cloud, self._home = False, ""

    def endpoints(self) -> Iterator[str]:
        """Give EWS addresses that the password may go to, best first; hosts are asked as needed.

        What became of each is told by `failed` before the next one is wanted. Raises
        LoginRejected when a server refuses every name, and UserError `use_office365`.
        """
        given: set[str] = set()
        for url in self._starts():
            for found in self._ask(url, self._address):
                if found.lower() not in given and self.may_send(found):
                    given.add(found.lower())
                    yield found

    def may_send(self, url: str) -> bool:
        """Tell whether the password may go to an endpoint; note its host when it may not yet.

        Raises UserError `use_office365`.
        """
        place = self._place(url) if url.lower() not in self._inside else None
        if place is None or self._trust.covers(place):
            return place is not None
        problem = self._why_not(url)
        self.failed(url, HostUnconfirmed(place) if problem is None else problem)
        return False

    def elsewhere(self, place: str) -> UserError:
        """Say what comes of an endpoint that has moved to where the password may not go yet."""
        is_of_use = self._why_not(f"https://{place}{EWS_PATH}") is None
        return HostUnconfirmed(place) if is_of_use else UserError("exchange_not_ews")

    def failed(self, url: str, error: BrokerError) -> None:
        """Note what stopped a login at an endpoint."""
        if isinstance(error, HostUnconfirmed):
            self._verdict.foreign.append(error.host)
        elif is_inside(error):
            self._inside.add(url.lower())
            self._verdict.leads_nowhere = True
        elif url.lower() not in self._guessed or is_plain(error):
            self._verdict.refusals.append(error)

    def gone(self, error: BrokerError) -> None:
        """Note what stopped a login where colleagues' went; told where the search knows no more."""
        self._verdict.before.append(error)

    def _why_not(self, url: str) -> BrokerError | None:
        """Look whether a password may be of use at what should be EWS, before anybody is asked."""
        try:
            return why_not_ews(self._asker.get("probe", url), self._clock.now())
        except (ProviderUnavailable, AddressRefused) as error:
            return error

    def conclusion(self) -> BrokerError:
        """Say why nothing was found: what a person can do something about comes first."""
        said = self._verdict.said()
        sign = None if said or self._home else self._sign
        return said or self._verdict.otherwise(sign) or UserError("exchange_not_found")

    @cached_property
    def _sign(self) -> str | None:
        """What the signs of Microsoft 365 mean when nothing else is found; None without any."""
        if self._is_cloud:
            return "use_office365"
        return cloud_reason(self._http, self._records, self._address.domain)

    def _place(self, url: str) -> str | None:
        """Give the place of what a server named; None where it may not be asked at all."""
        if is_cloud(host_of(url)):
            raise UserError("use_office365")
        try:
            return place_of(url)
        except AddressRefused as error:
            self.failed(url, error)
            return None

    def _starts(self) -> Iterator[str]:
        """Give where to begin; DNS and the plain redirect are asked only when they are needed."""
        domain = self._address.domain
        yield f"https://{domain}{POX_PATH}"
        self._verdict.at_site = len(self._verdict.failures)
        yield f"https://autodiscover.{domain}{POX_PATH}"
        redirected = self._plain_redirect(f"http://autodiscover.{domain}{POX_PATH}")
        if redirected:
            yield redirected
        for host in named_hosts(self._records, domain):
            yield f"https://{host}{POX_PATH}"
        if self._verdict.said() is None and self._sign is not None:
            self._home = premises(self._asker, self._address)
            yield self._home

    def _plain_redirect(self, url: str) -> str:
        """Ask a plain http host where to go, which is all that it can be asked."""
        try:
            return self._target(self._asker.get("redirect", url, plain=True))
        except (ProviderUnavailable, AddressRefused):
            return ""

    def _target(self, answer: Answer) -> str:
        """Give where an answer sends us, empty when nowhere that may be followed."""
        if answer.status not in REDIRECT_STATUSES:
            return ""
        target = joined(answer.url, answer.headers.get("Location", ""))
        if is_cloud(host_of(target)):
            # A sign only: companies that moved in part still have mailboxes of their own.
            self._is_cloud = True
            return ""
        return target if is_autodiscover(target) else ""

    def _ask(self, url: str, address: MailAddress) -> Generator[str, None, bool]:
        """Ask at one place, and at those that it names; returns whether Exchange is there."""
        asked = (str(address), url.lower())
        if asked in self._visited or self._hops >= MAX_HOPS or not is_autodiscover(url):
            return False
        self._visited.add(asked)
        self._hops += 1
        try:
            answer = self._asker.get("probe", url)
        except (ProviderUnavailable, AddressRefused) as error:
            self._verdict.failures.append(error)
            return False
        target = self._target(answer)
        if target:
            return (yield from self._ask(target, address))
        if not looks_like_exchange(answer, host_of(url)):
            return False
        place = self._place(url)
        if place is not None and self._trust.covers(place):
            yield from self._asked(url, address, scheme_of(answer))
        elif place is not None:
            self.failed(url, HostUnconfirmed(place))
        return True

    def _asked(self, url: str, address: MailAddress, scheme: Scheme | None) -> Iterator[str]:
        """Ask one host in all forms, until one leads somewhere."""
        origin = f"https://{urlsplit(url).netloc}"
        has_settings = False
        for form, told in enumerate(self._told(origin, url, address, scheme)):
            if told.word not in {Word.NOTHING, Word.NO_ADDRESS}:
                self._verdict.hear(told.word)
                return
            yield from told.urls
            if any(found.lower() not in self._inside for found in told.urls):
                return
            if told.ask_at or told.ask_for:
                is_there = yield from self._followed(url, address, told)
                if is_there or form > 0:
                    return
            has_settings |= bool(told.urls) or told.word is Word.NO_ADDRESS
        if has_settings:
            self._verdict.leads_nowhere = True
            # Nobody said where EWS is from outside; as a rule it is beside Autodiscover.
            self._guessed.add(f"{origin}{EWS_PATH}".lower())
            yield f"{origin}{EWS_PATH}"

    def _told(
        self, origin: str, url: str, address: MailAddress, scheme: Scheme | None
    ) -> Iterator[Told]:
        """Ask one host; the form that takes no password comes first."""
        email, soap_url = str(address), f"{origin}{SOAP_PATH}"
        yield self._without_password(f"{origin}{json_path(email)}")
        yield self._with_password(url, pox_request(email), read_pox, scheme)
        yield self._with_password(soap_url, soap_request(email, soap_url), read_soap, scheme)

    def _without_password(self, url: str) -> Told:
        try:
            answer = self._asker.get("autodiscover", url)
        except (ProviderUnavailable, AddressRefused) as error:
            self._verdict.failures.append(error)
            return Told()
        target = self._target(answer)
        if target:
            # There, too, all forms are asked.
            return Told(ask_at=f"https://{urlsplit(target).netloc}{POX_PATH}")
        return read_json(answer)

    def _with_password(
        self, url: str, body: bytes, read: Callable[[Answer], Told], scheme: Scheme | None
    ) -> Told:
        answer = self._asker.post(url, body, scheme)
        if answer is None:
            return Told()
        if answer.status in REDIRECT_STATUSES:
            return Told(ask_at=self._target(answer))
        return read(answer)

    def _followed(self, url: str, address: MailAddress, told: Told) -> Generator[str, None, bool]:
        before = len(self._verdict.failures)
        is_there = yield from self._elsewhere(url, address, told)
        self._verdict.leads_nowhere |= not is_there
        # That a certificate is wrong there says more.
        self._verdict.refusals += filter(is_of_certificate, self._verdict.failures[before:])
        return is_there

    def _elsewhere(self, url: str, address: MailAddress, told: Told) -> Generator[str, None, bool]:
        """Go on where an answer says, or for whom; returns whether Exchange is there."""
        if told.ask_at:
            target = joined(url, told.ask_at)
            if is_cloud(host_of(target)):
                raise UserError("use_office365")
            return (yield from self._ask(target, address))
        try:
            other = read_address(told.ask_for)
        except AddressRefused:
            return False
        if is_cloud(other.domain):
            raise UserError("use_office365")
        is_there = False
        for host in (other.domain, f"autodiscover.{other.domain}"):
            is_there |= yield from self._ask(f"https://{host}{POX_PATH}", other)
        return is_there
