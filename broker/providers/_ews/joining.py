"""Proving what a person typed: finding the endpoint, the name and the way to log in.

Whose mailbox it is, the server says: the login's key is the endpoint's host and the id of its
calendar, and the mail address that was typed counts only when it leads to that very calendar.
Otherwise a colleague's address and one's own password would be taken for the colleague.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from broker.clock import Clock
from broker.errors import (
    AuthorizationLost,
    BrokerError,
    CalendarGone,
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
    login_name,
    read_address,
)
from broker.providers._ews.discovery.records import MailRecords
from broker.providers._ews.discovery.search import Search
from broker.providers._ews.faults import ACCESS_REFUSED, MOVED, NOT_EWS, PROVIDER, SIGN_IN_PAGE
from broker.providers._ews.folders import CALENDAR, Folder, GetFolder, Place
from broker.providers._ews.session import Session
from broker.providers._ews.signing_in import NO_CHALLENGE, NO_SCHEME, NOT_KEPT
from broker.providers._ews.statuses import REDIRECTED
from broker.providers.host_trust import HostTrust
from broker.trace import mark_refused

PATIENCE = timedelta(seconds=15)

_REASONS = {
    NO_SCHEME: "exchange_no_password_login",
    # Kerberos is offered under the same name, and takes no password either.
    NO_CHALLENGE: "exchange_no_password_login",
    NOT_KEPT: "exchange_login_interrupted",
    SIGN_IN_PAGE: "exchange_sign_in_page",
    ACCESS_REFUSED: "exchange_ews_off",
    NOT_EWS: "exchange_not_ews",
    MOVED: "exchange_no_mailbox",
    REDIRECTED: "exchange_not_ews",
}


class Joining:
    """One attempt to connect. No name is offered again once a server has refused it."""

    def __init__(self, http: Http, clock: Clock, records: MailRecords, login: Login) -> None:
        self._http = http
        self._clock = clock
        self._login = login
        self._address = read_address(login.email or login.url)
        self._names = Names(_names(login, self._address), partial(mark_refused, http.trace))
        trust = HostTrust(frozenset({self._address.domain}), login.confirmed)
        self._search = Search(
            http, clock, records, self._address, self._names, login.password, trust
        )

    def prove(self) -> tuple[PasswordCredential, RemoteAccount]:
        """Give the login that works. Raises what `Exchange.verify` says."""
        if is_cloud(self._address.domain):
            raise UserError("use_office365")
        first: BrokerError | None = None
        for url, dialect in self._endpoints():
            try:
                return self._proved(url, dialect)
            except LoginRejected:
                raise
            except (UserError, ProviderError) as error:
                first = first or error
        raise self._search.conclusion(first or UserError("exchange_not_found"))

    def _endpoints(self) -> Iterator[tuple[str, str]]:
        """Give where to log in, best first; what was typed is not searched for."""
        typed = self._login.url.strip()
        if typed and "@" not in typed:
            url = endpoint(typed)
            if is_cloud(host_of(url)):
                raise UserError("use_office365")
            yield url, ""
            return
        for known in self._login.known:
            if known.approved or self._search.may_send(known.url):
                yield known.url, known.dialect
        for url in self._search.endpoints():
            yield url, ""

    def _proved(self, url: str, dialect: str) -> tuple[PasswordCredential, RemoteAccount]:
        own = Place(CALENDAR)
        asked = GetFolder((own, Place(CALENDAR, str(self._address))))
        while True:
            name = self._names.current
            asking = PasswordCredential(url, name, self._login.password, dialect=dialect)
            session = Session(self._http, self._clock, asking)
            try:
                mine, named = session.call(asked, deadline=PATIENCE)
            except AuthorizationLost as error:
                if error.status != 401:
                    raise LoginRejected("exchange_account_closed") from error
                self._names.refuse()
                continue
            except (ProviderUnavailable, ProtocolError, PermissionMissing) as error:
                raise _reason(error) from error
            except CalendarGone as error:
                raise UserError("exchange_no_mailbox") from error
            if mine is None:
                raise UserError("exchange_no_mailbox")
            return self._found(asking, session.dialect, mine, named)

    def _found(
        self, asked: PasswordCredential, dialect: str, mine: Folder, named: Folder | None
    ) -> tuple[PasswordCredential, RemoteAccount]:
        is_own = named is not None and named.remote_id == mine.remote_id
        email = str(self._address) if is_own else None
        addresses = (email.lower(),) if email is not None else ()
        credential = PasswordCredential(
            asked.url, asked.username, asked.password, addresses, dialect
        )
        account = RemoteAccount(
            subject=f"https://{host_of(asked.url)}/{mine.remote_id}",
            service=PROVIDER,
            profile_name=email or asked.username,
            email=email,
        )
        return credential, account


def _names(login: Login, address: MailAddress) -> list[str]:
    """Give the names to log in with: what was typed, or else what colleagues' names look like."""
    if login.username.strip():
        return [login_name(login.username)]
    return [*(_filled(known, address) for known in login.known[:1]), str(address)]


def _filled(known: KnownServer, address: MailAddress) -> str:
    return known.username.replace("{email}", str(address)).replace("{local}", address.local)


def _reason(error: ProviderError) -> BrokerError:
    """Say what a person, or their IT department, can do something about."""
    if isinstance(error, PermissionMissing):
        return UserError("exchange_ews_off")
    if isinstance(error, ProtocolError):
        return UserError("exchange_not_ews")
    code = _REASONS.get(error.detail)
    return UserError(code) if code is not None else error
