"""From what a person typed to the home of their calendars (RFC 6764 section 6).

The password goes to the host that the person named, to hosts below it, and to services that we
know. Where DNS or a redirect points anywhere else, the person is asked first; the search then
begins again with their answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

from broker.errors import HostUnconfirmed, LoginRejected, ProviderUnavailable, UserError
from broker.providers._caldav import Dav
from broker.providers._caldav_address import Typed
from broker.providers._caldav_dns import Records, ascii_name, offers_plain, secure_addresses
from broker.providers._caldav_search import Home, Search
from broker.providers.caldav_services import known_hosts, known_service, other_way
from broker.providers.host_trust import HostTrust

BUDGET = timedelta(seconds=30)


def discover(dav: Dav, typed: Typed, records: Records, confirmed: frozenset[str]) -> Home:
    """Find the home of the credential's login.

    A place that is no CalDAV server leads on to the next; a refusal ends the search at once.
    *confirmed* holds the hosts that the person said yes to. Raises LoginRejected,
    HostUnconfirmed, UserError (`not_caldav`, `not_https`, `use_...`), AddressRefused, or
    ProviderError.
    """
    until = dav.clock.monotonic() + BUDGET.total_seconds()
    trust = HostTrust(known_hosts() | _named(typed), confirmed)
    first: Exception | None = None
    for url in _targets(typed, records):
        if code := other_way(urlsplit(url).hostname or ""):
            raise UserError(code)
        host = urlsplit(url).hostname or ""
        if host not in _named(typed):
            # At which port, the domain's DNS may say.
            dav.http.policy.check_url(url)
            trust.check(f"https://{host}/")
        search = Search(replace(dav, credential=replace(dav.credential, url=url)), until, trust)
        try:
            return search.home()
        except (LoginRejected, HostUnconfirmed):
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


def _named(typed: Typed) -> frozenset[str]:
    """Give the host names that the person typed, also as DNS writes them."""
    hosts = {typed.domain, urlsplit(typed.url).hostname or ""} - {""}
    return frozenset(hosts | {ascii_name(host) or host for host in hosts})
