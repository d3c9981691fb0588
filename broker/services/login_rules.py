"""Whose refused logins are counted, and how many there may be: the rules of the login guard."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from broker.addresses import as_address
from broker.services.runtime import Runtime

WINDOW = timedelta(minutes=15)
FIRST_PAUSE = timedelta(minutes=15)
LONGEST_PAUSE = timedelta(hours=4)
PAUSES_FORGOTTEN_AFTER = timedelta(days=1)
PER_LOGIN = 3
PER_ADDRESS = 20
PER_APPLICATION = 200
PASSWORD_BYTES = 6
_SERVERS_NAMED_BY_PEOPLE = frozenset({"caldav"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One count and its limit. *digest* says whose it is.

    A *strict* count starts again only after a whole window without refusals, and its pauses
    double; others start again with every window.
    """

    scope: str
    digest: bytes
    limit: int
    strict: bool = False

    def pause_after(self, pauses: int) -> timedelta:
        """Give the length of the next pause after so many."""
        if not self.strict:
            return FIRST_PAUSE
        return min(FIRST_PAUSE * int(2 ** min(pauses, 16)), LONGEST_PAUSE)


def of_login(runtime: Runtime, slug: str, host: str, username: str) -> Rule:
    """Give the rule of one login, however its server and user name were typed."""
    site = _site(host) if slug in _SERVERS_NAMED_BY_PEOPLE else ""
    name = unicodedata.normalize("NFKC", username).strip().casefold()
    return Rule("login", digest(runtime, "login", slug, site, name), PER_LOGIN, strict=True)


def password_digest(runtime: Runtime, rule: Rule, password: str) -> bytes:
    """Give what tells a password from others, for this login only and too short to be one."""
    return digest(runtime, "password", rule.digest.hex(), password)[:PASSWORD_BYTES]


def digest(runtime: Runtime, *parts: str) -> bytes:
    return runtime.vault.digest("login_refusals", *parts)


def _site(host: str) -> str:
    """Give the domain that the names of one organisation's servers share; addresses as they are."""
    host = host.rstrip(".").lower()
    return host if as_address(host) is not None else ".".join(host.split(".")[-2:])


def host_of(typed: str) -> str:
    """Give the host in a typed address or mail address; empty when there is none to see."""
    text = typed.strip()
    if "://" not in text:
        text = f"https://{text}"
    try:
        return urlsplit(text).hostname or ""
    except ValueError:
        return ""
