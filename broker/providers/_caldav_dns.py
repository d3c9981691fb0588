"""Asking DNS where a domain's calendars are (RFC 6764 sections 3 and 4, RFC 2782)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from dns.exception import DNSException
from dns.resolver import Resolver

from broker.http import Http
from broker.trace import Step
from broker.wire import patience_s

PATIENCE_S = 3.0
MOST = 3
SECURE, PLAIN = "_caldavs._tcp", "_caldav._tcp"

# RFC 6761 and RFC 2606: names under these are nobody's on the Internet.
_NOWHERE = frozenset({"test", "example", "invalid", "localhost", "local", "internal"})
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9-]+)+")
_PATH = re.compile(r"/(?!/)[!-\[\]-~]{0,200}")


Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Srv:
    """One SRV record, read."""

    priority: int
    weight: int
    host: str
    port: int


class Records(Protocol):
    """What is asked of DNS. Nothing found, and no answer, are both empty."""

    def services(self, name: str) -> list[Srv]:
        """Give the SRV records of a name."""
        ...

    def texts(self, name: str) -> list[str]:
        """Give the TXT records of a name."""
        ...


class Dns:
    """The system's resolver; each question has a few seconds."""

    def services(self, name: str) -> list[Srv]:
        """Give the SRV records of a name."""
        return [
            Srv(found.priority, found.weight, found.target.to_text(True).lower(), found.port)
            for found in self._ask(name, "SRV")
        ]

    def texts(self, name: str) -> list[str]:
        """Give the TXT records of a name."""
        return [b"".join(found.strings).decode("latin-1") for found in self._ask(name, "TXT")]

    @staticmethod
    def _ask(name: str, kind: str) -> list[Any]:
        if name.rpartition(".")[2] in _NOWHERE:
            return []
        try:
            longest_s = patience_s(PATIENCE_S)
            return list(Resolver().resolve(f"{name}.", kind, lifetime=longest_s, search=False))
        except (DNSException, OSError, UnicodeError, ValueError):
            return []


@dataclass(frozen=True, slots=True)
class TracedRecords:
    """Records whose questions are written to the trace of *http*."""

    records: Records
    http: Http

    def services(self, name: str) -> list[Srv]:
        """Give the SRV records of a name."""
        return noted(self.http, "SRV", name, self.records.services, lambda srv: srv.host)

    def texts(self, name: str) -> list[str]:
        """Give the TXT records of a name."""
        return noted(self.http, "TXT", name, self.records.texts)


def noted(
    http: Http,
    kind: str,
    name: str,
    ask: Callable[[str], list[Found]],
    host_of: Callable[[Found], str] | None = None,
) -> list[Found]:
    """Ask for a kind of record, and write it to the trace with the hosts that were named."""
    started = http.clock.monotonic()
    found = ask(name)
    spent_ms = round((http.clock.monotonic() - started) * 1000)
    outcome = "found" if found else "nothing found"
    hosts = tuple(map(host_of, found[:MOST])) if host_of is not None else ()
    http.note(Step(kind, name, outcome, spent_ms, found=hosts))
    return found


def secure_addresses(records: Records, domain: str) -> list[str]:
    """Give where a domain says that its calendars are, best first; https only.

    The path of the TXT record is part of them, where there is one.
    """
    name = ascii_name(domain)
    if name is None:
        return []
    found = [srv for srv in records.services(f"{SECURE}.{name}") if _HOST.fullmatch(srv.host)]
    if not found:
        return []
    path = _path(records.texts(f"{SECURE}.{name}"))
    best = sorted(found, key=lambda srv: (srv.priority, -srv.weight, srv.host))[:MOST]
    return list(dict.fromkeys(f"https://{s.host}{_port(s.port)}{path}" for s in best))


def offers_plain(records: Records, domain: str) -> bool:
    """Tell whether a domain names a server that would get the password in the clear."""
    name = ascii_name(domain)
    if name is None:
        return False
    return any(_HOST.fullmatch(srv.host) for srv in records.services(f"{PLAIN}.{name}"))


def ascii_name(domain: str) -> str | None:
    """Give a domain as DNS writes it; None when it is no host's name."""
    try:
        name = domain.rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        return None
    return name if _HOST.fullmatch(name) else None


def _path(texts: list[str]) -> str:
    for text in texts:
        key, _, value = text.strip().partition("=")
        if key.lower() == "path" and _PATH.fullmatch(value):
            return value
    return "/"


def _port(port: int) -> str:
    return "" if port == 443 else f":{port}"
