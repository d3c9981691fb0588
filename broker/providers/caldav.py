"""Any CalDAV server, by address, user name and password (RFC 4791)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from broker.clock import Clock
from broker.domain import Changes, EventDraft, RemoteCalendar, RemoteEvent, Window
from broker.errors import (
    AddressRefused,
    AuthorizationLost,
    CalendarGone,
    LoginRejected,
    ProtocolError,
    ProviderUnavailable,
    UserError,
)
from broker.http import Http
from broker.logins import Credential, Login, PasswordCredential, RemoteAccount
from broker.providers import _caldav_writes
from broker.providers._caldav import Dav, path_of_url, propfind
from broker.providers._caldav_address import over_https, read_typed
from broker.providers._caldav_calendars import PROPERTIES, read_calendars
from broker.providers._caldav_changes import Reader
from broker.providers._caldav_discovery import discover
from broker.providers._caldav_dns import Dns, Records, TracedRecords
from broker.providers._caldav_search import Home
from broker.providers._multistatus import Resource, same_path
from broker.providers.base import Verified
from broker.wire import within

ATTEMPT = timedelta(seconds=40)


class CalDav:
    """Calendars of servers that people name themselves."""

    slug = "caldav"
    label = "Other calendar (CalDAV)"
    provider_name = "caldav"
    window_bound = True

    def __init__(self, http: Http, clock: Clock, records: Records | None = None) -> None:
        self.http = http
        self.clock = clock
        self.records = records or Dns()

    def client(self, credential: Credential) -> CalDavClient:
        """Give the view of one credential."""
        if not isinstance(credential, PasswordCredential):
            raise TypeError("CalDAV needs a user name and password")
        return CalDavClient(Dav(self.http, self.clock, credential, self.provider_name))

    def verify(self, login: Login) -> Verified:
        """Find the person's calendars and prove the login; one refusal ends the attempt.

        Raises LoginRejected, HostUnconfirmed, AddressRefused, UserError (`not_caldav`,
        `not_https`, `no_calendars`, `use_...` for a service that has its own way), or a
        ProviderError that names the step.
        """
        with within(self.clock, ATTEMPT):
            return self._verified(login)

    def _verified(self, login: Login) -> Verified:
        typed = read_typed(login.url)
        asking = PasswordCredential(
            typed.url, login.username.strip() or typed.email, login.password
        )
        dav = Dav(self.http, self.clock, asking, self.provider_name)
        try:
            records = TracedRecords(self.records, self.http)
            home = discover(dav, typed, records, login.confirmed)
        except AddressRefused as error:
            if error.code != "address_not_https":
                raise
            raise AddressRefused(error.code, instead=over_https(typed.url)) from error
        own = tuple(address.lower() for address in home.addresses)
        credential = replace(asking, url=home.url, addresses=own)
        try:
            calendars = self.client(credential).calendars()
        except AuthorizationLost as error:
            raise LoginRejected("login_rejected") from error
        except ProtocolError as error:
            raise UserError("not_caldav") from error
        if not calendars:
            raise UserError("no_calendars")
        return Verified(credential, self._account(home, asking.username), calendars)

    def _account(self, home: Home, username: str) -> RemoteAccount:
        own = username if "@" in username else None
        email = home.addresses[0] if home.addresses else own
        return RemoteAccount(
            subject=home.subject,
            service=self.provider_name,
            profile_name=email or username,
            email=email,
            display_name=home.display_name,
        )


class CalDavClient:
    """One login's calendars."""

    def __init__(self, dav: Dav) -> None:
        self.dav = dav

    @property
    def credential(self) -> PasswordCredential:
        """The credential as it is now. See `MovingClient`."""
        return self.dav.credential

    def calendars(self) -> list[RemoteCalendar]:
        """List the calendars in the home that can hold events."""
        path = path_of_url(self.dav.credential.url)
        body = propfind(*PROPERTIES)
        try:
            answer = self.dav.multistatus("calendars", "PROPFIND", path, body, depth=1)
        except CalendarGone as error:
            # A home that moved is for discovery to find; no calendar is said to be gone.
            raise ProviderUnavailable(
                self.dav.provider, "calendars", error.status, detail="home not found"
            ) from error
        if any(_is_failure(item, path) for item in answer.resources):
            raise ProviderUnavailable(self.dav.provider, "calendars", 207, detail="list cut short")
        return read_calendars(answer)

    def changes(self, calendar_id: str, cursor: str | None, window: Window) -> Iterator[Changes]:
        """Yield what changed since *cursor*, or everything in *window* when None.

        An unchanged calendar costs one request.
        """
        return Reader(self.dav, calendar_id, window).changes(cursor)

    def save(self, calendar_id: str, event: EventDraft, *, etag: str | None) -> RemoteEvent:
        """Create an event, or change the one that still has *etag*. See `EventWriter`."""
        return _caldav_writes.save(self.dav, calendar_id, event, etag)

    def delete(self, calendar_id: str, remote_id: str, *, etag: str | None) -> None:
        """Delete an event that still has *etag*. See `EventWriter`."""
        _caldav_writes.delete(self.dav, remote_id, etag)


def _is_failure(item: Resource, home: str) -> bool:
    """Tell whether a listing says of a calendar, or of itself, that it could not be read."""
    if item.status is None or item.status < 400:
        return False
    return item.status >= 500 or same_path(item.href, home)
