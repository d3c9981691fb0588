"""Mail addresses, endpoints and hosts: what a person typed, and whose a host is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from broker.errors import AddressRefused
from broker.providers._caldav_address import complete_address, over_https

EWS_PATH = "/EWS/Exchange.asmx"
LONGEST = 254

_CLOUD = ("outlook.com", "office365.com", "onmicrosoft.com", "office.com", "microsoftonline.com",
          "hotmail.com", "live.com", "msn.com", "microsoft.com", "partner.outlook.cn")  # fmt: skip
# Outlook.com and what it was called before: domains of people, not of companies.
_PERSONAL = re.compile(
    r"(?:outlook|hotmail)\.(?:com|[a-z]{2}|com?\.[a-z]{2})|live\.(?:com|at|be|ca|cl|cn|co\.kr|co\.uk"
    r"|co\.za|com\.ar|com\.au|com\.mx|com\.my|com\.pt|com\.sg|de|dk|fi|fr|hk|ie|in|it|jp|nl|no|ph"
    r"|ru|se)|(?:msn|windowslive|passport)\.com"
)
_CLOUD_MAIL = (".mail.protection.outlook.com", ".mx.microsoft")


@dataclass(frozen=True, slots=True)
class MailAddress:
    """A mail address, its domain in lower case and in ASCII."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


def read_address(text: str) -> MailAddress:
    """Read a mail address. Raises AddressRefused (`address_malformed`)."""
    local, _, name = text.strip().rpartition("@")
    try:
        domain = name.rstrip(".").encode("idna").decode().lower()
        host = urlsplit(f"https://{domain}/").hostname
    except (UnicodeError, ValueError) as error:
        raise AddressRefused("address_malformed") from error
    is_whole = local and "@" not in local and "." in domain and domain == host
    if not is_whole or not text.isprintable() or " " in local or len(text) > LONGEST:
        raise AddressRefused("address_malformed")
    return MailAddress(local, domain)


def endpoint(typed: str) -> str:
    """Give the EWS address of what somebody typed: a host, an address of OWA, or all of it.

    Raises AddressRefused.
    """
    url = complete_address(typed)
    parts = urlsplit(url)
    if parts.scheme != "https":
        raise AddressRefused("address_not_https", instead=over_https(url))
    is_whole = parts.path.lower().endswith(".asmx")
    return f"https://{parts.netloc}{parts.path if is_whole else EWS_PATH}"


def login_name(typed: str) -> str:
    """Mend what people type for a Windows login: `CORP/ada` is `CORP\\ada`."""
    name = typed.strip()
    if "\\" not in name and "@" not in name and name.count("/") == 1:
        name = name.replace("/", "\\")
    return name


def host_of(url: str) -> str:
    """Give the host of an address in lower case; empty when it has none that can be read."""
    try:
        return (urlsplit(url).hostname or "").lower().rstrip(".")
    except ValueError:
        return ""


def joined(url: str, location: str) -> str:
    """Give where an answer from *url* points; empty when that cannot be read."""
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


def is_own(host: str, domain: str) -> bool:
    """Tell whether a host is the mail domain itself, or below it."""
    return host == domain or host.endswith(f".{domain}")


def is_cloud(host: str) -> bool:
    """Tell whether a host or mail domain is Microsoft's own: passwords are of no use there."""
    return any(is_own(host, name) for name in _CLOUD)


def is_personal(domain: str) -> bool:
    """Tell whether a mail domain is one of Outlook.com: mailboxes there are people's own."""
    return _PERSONAL.fullmatch(domain) is not None


def is_cloud_mail(exchanger: str) -> bool:
    """Tell whether a mail exchanger is Microsoft 365's."""
    return exchanger.lower().rstrip(".").endswith(_CLOUD_MAIL)


def is_autodiscover(url: str) -> bool:
    """Tell whether an address may be followed: https, and a path of Autodiscover."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and parts.path.lower().startswith("/autodiscover/")
