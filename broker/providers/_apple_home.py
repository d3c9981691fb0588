"""iCloud's two kinds of host: the entry, and the partition that holds a person's calendars.

Partitions change. A home's path outlives its host, so a client that finds its home gone asks
the entry once where it is now. The password goes to hosts that the settings trust and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import urljoin, urlsplit

from broker.errors import (
    AddressRefused,
    AuthorizationLost,
    ProtocolError,
    ProviderError,
    ProviderUnavailable,
)
from broker.http import DEADLINE, REDIRECT_STATUSES, Answer
from broker.logins import PasswordCredential
from broker.providers._caldav import Dav, Gathering, path_of_url, propfind
from broker.providers._caldav_search import mail_addresses
from broker.providers._multistatus import CALDAV, DAV, Resource, UnreadableXml, path_of
from broker.settings import AppleSettings
from broker.transport_failures import REDIRECT_LOOP

MAX_REDIRECTS = 5

_PRINCIPAL = propfind("d:current-user-principal")
_HOME = propfind("c:calendar-home-set", "c:calendar-user-address-set", "d:displayname")


@dataclass(frozen=True, slots=True)
class AppleHome:
    """Where a person's calendars are, and who they are there.

    *dsid* is the account's number, which outlives its addresses; *addresses* has the preferred
    one first. *url* is None when the account has no calendars at all.
    """

    dsid: str
    url: str | None
    addresses: tuple[str, ...] = ()
    display_name: str | None = None


@dataclass(slots=True)
class AppleDav(Dav):
    """One login at iCloud. *patience* bounds each request; *looked* says not to look again."""

    settings: AppleSettings = AppleSettings()
    patience: timedelta = DEADLINE
    looked: bool = False

    def send(
        self,
        operation: str,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        depth: int | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: timedelta = DEADLINE,
        gather: Callable[[], Gathering] | None = None,
    ) -> Answer:
        """Make one request, at the partition where the home is now.

        Raises AddressRefused when iCloud points to a host that is not trusted.
        """
        deadline = min(deadline, self.patience)
        options = _Options(operation, method, body, depth, headers, deadline, gather)
        try:
            answer = self._follow(path, options)
        except ProviderUnavailable as error:
            # Only what never answered may have moved.
            if error.status is not None or not self._has_moved(error):
                raise
        else:
            if answer.status not in {404, 410} or not self._has_moved(None):
                return answer
        return self._follow(path, options)

    def _follow(self, path: str, options: _Options) -> Answer:
        """Follow redirects among trusted hosts; each is called anew, so none is told by another."""
        for _ in range(MAX_REDIRECTS + 1):
            answer = Dav.send(
                self,
                options.operation,
                options.method,
                path,
                options.body,
                depth=options.depth,
                headers=options.headers,
                deadline=options.deadline,
                gather=options.gather,
            )
            location = answer.headers.get("Location", "")
            if answer.status not in REDIRECT_STATUSES or not location:
                return answer
            url = _trusted(self, answer.url, location)
            self._go_to(f"{origin_of(url)}{path_of_url(self.credential.url)}")
            path = path_of_url(url)
        raise ProviderUnavailable(
            self.provider, options.operation, answer.status, detail=REDIRECT_LOOP
        )

    def _has_moved(self, lost: ProviderError | None) -> bool:
        """Ask the entry, once, where the home is now; True when it is elsewhere.

        When the entry does not answer either, *lost* says enough.
        """
        if self.looked:
            return False
        self.looked = True
        try:
            home = find_home(self)
        except ProviderUnavailable:
            if lost is None:
                raise
            return False
        before = self.credential.url
        if home.url is not None:
            self._go_to(home.url)
        return self.credential.url != before

    def _go_to(self, url: str) -> None:
        self.credential = replace(self.credential, url=url)


@dataclass(frozen=True, slots=True)
class _Options:
    """What is the same however often a request is made."""

    operation: str
    method: str
    body: bytes | None
    depth: int | None
    headers: Mapping[str, str] | None
    deadline: timedelta
    gather: Callable[[], Gathering] | None


def find_home(dav: AppleDav) -> AppleHome:
    """Ask the entry who this login is and where its home is: two requests.

    Raises AuthorizationLost, AddressRefused for a home on a host that is not trusted, and other
    ProviderErrors.
    """
    entry = dav.settings.caldav_url
    asking = replace(dav, credential=replace(dav.credential, url=entry), looked=True)
    found = _one(asking, "principal", path_of_url(entry), _PRINCIPAL)
    principals = found.hrefs(f"{DAV}current-user-principal")
    if not principals:
        if found.has(f"{DAV}current-user-principal", f"{DAV}unauthenticated"):
            raise AuthorizationLost(dav.provider, "principal", 207)
        raise ProtocolError(dav.provider, "principal", 207, detail="no principal")
    try:
        principal = path_of(principals[0], found.href)
    except UnreadableXml as error:
        raise ProtocolError(dav.provider, "principal", 207, detail=str(error)) from error
    found = _one(asking, "home", principal, _HOME)
    homes = found.hrefs(f"{CALDAV}calendar-home-set")
    return AppleHome(
        dsid=_dsid(principal),
        url=_home_url(asking, homes[0], principal) if homes else None,
        addresses=tuple(mail_addresses(found)),
        display_name=found.text(f"{DAV}displayname"),
    )


def _one(dav: AppleDav, operation: str, path: str, body: bytes) -> Resource:
    # Depth 1 on a principal is refused.
    answer = dav.multistatus(operation, "PROPFIND", path, body, depth=0)
    if not answer.resources:
        raise ProtocolError(dav.provider, operation, 207, detail="nothing there")
    return answer.resources[0]


def _home_url(dav: AppleDav, href: str, principal: str) -> str:
    url = _trusted(dav, f"{origin_of(dav.credential.url)}{principal}", href)
    return f"{origin_of(url)}{path_of_url(url)}"


def _trusted(dav: AppleDav, base: str, target: str) -> str:
    """Give the address of *target*, seen from *base*. Raises AddressRefused."""
    try:
        url = urljoin(base, target)
    except ValueError as error:
        raise AddressRefused("redirect_refused") from error
    if not dav.settings.trusts(url):
        raise AddressRefused("redirect_refused")
    return url


def _dsid(principal: str) -> str:
    """Give the account's number from `/123456789/principal/`."""
    parts = [part for part in principal.split("/") if part]
    return next((part for part in parts if part.isascii() and part.isdigit()), principal)


def origin_of(url: str) -> str:
    """Give scheme, host and port of an address, without a port that goes without saying."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    name = f"[{host}]" if ":" in host else host
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    port = f":{parts.port}" if parts.port not in {None, usual} else ""
    return f"{parts.scheme}://{name}{port}"


def with_addresses(credential: PasswordCredential, home: AppleHome, url: str) -> PasswordCredential:
    """Give the credential to keep: at the home, with the person's own addresses."""
    return replace(credential, url=url, addresses=tuple(a.lower() for a in home.addresses))
