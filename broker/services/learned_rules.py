"""Which learned servers may have colleagues' passwords, and what of a login is worth keeping.

Pure. What a login teaches is the word of whoever logged in, and they may have built the server
themselves (security.md C7): so it is used for others only where the mail domain's owner rules,
and a success there proves nothing about any other place.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from broker.errors import AddressRefused
from broker.providers.host_trust import HostTrust, place_of

EMAIL, LOCAL = "{email}", "{local}"
_USUAL_PATH = "/ews/exchange.asmx"
_LONGEST = 300
_REALM = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?"
_BEFORE = re.compile(rf"({_REALM})\\(.+)")
_BEHIND = re.compile(rf"(.+)@({_REALM})")


def domain_of(email: str) -> str:
    """Give the domain of a mail address in lower case and in ASCII; empty when there is none."""
    _, at, name = email.strip().rpartition("@")
    if not at:
        return ""
    try:
        domain = name.rstrip(".").encode("idna").decode().lower()
        is_whole = "." in domain and ":" not in domain
        return domain if is_whole and place_of(f"https://{domain}/") == domain else ""
    except (UnicodeError, AddressRefused):
        return ""


def plain_address(url: str) -> str:
    """Give an endpoint as scheme, host and path; empty when it is more than that, or less."""
    try:
        place, parts = place_of(url), urlsplit(url)
    except (AddressRefused, ValueError):
        return ""
    plain = f"https://{place}{parts.path}"
    is_plain = not parts.query and not parts.fragment and len(parts.path) > 1
    return plain if is_plain and plain.isascii() and len(plain) <= _LONGEST else ""


def is_own(domain: str, url: str) -> bool:
    """Tell whether a server may have the passwords of a whole mail domain without being asked.

    The host is the domain or below it, on the usual port, and the path is Exchange's own: on a
    host that people share, somebody may be able to put a page of theirs anywhere else.
    """
    is_there = HostTrust(frozenset({domain})).covers(place_of(url))
    return is_there and urlsplit(url).path.lower() == _USUAL_PATH


def name_form(username: str, email: str) -> str | None:
    """Give the form of a user name as a pattern of `{email}` and `{local}`.

    None when it has no such form, as with names that follow no rule: those are one person's.
    """
    local = email.rpartition("@")[0].lower()
    name = username.strip()
    if name.lower() == email.strip().lower():
        return EMAIL
    if name.lower() == local:
        return LOCAL
    if (found := _BEFORE.fullmatch(name)) and found[2].lower() == local:
        return f"{found[1]}\\{LOCAL}"
    if (found := _BEHIND.fullmatch(name)) and found[1].lower() == local:
        return f"{LOCAL}@{found[2]}"
    return None
