"""Following an endpoint that has moved: only to where its login may go without a question.

The rules are those of connecting: https at Exchange's own path, at the host that has the password
already, or at one of the mail domain's. Wherever else a server points, the person decides: at
once while they connect, by connecting again when it happens in a sync.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urljoin, urlsplit

from broker.errors import AddressRefused, HostUnconfirmed, UserError
from broker.logins import PasswordCredential
from broker.providers._ews.discovery.places import EWS_PATH, host_of, is_cloud
from broker.providers.host_trust import HostTrust, place_of


@dataclass(frozen=True, slots=True)
class Following:
    """Where a login may go along with its endpoint; *asks* when its owner waits for the answer."""

    trust: HostTrust
    asks: bool = False

    def new_endpoint(self, url: str, location: str) -> str | None:
        """Give where the endpoint at *url* sends a login on to; None where it must not follow.

        One that *asks* raises HostUnconfirmed for a host that its owner may say yes to, and
        UserError `use_office365`.
        """
        try:
            target = urljoin(url, location)
            path = urlsplit(target).path
            place = place_of(target)
        except (ValueError, AddressRefused):
            return None
        if path.lower() != EWS_PATH.lower():
            return None
        if is_cloud(host_of(target)):
            if self.asks:
                raise UserError("use_office365")
            return None
        trust = replace(self.trust, confirmed=self.trust.confirmed | _own(url))
        if trust.covers(place):
            return f"https://{place}{EWS_PATH}"
        if self.asks:
            raise HostUnconfirmed(place)
        return None


def following(credential: PasswordCredential) -> Following:
    """Say where a stored login may go: its mail domain is proved by the addresses it has."""
    domains = {address.rpartition("@")[2].lower() for address in credential.addresses}
    return Following(HostTrust(frozenset(domains - {""})))


def _own(url: str) -> frozenset[str]:
    try:
        return frozenset({place_of(url)})
    except AddressRefused:
        return frozenset()
