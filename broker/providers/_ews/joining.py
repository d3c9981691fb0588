"""Proving what a person typed: finding the endpoint, the name and the way to log in.

Whose mailbox it is, the server says: the login's key is the endpoint's host and the id of its
calendar, and the mail address that was typed counts only when it leads to that very calendar.
Otherwise a colleague's address and one's own password would be taken for the colleague.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from broker.clock import Clock
from broker.errors import (
    AddressRefused,
    AuthorizationLost,
    CalendarGone,
    HostUnconfirmed,
    LoginRejected,
    PermissionMissing,
    ProtocolError,
    ProviderError,
    ProviderUnavailable,
    UserError,
)
from broker.http import Http
from broker.logins import KnownServer, Login, PasswordCredential, RemoteAccount
from broker.providers._ews.discovery.names import Names
from broker.providers._ews.discovery.places import (
    MailAddress,
    endpoint,
    host_of,
    is_cloud,
    is_personal,
    login_name,
    read_address,
)
from broker.providers._ews.discovery.records import MailRecords
from broker.providers._ews.discovery.search import Search
from broker.providers._ews.faults import PROVIDER
from broker.providers._ews.folders import CALENDAR, Folder, GetFolder, Place
from broker.providers._ews.moving import Following
from broker.providers._ews.reasons import reason
from broker.providers._ews.session import Session, without_scheme
from broker.providers.host_trust import HostTrust
from broker.trace import mark_refused

PATIENCE = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Joined:
    """A login that works: what to keep, whose it is, and the *session* that proved it."""

    credential: PasswordCredential
    account: RemoteAccount
    session: Session


class Joining:
    """One attempt to connect. No name is offered again once a server has refused it."""

    def __init__(self, http: Http, clock: Clock, records: MailRecords, login: Login) -> None:
        self._http = http
        self._clock = clock
        self._login = login
        self._address = read_address(login.email or login.url)
        names = _names(login, self._address)[: login.most_names]
        self._names = Names(names, partial(mark_refused, http.trace))
        trust = HostTrust(frozenset({self._address.domain}), login.confirmed)
        self._following = Following(trust, asks=True)
        self._search = Search(
            http, clock, records, self._address, self._names, login.password, trust
        )

    def prove(self) -> Joined:
        """Give the login that works. Raises what `Exchange.verify` says."""
        if is_personal(self._address.domain):
            raise UserError("use_outlook_com")
        if is_cloud(self._address.domain):
            raise UserError("use_office365")
        if self._login.email and self._login.url.strip():
            url = endpoint(self._login.url)
            if is_cloud(host_of(url)):
                raise UserError("use_office365")
            return self._proved(url)
        return self._at_known() or self._searched()

    def _at_known(self) -> Joined | None:
        """Try where colleagues are; None when nobody may, or can, be let in there."""
        for known in self._login.known:
            if not known.approved and not self._search.may_send(known.url):
                continue
            try:
                # What it takes and asks for is seen anew, before a password goes there.
                return self._proved(known.url, without_scheme(known.dialect))
            except LoginRejected:
                raise
            except (UserError, ProviderError) as error:
                self._search.gone(error)
        return None

    def _searched(self) -> Joined:
        for url in self._search.endpoints():
            try:
                return self._proved(url)
            except LoginRejected:
                raise
            except (UserError, ProviderError) as error:
                self._search.failed(url, error)
        raise self._search.conclusion()

    def _proved(self, url: str, dialect: str = "") -> Joined:
        asked = GetFolder((Place(CALENDAR), Place(CALENDAR, str(self._address))))
        while True:
            name = self._names.current
            asking = PasswordCredential(url, name, self._login.password, dialect=dialect)
            session = Session(self._http, self._clock, asking, self._following)
            try:
                mine, named = session.call(asked, deadline=PATIENCE)
            except AuthorizationLost as error:
                if error.status != 401:
                    raise LoginRejected("exchange_account_closed") from error
                self._names.refuse()
                continue
            except HostUnconfirmed as error:
                raise self._search.elsewhere(error.host) from error
            except AddressRefused as error:
                is_typed = session.credential.url == url
                raise error if is_typed else UserError("exchange_not_ews") from error
            except (ProviderUnavailable, ProtocolError, PermissionMissing) as error:
                raise reason(error) from error
            except CalendarGone as error:
                raise UserError("exchange_no_mailbox") from error
            if mine is None:
                raise UserError("exchange_no_mailbox")
            return self._found(session, mine, named)

    def _found(self, session: Session, mine: Folder, named: Folder | None) -> Joined:
        is_own = named is not None and named.remote_id == mine.remote_id
        email = str(self._address) if is_own else None
        addresses = (email.lower(),) if email is not None else ()
        proved = session.credential
        account = RemoteAccount(
            subject=f"https://{host_of(proved.url)}/{mine.remote_id}",
            service=PROVIDER,
            profile_name=email or proved.username,
            email=email,
        )
        return Joined(replace(proved, addresses=addresses), account, session)


def _names(login: Login, address: MailAddress) -> list[str]:
    """Give the names to log in with: what was typed, or else what colleagues' names look like."""
    if login.username.strip():
        return [login_name(login.username)]
    return [*(_filled(known, address) for known in login.known[:1]), str(address)]


def _filled(known: KnownServer, address: MailAddress) -> str:
    return known.username.replace("{email}", str(address)).replace("{local}", address.local)
