"""iCloud: CalDAV with an Apple Account's address and an app-specific password.

Help for people: https://support.apple.com/102654. What iCloud does differently from RFC 4791:
calendars live on partition hosts that change, 401 and 403 both refuse a login, and only Basic
credentials sent unasked are understood.
"""

from __future__ import annotations

from datetime import timedelta

from broker.clock import Clock
from broker.errors import (
    AuthorizationLost,
    LoginRejected,
    ProviderError,
    ProviderUnavailable,
    UserError,
)
from broker.http import DEADLINE, Http
from broker.logins import Credential, Login, PasswordCredential, RemoteAccount
from broker.providers._apple_home import AppleDav, AppleHome, find_home, with_addresses
from broker.providers.apple_password import normalise
from broker.providers.base import Verified
from broker.providers.caldav import CalDavClient
from broker.settings import AppleSettings
from broker.wire import within

FORM_PATIENCE = timedelta(seconds=8)
ATTEMPT = timedelta(seconds=20)


class Apple:
    """iCloud's calendars."""

    slug = "apple"
    label = "iCloud"
    provider_name = "apple"
    service = "icloud"
    window_bound = True

    def __init__(self, http: Http, clock: Clock, settings: AppleSettings) -> None:
        self.http = http
        self.clock = clock
        self.settings = settings

    def client(self, credential: Credential) -> CalDavClient:
        """Give the view of one credential. Raises ProviderUnavailable for an untrusted host."""
        if not isinstance(credential, PasswordCredential):
            raise TypeError("iCloud needs an address and an app-specific password")
        if not self.settings.trusts(credential.url):
            raise ProviderUnavailable(self.provider_name, "client", detail="host not trusted")
        return CalDavClient(self._dav(credential))

    def verify(self, login: Login) -> Verified:
        """Prove the login with one refused request at most.

        Raises UserError `app_password_shape` before any request, LoginRejected
        `apple_login_rejected`, UserError `calendar_off` or `no_calendars` when the password is
        good but there is nothing to read, AddressRefused, or a ProviderError.
        """
        typed = PasswordCredential(
            self.settings.caldav_url, _address(login.username), self._password(login.password)
        )
        with within(self.clock, ATTEMPT):
            return self._verified(typed)

    def _verified(self, typed: PasswordCredential) -> Verified:
        home = self._find(typed)
        if home.url is None:
            raise UserError("calendar_off")
        credential = with_addresses(typed, home, home.url)
        dav = self._dav(credential, patience=FORM_PATIENCE, looked=True)
        try:
            calendars = CalDavClient(dav).calendars()
        except ProviderError as error:
            # The entry took the password a moment ago, so it is the calendars that are closed.
            if error.status in {401, 403, 404, 410}:
                raise UserError("calendar_off") from error
            raise
        if not calendars:
            raise UserError("no_calendars")
        credential = with_addresses(typed, home, dav.credential.url)
        return Verified(credential, self._account(home, typed.username), calendars)

    def _find(self, typed: PasswordCredential) -> AppleHome:
        try:
            return find_home(self._dav(typed, patience=FORM_PATIENCE, looked=True))
        except (AuthorizationLost, ProviderUnavailable) as error:
            # 403 is also how iCloud refuses an unknown address, or too many attempts.
            if isinstance(error, AuthorizationLost) or error.status == 403:
                raise LoginRejected("apple_login_rejected") from error
            raise

    def _password(self, typed: str) -> str:
        """Give what may be sent: an app-specific password, never the account's own."""
        shaped = normalise(typed)
        if shaped is None and self.settings.check_password_shape:
            raise UserError("app_password_shape")
        return shaped or typed.strip()

    def _account(self, home: AppleHome, username: str) -> RemoteAccount:
        email = home.addresses[0] if home.addresses else username
        return RemoteAccount(
            subject=home.dsid,
            service=self.service,
            profile_name=email,
            email=email,
            display_name=home.display_name,
        )

    def _dav(
        self,
        credential: PasswordCredential,
        *,
        patience: timedelta = DEADLINE,
        looked: bool = False,
    ) -> AppleDav:
        # Not guarded: no host but the settings' own is ever called.
        return AppleDav(
            self.http,
            self.clock,
            credential,
            self.provider_name,
            guarded=False,
            settings=self.settings,
            patience=patience,
            looked=looked,
        )


def _address(typed: str) -> str:
    """Give the account's address; only its domain is the same in capitals.

    Raises UserError: what has no domain is no address, and is not worth an attempt.
    """
    name, at, domain = "".join(typed.split()).rpartition("@")
    if not at or not name or not domain:
        raise UserError("apple_login_rejected")
    return f"{name}@{domain.lower()}"
