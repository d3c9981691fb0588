"""From what a person typed to the home of their calendars (RFC 6764 section 6, RFC 5397).

The password goes to the host that the person named, to the server that their mail domain names
in DNS, or to that of a service we know, and never further: not where any of these redirects to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from unicodedata import normalize
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from broker.errors import (
    AddressRefused,
    CalendarGone,
    LoginRejected,
    ProtocolError,
    ProviderUnavailable,
    UserError,
)
from broker.http import REDIRECT_STATUSES, Answer
from broker.providers._caldav import Dav, path_of_url, propfind
from broker.providers._caldav_address import Typed
from broker.providers._caldav_calendars import holds_events
from broker.providers._caldav_dns import Records, offers_plain, secure_addresses
from broker.providers._multistatus import (
    CALDAV,
    DAV,
    Resource,
    UnreadableXml,
    read_multistatus,
    same_path,
)
from broker.providers.caldav_services import LIKELY_PATHS, known_service, other_way

BUDGET = timedelta(seconds=30)
MAX_REDIRECTS = 5
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


def discover(dav: Dav, typed: Typed, records: Records) -> Home:
    """Find the home of the credential's login.

    A place that is no CalDAV server leads on to the next; a refusal ends the search at once.
    Raises LoginRejected, UserError (`not_caldav`, `not_https`, `use_...`), AddressRefused, or
    ProviderError.
    """
    until = dav.clock.monotonic() + BUDGET.total_seconds()
    first: Exception | None = None
    for url in _targets(typed, records):
        if code := other_way(urlsplit(url).hostname or ""):
            raise UserError(code)
        search = _Search(replace(dav, credential=replace(dav.credential, url=url)), until)
        try:
            return search.home()
        except LoginRejected:
            raise
        except (UserError, ProviderUnavailable) as error:
            first = first or error
    if typed.domain and offers_plain(records, typed.domain):
        raise UserError("not_https")
    raise first or UserError("not_caldav")


def _targets(typed: Typed, records: Records) -> Iterator[str]:
    """Give where to look, best first. DNS is asked only as far as it is needed."""
    known = known_service(typed.domain)
    if other_way(typed.domain):
        yield f"https://{typed.domain}/"
    elif known is not None:
        yield known.url
    elif typed.email:
        yield from secure_addresses(records, typed.domain)
        yield f"https://{typed.domain}/"
    else:
        yield typed.url
        if typed.domain:
            yield from secure_addresses(records, typed.domain)


class _Search:
    """The search at one host; *until* bounds the whole attempt, on the monotonic clock."""

    def __init__(self, dav: Dav, until: float) -> None:
        self.dav = dav
        self.until = until

    def home(self) -> Home:
        """Try the places where CalDAV may be: as typed, then as RFC 6764 section 6 says."""
        refused: AddressRefused | None = None
        for path in self._places():
            try:
                found = self._ask("discover", path)
            except AddressRefused as error:
                # A home page may lead to a login page elsewhere, beside good CalDAV.
                if error.code != "redirect_refused":
                    raise
                refused, found = refused or error, None
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
        raise refused or UserError("not_caldav")

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

        What an answer says of any other path is not believed: it becomes the login's key.
        """
        answer = self._send(operation, path)
        if answer.status in {401, 403}:
            raise LoginRejected("login_rejected")
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
        """Follow redirects on the same host; its other ports and hosts get no password.

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
            path = self._own_path(urljoin(answer.url, location), path)
        raise ProviderUnavailable(self.dav.provider, operation, detail="redirect loop")

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
