"""The search for calendars at one host (RFC 6764 section 6, RFC 5397)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from unicodedata import normalize
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from broker.errors import (
    AddressRefused,
    CalendarGone,
    HostUnconfirmed,
    LoginRejected,
    ProtocolError,
    ProviderUnavailable,
    UserError,
)
from broker.http import REDIRECT_STATUSES, Answer
from broker.providers._caldav import Dav, path_of_url, propfind
from broker.providers._caldav_calendars import holds_events
from broker.providers._multistatus import (
    CALDAV,
    DAV,
    Resource,
    UnreadableXml,
    read_multistatus,
    same_path,
)
from broker.providers.caldav_services import LIKELY_PATHS, other_way
from broker.providers.host_trust import HostTrust, place_of
from broker.transport_failures import REDIRECT_LOOP

_BASIC = re.compile(r"(?:^|,)\s*[a-z]*basic\b", re.IGNORECASE)

MAX_REDIRECTS = 5
MAX_MOVES = 3
WELL_KNOWN = "/.well-known/caldav"

_PRINCIPAL = propfind(
    "d:current-user-principal", "d:resourcetype", "c:calendar-home-set", "d:displayname",
    "c:calendar-user-address-set", "c:supported-calendar-component-set",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Home:
    """Where a person's calendars are. *subject* is the stable key of their login."""

    url: str
    subject: str
    addresses: tuple[str, ...] = ()
    display_name: str | None = None


