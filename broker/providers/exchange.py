"""Company-hosted Exchange, 2007 SP1 and later, by mail address and password, over EWS.

https://learn.microsoft.com/exchange/client-developer/exchange-web-services/start-using-web-services-in-exchange
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

from broker.clock import Clock
from broker.domain import (
    BusySpan,
    Changes,
    EventDraft,
    Mailbox,
    RemoteCalendar,
    RemoteEvent,
    Window,
)
from broker.errors import CalendarGone, ProviderUnavailable
from broker.http import Http
from broker.line import Line
from broker.logins import Credential, Login, PasswordCredential
from broker.providers._ews import folders, writes
from broker.providers._ews.changes import Reader
from broker.providers._ews.discovery.records import MailDns, MailRecords, TracedMailRecords
from broker.providers._ews.folders import (
    CALENDAR,
    DELETED,
    FindFolder,
    Folder,
    GetFolder,
    Place,
    is_calendar,
)
from broker.providers._ews.get_user_availability import spans_of
from broker.providers._ews.joining import Joining
from broker.providers._ews.moving import following
from broker.providers._ews.paging import paged
from broker.providers._ews.people import GetRoomLists, GetRooms, ResolveNames
from broker.providers._ews.session import Session
from broker.providers._ews.stream import Stream
from broker.providers.base import CalendarClient, Hear, Verified
from broker.wire import within

# Somebody waits before a page that does not move: half a minute is what it tells them.
ATTEMPT = timedelta(seconds=28)

_NOBODYS_TIME = "ipf.appointment.birthday"


class Exchange:
    """Calendars of a company's own Exchange."""

    slug = "exchange"
    label = "Exchange"
    provider_name = "exchange"
    window_bound = False
    """A cursor follows a whole folder, however far ahead."""

    def __init__(self, http: Http, clock: Clock, records: MailRecords | None = None) -> None:
        self._http = http
        self._clock = clock
        self._records = records or MailDns()

    def verify(self, login: Login) -> Verified:
        """Find the person's mailbox and prove the login; a name is refused once at the most.

        Raises LoginRejected, AddressRefused, HostUnconfirmed, UserError (`use_office365`,
        `exchange_...`), or a ProviderError that names the step.
        """
        with within(self._clock, ATTEMPT):
            records = TracedMailRecords(self._records, self._http)
            found = Joining(self._http, self._clock, records, login).prove()
            calendars = ExchangeClient(found.session).calendars()
            return Verified(found.credential, found.account, calendars)

    def listen(
        self, client: CalendarClient, calendar_ids: Sequence[str], hear: Hear, line: Line
    ) -> None:
        """Tell of changes over a stream (2010 SP2 and later). See `ListeningProvider`."""
        Stream(client_of(client).session, self._clock, tuple(calendar_ids), hear, line).follow()

    def client(self, credential: Credential) -> ExchangeClient:
        """Give the view of one credential, with a connection of its own."""
        if not isinstance(credential, PasswordCredential):
            raise TypeError("Exchange needs a user name and password")
        return ExchangeClient(Session(self._http, self._clock, credential, following(credential)))


class ExchangeClient:
    """One login's calendars. Its requests go one after the other: mailboxes are throttled."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def credential(self) -> PasswordCredential:
        """The login, with the address where its endpoint was last. See `MovingClient`."""
        return self.session.credential

    def calendars(self) -> list[RemoteCalendar]:
        """List the calendars of the mailbox, without those that were thrown away."""
        try:
            primary, thrown_away = self.session.call(GetFolder((Place(CALENDAR), Place(DELETED))))
            found = list(self._folders())
        except CalendarGone as error:
            # A mailbox without folders is one that moves; no calendar is said to be gone.
            where = (error.provider, error.operation, error.status)
            raise ProviderUnavailable(*where, detail="folders not found") from error
        listed = {folder.remote_id: folder for folder in found if is_calendar(folder)}
        if primary is not None:
            listed.setdefault(primary.remote_id, primary)
        bin_id = thrown_away.remote_id if thrown_away is not None else ""
        return [
            _calendar(folder, is_primary=primary is not None and primary.remote_id == remote_id)
            for remote_id, folder in listed.items()
            if not _is_below(folder, bin_id, listed)
        ]

    def _folders(self) -> Iterator[Folder]:
        offset: int | None = 0
        most = folders.MOST
        while offset is not None:
            page, most = paged(self.session, partial(FindFolder, offset), most)
            yield from page.folders
            offset = page.next_offset

    def changes(self, calendar_id: str, cursor: str | None, window: Window) -> Iterator[Changes]:
        """Yield what changed since *cursor*, or what matters from *window*'s start on when None.

        An unchanged calendar costs one request. Raises CursorExpired.
        """
        return Reader(self.session, calendar_id, window).changes(cursor)

    def save(self, calendar_id: str, event: EventDraft, *, etag: str | None) -> RemoteEvent:
        """Create an event, or change the one that still has *etag*. See `EventWriter`."""
        return writes.save(self.session, calendar_id, event, etag)

    def delete(self, calendar_id: str, remote_id: str, *, etag: str | None) -> None:
        """Delete an event that still has *etag*. See `EventWriter`."""
        writes.delete(self.session, remote_id, etag)

    def free_busy(
        self, addresses: Sequence[str], window: Window
    ) -> dict[str, list[BusySpan] | None]:
        """Tell when people are busy, by mail address; None of whom nothing may be known."""
        return spans_of(self.session, addresses, window)

    def people(self, entry: str) -> list[Mailbox]:
        """Find whom a name, or the beginning of one, may mean in the company's directory."""
        return self.session.call(ResolveNames(entry))

    def rooms(self) -> list[Mailbox]:
        """List the rooms that are in a list of the company (2010 and later)."""
        lists = self.session.call(GetRoomLists())
        found = (room for one in lists for room in self.session.call(GetRooms(one.email)))
        return list({room.email.lower(): room for room in found}.values())


def client_of(client: CalendarClient) -> ExchangeClient:
    """Give a client as ours."""
    if not isinstance(client, ExchangeClient):
        raise TypeError("Exchange takes a client of its own")
    return client


def _calendar(folder: Folder, *, is_primary: bool) -> RemoteCalendar:
    return RemoteCalendar(
        remote_id=folder.remote_id,
        name=folder.name or "Calendar",
        read_only=not folder.is_writable,
        primary=is_primary,
        counts_as_busy=not folder.kind.lower().startswith(_NOBODYS_TIME),
    )


def _is_below(folder: Folder, bin_id: str, listed: dict[str, Folder]) -> bool:
    """Tell whether a calendar lies in the bin, itself or inside another one that does."""
    seen: set[str] = set()
    held: Folder | None = folder
    while held is not None and held.remote_id not in seen:
        if bin_id and held.parent_id == bin_id:
            return True
        seen.add(held.remote_id)
        held = listed.get(held.parent_id)
    return False
