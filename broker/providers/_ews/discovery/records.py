"""What DNS says about a mail domain's server (RFC 2782 for SRV, RFC 5321 section 5.1 for MX)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from broker.http import Http
from broker.providers._caldav_dns import Dns, Srv, noted

SERVICE = "_autodiscover._tcp"
MOST = 3


class MailRecords(Protocol):
    """What is asked of DNS. Nothing found, and no answer, are both empty."""

    def services(self, name: str) -> list[Srv]:
        """Give the SRV records of a name."""
        ...

    def exchangers(self, name: str) -> list[str]:
        """Give the hosts of a name's MX records."""
        ...


class MailDns(Dns):
    """The system's resolver; each question has a few seconds."""

    def exchangers(self, name: str) -> list[str]:
        """Give the hosts of a name's MX records."""
        return [found.exchange.to_text(True).lower() for found in self._ask(name, "MX")]


@dataclass(frozen=True, slots=True)
class TracedMailRecords:
    """Records whose questions are written to the trace of *http*."""

    records: MailRecords
    http: Http

    def services(self, name: str) -> list[Srv]:
        """Give the SRV records of a name."""
        return noted(self.http, "SRV", name, self.records.services, lambda srv: srv.host)

    def exchangers(self, name: str) -> list[str]:
        """Give the hosts of a name's MX records."""
        return noted(self.http, "MX", name, self.records.exchangers, str)


def named_hosts(records: MailRecords, domain: str) -> list[str]:
    """Give the hosts that a domain names for Autodiscover, best first: those on port 443."""
    found = [srv for srv in records.services(f"{SERVICE}.{domain}") if srv.port == 443]
    best = sorted(found, key=lambda srv: (srv.priority, -srv.weight, srv.host))[:MOST]
    return list(dict.fromkeys(srv.host for srv in best if "." in srv.host))