class _Elsewhere(Exception):
    """A place of the host that is being searched redirects to *url*, on another one."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url


class Search:
    """The search at one host; *until* bounds the whole attempt, on the monotonic clock."""

    def __init__(self, dav: Dav, until: float, trust: HostTrust, moves: int = 0) -> None:
        self.dav = dav
        self.until = until
        self.trust = trust
        self.moves = moves

    def home(self) -> Home:
        """Try the places where CalDAV may be: as typed, then as RFC 6764 section 6 says.

        Only when this host has none is followed where it redirects to.
        """
        leads: dict[str, str] = {}
        for path in self._places():
            try:
                found = self._ask("discover", path)
            except _Elsewhere as lead:
                leads[path] = lead.url
                continue
            if found is None:
                continue
            if found.has(f"{DAV}current-user-principal", f"{DAV}unauthenticated"):
                raise LoginRejected("login_rejected")
            principals = found.hrefs(f"{DAV}current-user-principal")
            if principals:
                return self._home_of(self._own_path(principals[0], found.href))
            if found.hrefs(f"{CALDAV}calendar-home-set"):
                return self._home(found, self._subject(found.href, named=False))
            if holds_events(found):
                return Home(self._url(found.href), self._subject(found.href, named=False))
        return self._follow(leads)

    def _follow(self, leads: Mapping[str, str]) -> Home:
        """Search where this host's places redirect to: *leads* has the addresses by place.

        What the well-known address says counts most, a home page least: it may lead to a login
        page elsewhere, about which nobody is asked.
        """
        if not leads:
            raise UserError("not_caldav")
        place = min(leads, key=lambda path: (path != WELL_KNOWN, path == "/"))
        url = leads[place]
        if code := other_way(place_of(url).partition(":")[0]):
            raise UserError(code)
        try:
            self.trust.check(url)
        except HostUnconfirmed as error:
            if place == "/":
                raise AddressRefused("redirect_refused") from error
            self.dav.http.policy.check_url(url)
            raise
        if self.moves >= MAX_MOVES:
            raise ProviderUnavailable(self.dav.provider, "discover", detail=REDIRECT_LOOP)
        dav = replace(self.dav, credential=replace(self.dav.credential, url=url))
        return Search(dav, self.until, self.trust, self.moves + 1).home()

    def _places(self) -> Iterator[str]:
        path = path_of_url(self.dav.credential.url)
        inside = (f"{path.rstrip('/')}{likely}" for likely in LIKELY_PATHS)
        yield from dict.fromkeys((path, WELL_KNOWN, "/", *inside, *LIKELY_PATHS))

    def _home_of(self, principal: str) -> Home:
        found = self._ask("principal", principal)
        if found is None or not found.hrefs(f"{CALDAV}calendar-home-set"):
            raise UserError("not_caldav")
        # Only the principal itself is believed about whose it is: another page of the same
        # host may name anybody's.
        whose = found.hrefs(f"{DAV}current-user-principal")
        if whose and not same_path(self._own_path(whose[0], found.href), principal):
            raise UserError("not_caldav")
        return self._home(found, self._subject(principal, named=bool(whose)))

    def _home(self, found: Resource, subject: str) -> Home:
        path = self._own_path(found.hrefs(f"{CALDAV}calendar-home-set")[0], found.href)
        return Home(
            url=self._url(path),
            subject=subject,
            addresses=tuple(mail_addresses(found)),
            display_name=found.text(f"{DAV}displayname"),
        )

    def _ask(self, operation: str, path: str) -> Resource | None:
        """Ask a place about itself; None when it does not speak WebDAV.

        What an answer says of any other path is not believed: it becomes the login's key. 403
        at a place that we merely guessed may be about the place.
        """
        answer = self._send(operation, path)
        guessed = path.endswith(LIKELY_PATHS) and path != path_of_url(self.dav.credential.url)
        if answer.status == 401 or answer.status == 403 and not guessed:
            challenge = answer.headers.get("WWW-Authenticate")
            if challenge and not _BASIC.search(challenge):
                raise LoginRejected("no_basic_login")
            raise LoginRejected("login_rejected")
        if answer.status == 403:
            return None
        if answer.status != 207:
            error = self.dav.refusal(operation, answer)
            if isinstance(error, CalendarGone | ProtocolError) or answer.status == 501:
                return None
            raise error
        path = path_of_url(answer.url)
        try:
            resources = read_multistatus(answer.body, path).resources
        except UnreadableXml:
            return None
        about = (item for item in resources if same_path(item.href, path))
        return next((item for item in about if item.status in {None, 200}), None)

    def _send(self, operation: str, path: str) -> Answer:
        """Follow redirects on the same host; raises _Elsewhere for its other ports and hosts.

        A redirect to plain http is taken as https: servers behind a proxy often do not know
        that they are reached by it.
        """
        for _ in range(MAX_REDIRECTS + 1):
            left = self.until - self.dav.clock.monotonic()
            if left <= 0:
                raise ProviderUnavailable(self.dav.provider, operation, detail="too slow")
            answer = self.dav.send(
                operation, "PROPFIND", path, _PRINCIPAL, depth=0, deadline=timedelta(seconds=left)
            )
            location = answer.headers.get("Location", "")
            if answer.status not in REDIRECT_STATUSES or not location:
                return replace(answer, url=self._url(path))
            path = self._redirected(operation, answer.url, location, path)
        raise ProviderUnavailable(self.dav.provider, operation, detail=REDIRECT_LOOP)

    def _redirected(self, operation: str, url: str, location: str, path: str) -> str:
        try:
            target = urljoin(url, location)
            return self._own_path(target, path)
        except AddressRefused:
            if operation != "discover":
                raise
        except ValueError as error:
            raise AddressRefused("redirect_refused") from error
        raise _Elsewhere(target)

    def _own_path(self, target: str, base: str) -> str:
        """Give the path of an address that must be on the host that is being searched."""
        try:
            url = urljoin(self._url(base), target)
            mine, theirs = urlsplit(self.dav.credential.url), urlsplit(url)
            same_port = _port(mine) == _port(theirs) or (
                mine.scheme, theirs.scheme, theirs.port
            ) == ("https", "http", None)  # fmt: skip
        except ValueError as error:
            raise AddressRefused("redirect_refused") from error
        if mine.hostname != theirs.hostname or not same_port or theirs.username is not None:
            raise AddressRefused("redirect_refused")
        return theirs.path or "/"

    def _url(self, path: str) -> str:
        parts = urlsplit(self.dav.credential.url)
        return f"{parts.scheme}://{parts.netloc}{path}"

    def _subject(self, path: str, *, named: bool) -> str:
        """Key a login by origin and principal; unless the server *named* it, by user as well.

        Without that, everybody who types the address of a shared calendar would be one login.
        """
        parts = urlsplit(self.dav.credential.url)
        user = "" if named else f"{quote(normalize('NFC', self.dav.credential.username), safe='')}@"
        return f"{parts.scheme}://{user}{(parts.hostname or '').lower()}:{_port(parts)}{path}"


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def mail_addresses(found: Resource) -> list[str]:
    """Give the person's mail addresses, the preferred one first (RFC 6638 section 2.4.1)."""
    addresses = found.props.get(f"{CALDAV}calendar-user-address-set")
    if addresses is None:
        return []
    hrefs = sorted(addresses.iter(f"{DAV}href"), key=lambda e: e.get("preferred") != "1")
    texts = ((href.text or "").strip() for href in hrefs)
    return [text[7:] for text in texts if text[:7].lower() == "mailto:" and "@" in text]
