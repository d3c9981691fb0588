"""Whose refused logins are counted, and how many there may be: the rules of the login guard."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from broker.addresses import as_address
from broker.logins import Login, PasswordCredential
from broker.providers import SERVERS_NAMED_BY_PEOPLE
from broker.services.runtime import Runtime

WINDOW = timedelta(minutes=15)
FIRST_PAUSE = timedelta(minutes=15)
LONGEST_PAUSE = timedelta(hours=4)
PAUSES_FORGOTTEN_AFTER = timedelta(days=1)
PER_LOGIN = 3
PER_ADDRESS = 20
PER_APPLICATION = 200
PASSWORD_BYTES = 6
_LONGEST_SHARED = 3
_UNSEEN = frozenset({"Mn", "Me", "Cf", "Cc"})
"""The kinds of characters that directories pass over when they look for a name."""


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
    """Give the rule of one login, however its server and user name were typed.

    One directory may stand behind all of a company's servers, so the form does not matter there.
    """
    service, site = ("", _site(host)) if slug in SERVERS_NAMED_BY_PEOPLE else (slug, "")
    account = _account(username, site)
    return Rule("login", digest(runtime, "login", service, site, account), PER_LOGIN, strict=True)


def of_typed(runtime: Runtime, slug: str, login: Login) -> list[Rule]:
    """Give the rules of what was typed.

    A mail address counts whichever server it is tried at: without one the search would lead to
    the same account. A user name that is typed beside it counts on its own, so that one account
    cannot be guessed at under many addresses. So it does at the mail domain, where every server may
    send a login on to, and at each host that was said yes to: whoever has many domains could lead
    them all to somebody else's server.
    """
    name = _windows(login.username) or login.email or login.url
    own = _domain(login.email)
    typed = host_of(login.url) or own
    logins = [(host, name) for host in (typed, own or typed, *map(host_of, login.confirmed))]
    if login.email:
        logins += [(own, login.email), (typed, login.email)]
    return _each_once(of_login(runtime, slug, *one) for one in logins)


def names_of(login: Login) -> int:
    """Give how many names a try may offer: where colleagues' have a form, that and the address."""
    has_form = bool(login.known) and login.known[0].username != "{email}"
    return 2 if has_form and not login.username.strip() else 1


def of_server(runtime: Runtime, slug: str, login: Login, host: str) -> Rule:
    """Give the rule of what was typed at the server that answered."""
    name = _windows(login.username) or login.email or login.url
    return of_login(runtime, slug, host, name)


def of_stored(runtime: Runtime, slug: str, secret: PasswordCredential) -> list[Rule]:
    """Give the rules of a stored login: those that the form would ask for the same account."""
    host = host_of(secret.url)
    logins = [(host, _windows(secret.username))]
    if slug == "exchange":
        for email in secret.addresses:
            logins += [(host, email), (_domain(email), email)]
    return _each_once(of_login(runtime, slug, *one) for one in logins)


def password_digest(runtime: Runtime, rule: Rule, password: str) -> bytes:
    """Give what tells a password from others, for this login only and too short to be one."""
    return digest(runtime, "password", rule.digest.hex(), password)[:PASSWORD_BYTES]


def digest(runtime: Runtime, *parts: str) -> bytes:
    return runtime.vault.digest("login_refusals", *parts)


def _account(username: str, site: str) -> str:
    """Give a user name as directories tell it from others, so that its refusals add up there.

    They know one account with and without its Windows domain and the site's mail domain, and mind
    neither case, nor width, nor accents.
    """
    marks = unicodedata.normalize("NFKD", username.casefold())
    plain = "".join(mark for mark in marks if unicodedata.category(mark) not in _UNSEEN)
    name = plain.casefold().rpartition("\\")[2].strip()
    local, at, domain = name.rpartition("@")
    return local if at and site and _site(domain) == site else name


def _site(host: str) -> str:
    """Give the domain that the names of one organisation's servers share; addresses as they are.

    Below a short label (`co.uk`, `com.au`) everybody registers, so one more belongs to it: the
    guesses at one company must not pause a name at another.
    """
    host = host.rstrip(".").lower()
    if as_address(host) is not None:
        return host
    with suppress(UnicodeError):
        host = host.encode("idna").decode()
    labels = host.split(".")
    is_shared = len(labels) > 2 and len(labels[-2]) <= _LONGEST_SHARED
    return ".".join(labels[-3:] if is_shared else labels[-2:])


def _windows(username: str) -> str:
    """Write a Windows login in one way, however it was typed."""
    return username if "@" in username else username.replace("/", "\\")


def _domain(email: str) -> str:
    return email.rpartition("@")[2]


def _each_once(rules: Iterable[Rule]) -> list[Rule]:
    return list({rule.digest: rule for rule in rules}.values())


def host_of(typed: str) -> str:
    """Give the host in a typed address or mail address; empty when there is none to see."""
    text = typed.strip()
    if "://" not in text:
        text = f"https://{text}"
    try:
        return urlsplit(text).hostname or ""
    except ValueError:
        return ""
