"""Following an endpoint that has moved: only to where its login may go without a question.

The rules are those of connecting: https at Exchange's own path, at the host that has the password
already, or at one of the mail domain's. Wherever else a server points, the person decides, by
connecting again.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from broker.errors import AddressRefused
from broker.logins import PasswordCredential
from broker.providers._ews.discovery.places import EWS_PATH, host_of, is_cloud
from broker.providers.host_trust import HostTrust, place_of


def new_endpoint(credential: PasswordCredential, url: str, location: str) -> str | None:
    """Give where the endpoint at *url* sends a login on to; None where it must not follow."""
    try:
        target = urljoin(url, location)
        path = urlsplit(target).path
        place = place_of(target)
    except (ValueError, AddressRefused):
        return None
    if path.lower() != EWS_PATH.lower() or is_cloud(host_of(target)):
        return None
    domains = {address.rpartition("@")[2].lower() for address in credential.addresses}
    if not HostTrust(frozenset(domains - {""}), _own(url)).covers(place):
        return None
    return f"https://{place}{EWS_PATH}"


def _own(url: str) -> frozenset[str]:
    try:
        return frozenset({place_of(url)})
    except AddressRefused:
        return frozenset()
