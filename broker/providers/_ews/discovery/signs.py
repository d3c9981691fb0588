"""Signs, from outside and without a password: is this Exchange, is that company in the cloud."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from broker.challenges import schemes
from broker.errors import AddressRefused, ProviderError, ProviderUnavailable, UserError
from broker.http import REDIRECT_STATUSES, Answer, Call, Http
from broker.providers._ews.discovery.asking import Asker
from broker.providers._ews.discovery.forms import POX_PATH, json_path
from broker.providers._ews.discovery.places import (
    MailAddress,
    host_of,
    is_autodiscover,
    is_cloud,
    is_cloud_mail,
    joined,
)
from broker.providers._ews.discovery.records import MailRecords
from broker.providers._ews.faults import PROVIDER
from broker.providers._ews.reasons import reason
from broker.providers._ews.signing_in import NoScheme, Scheme, choose
from broker.providers._ews.statuses import status_error

REALM_URL = "https://login.microsoftonline.com/getuserrealm.srf"
ONLINE = "https://outlook.office365.com"
PATIENCE = timedelta(seconds=5)
CAP_BYTES = 64 * 1024

# What tells Exchange from a web site that merely asks for a password.
_HEADERS = ("X-SOAP-Enabled", "X-WSSecurity-Enabled", "X-OAuth-Enabled", "X-FEServer")


def scheme_of(answer: Answer) -> Scheme | None:
    """Give how to log in where an answer of 401 came from; None when no password is taken."""
    try:
        return choose(schemes(answer.headers.get("WWW-Authenticate", "")))
    except NoScheme:
        return None


def looks_like_exchange(answer: Answer, host: str) -> bool:
    """Tell Exchange that wants a login from a web site that does.

    Signs can be imitated: they stop accidents, and the rule of hosts stops attackers.
    """
    if answer.status != 401 or scheme_of(answer) is None:
        return False
    if any(sign in answer.headers for sign in _HEADERS):
        return True
    is_named_so = host.startswith("autodiscover.")
    return is_named_so and "microsoft-iis" in answer.headers.get("Server", "").lower()


def why_not_ews(answer: Answer, now: datetime) -> UserError | None:
    """Give why no password is of use at what should be EWS; None where one may be.

    It was asked without one, and by a method that some proxies do not let through.
    """
    if answer.status == 401:
        return None if scheme_of(answer) else UserError("exchange_no_password_login")
    if answer.status in {403, 405}:
        return None
    found = status_error(answer, "probe", now)
    problem = reason(found) if isinstance(found, ProviderError) else found
    return problem if isinstance(problem, UserError) else None


def premises(asker: Asker, address: MailAddress) -> str:
    """Ask Exchange Online about a mailbox: of one at home it says where; empty when it does not.

    It is asked of nobody but those whose company has signs of being there.
    """
    try:
        answer = asker.get("realm", f"{ONLINE}{json_path(str(address))}")
    except (ProviderUnavailable, AddressRefused):
        return ""
    target = joined(answer.url, answer.headers.get("Location", ""))
    is_home = is_autodiscover(target) and not is_cloud(host_of(target))
    is_said = answer.status in REDIRECT_STATUSES and is_home
    return f"https://{urlsplit(target).netloc}{POX_PATH}" if is_said else ""


def cloud_reason(http: Http, records: MailRecords, domain: str) -> str | None:
    """Look for signs of Microsoft 365: where a domain's mail goes, and where people sign in.

    Companies whose people sign in there may keep mailboxes at home all the same, so that this
    alone is a `perhaps`. None where there is no sign.
    """
    if any(is_cloud_mail(host) for host in records.exchangers(domain)):
        return "use_office365"
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
        return None
    kind = realm.get("NameSpaceType") if isinstance(realm, dict) else None
    return "perhaps_office365" if kind in {"Managed", "Federated"} else None
