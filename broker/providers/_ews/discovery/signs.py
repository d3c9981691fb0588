"""Signs, from outside and without a password: is this Exchange, is that company in the cloud."""

from __future__ import annotations

from datetime import timedelta

from broker.challenges import schemes
from broker.errors import ProviderError
from broker.http import Answer, Call, Http
from broker.providers._ews.discovery.places import is_cloud_mail
from broker.providers._ews.discovery.records import MailRecords
from broker.providers._ews.faults import PROVIDER
from broker.providers._ews.signing_in import NoScheme, choose

REALM_URL = "https://login.microsoftonline.com/getuserrealm.srf"
PATIENCE = timedelta(seconds=5)
CAP_BYTES = 64 * 1024

# What tells Exchange from a web site that merely asks for a password.
_HEADERS = ("X-SOAP-Enabled", "X-WSSecurity-Enabled", "X-OAuth-Enabled", "X-FEServer")


def looks_like_exchange(answer: Answer, host: str) -> bool:
    """Tell Exchange that wants a login from a web site that does.

    Signs can be imitated: they stop accidents, and the rule of hosts stops attackers.
    """
    if answer.status != 401:
        return False
    try:
        choose(schemes(answer.headers.get("WWW-Authenticate", "")))
    except NoScheme:
        return False
    if any(sign in answer.headers for sign in _HEADERS):
        return True
    is_named_so = host.startswith("autodiscover.")
    return is_named_so and "microsoft-iis" in answer.headers.get("Server", "").lower()


def is_in_cloud(http: Http, records: MailRecords, domain: str) -> bool:
    """Look for signs of Microsoft 365: where a domain's mail goes, and where people sign in."""
    if any(is_cloud_mail(host) for host in records.exchangers(domain)):
        return True
    # Asked for a name that is nobody's: the domain is what counts.
    call = Call(
        PROVIDER,
        "realm",
        "GET",
        REALM_URL,
        params={"login": f"calendar@{domain}", "json": "1"},
        deadline=PATIENCE,
        cap_bytes=CAP_BYTES,
    )
    try:
        realm = http.call(call).json(PROVIDER, "realm")
    except ProviderError:
        return False
    kind = realm.get("NameSpaceType") if isinstance(realm, dict) else None
    return kind in {"Managed", "Federated"}
