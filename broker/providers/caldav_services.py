"""CalDAV servers that people know by their mail domain: data, not code.

Each address comes with where it is written. A domain that is not here is asked about in DNS
(RFC 6764), so the list only spares that, or stands in where DNS says nothing; a service whose
domain names its own server there needs no entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

APP_PASSWORD = "app_password"  # noqa: S105 - the name of a note
"""The service takes no ordinary password from other programs: one has to be made there."""

LIKELY_PATHS = ("/remote.php/dav/", "/SOGo/dav/", "/dav.php/")
"""Where CalDAV is on hosts whose `/.well-known/caldav` was forgotten.

Nextcloud and ownCloud: https://docs.nextcloud.com/server/latest/user_manual/en/groupware/
SOGo: https://github.com/jobisoft/DAV-4-TbSync. Baikal: https://sabre.io/baikal/.
"""


@dataclass(frozen=True, slots=True)
class KnownService:
    """One service. *source* says where its address is written, *note* is a hint's code or empty."""

    name: str
    url: str
    domains: frozenset[str]
    source: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class OtherWay:
    """A service that is connected another way. *code* says which; nothing is sent to it."""

    code: str
    domains: frozenset[str]


def _domains(text: str) -> frozenset[str]:
    return frozenset(text.split())


KNOWN = (
    KnownService(
        "Fastmail",
        "https://caldav.fastmail.com/",
        _domains("fastmail.com fastmail.fm fastmail.net fastmail.org fastmail.us sent.com"),
        "https://www.fastmail.com/help/technical/servernamesandports.html",
        APP_PASSWORD,
    ),
    KnownService(
        "Posteo",
        "https://posteo.de:8443/",
        _domains("posteo.de posteo.net posteo.org"),
        "https://github.com/python-caldav/caldav",
    ),
    KnownService(
        "mailbox.org",
        "https://dav.mailbox.org/",
        _domains("mailbox.org"),
        "https://kb.mailbox.org/en/private/addressbook-and-calendar/caldav-and-carddav-for-evolution/",
    ),
    KnownService(
        "Yahoo",
        "https://caldav.calendar.yahoo.com/",
        _domains("yahoo.com yahoo.co.uk yahoo.de yahoo.fr yahoo.it yahoo.es ymail.com"),
        "https://code.in0rdr.ch/hivedav/file/docs/CALDAV.md.html",
        APP_PASSWORD,
    ),
    KnownService(
        "GMX",
        "https://caldav.gmx.net/",
        _domains("gmx.net gmx.de gmx.at gmx.ch"),
        "https://code.in0rdr.ch/hivedav/file/docs/CALDAV.md.html",
    ),
    KnownService(
        "WEB.DE",
        "https://caldav.web.de/",
        _domains("web.de"),
        "https://github.com/WLAN-Kabel/ioBroker.calendar",
    ),
    KnownService(
        "Zoho",
        "https://calendar.zoho.com/caldav/",
        _domains("zoho.com zohomail.com"),
        "https://help.zoho.com/portal/en/community/topic/zoho-calendar-via-caldav-in-windows-calendar",
        APP_PASSWORD,
    ),
)
OTHER_WAYS = (
    OtherWay("use_icloud", _domains("icloud.com me.com mac.com icloud.com.cn")),
    OtherWay("use_google", _domains("gmail.com googlemail.com google.com googleusercontent.com")),
    OtherWay(
        "use_microsoft",
        _domains("outlook.com hotmail.com live.com msn.com office365.com office.com"),
    ),
)


def known_hosts() -> frozenset[str]:
    """Give the host names of the services."""
    return frozenset(urlsplit(service.url).hostname or "" for service in KNOWN)


def known_service(domain: str) -> KnownService | None:
    """Give the service of a mail domain."""
    return next((service for service in KNOWN if domain in service.domains), None)


def other_way(host: str) -> str | None:
    """Give how a host or mail domain is to be connected, when CalDAV is not the way."""
    labels = host.rstrip(".").lower().split(".")
    names = {".".join(labels[at:]) for at in range(len(labels))}
    return next((way.code for way in OTHER_WAYS if names & way.domains), None)
