"""What a search came to when no endpoint let the login in: what helps most is said first."""

from __future__ import annotations

from dataclasses import dataclass, field

from broker import transport_failures
from broker.errors import (
    AddressRefused,
    BrokerError,
    HostUnconfirmed,
    ProviderError,
    ProviderUnavailable,
    UserError,
)
from broker.providers._ews.discovery.forms import Word
from broker.providers._ews.faults import PROVIDER

NOT_NOW = "not now"

# What a real Exchange of the company's own said: another host would not say otherwise.
_PLAIN = frozenset({"exchange_ews_off", "exchange_no_mailbox", "exchange_account_closed"})
_CERTIFICATE = frozenset(
    {
        transport_failures.CERTIFICATE_EXPIRED,
        transport_failures.CERTIFICATE_UNTRUSTED,
        transport_failures.CERTIFICATE_WRONG_NAME,
    }
)


@dataclass(slots=True)
class Verdict:
    """What was met on the way.

    *foreign* are places that the person would have to be asked about, *refusals* what stopped the
    login at endpoints, *failures* what went wrong on the way to them, and *before* what stopped it
    where colleagues' logins went. It *leads_nowhere* where a server gave directions that cannot be
    followed from outside. The first *at_site* of the failures were met at the domain's own name,
    which is that of its web site as a rule.
    """

    foreign: list[str] = field(default_factory=list)
    refusals: list[BrokerError] = field(default_factory=list)
    failures: list[BrokerError] = field(default_factory=list)
    before: list[BrokerError] = field(default_factory=list)
    leads_nowhere: bool = False
    at_site: int = 0

    def hear(self, word: Word) -> None:
        """Note what Autodiscover says in place of an address."""
        if word is Word.LATER:
            where = (PROVIDER, "autodiscover", 200)
            self.failures.append(ProviderUnavailable(*where, detail=NOT_NOW))
            return
        has_none = word is Word.NO_MAILBOX
        code = "exchange_no_mailbox" if has_none else "exchange_misconfigured"
        self.failures.append(UserError(code))

    def said(self) -> BrokerError | None:
        """Give what is to be said; None when nobody that was met says why."""
        plain = next(filter(is_plain, self.refusals), None)
        if plain is not None:
            return plain
        if self.foreign:
            return HostUnconfirmed(self.foreign[0])
        spoken = [one for one in self.failures if isinstance(one, UserError)]
        named = [one for one in spoken if not isinstance(one, AddressRefused)]
        if self.refusals or named:
            return [*self.refusals, *named][0]
        if self.leads_nowhere:
            return UserError("exchange_misconfigured")
        return next(filter(_is_busy, self.failures), None)

    def otherwise(self, code: str | None) -> BrokerError | None:
        """Give why nobody may have been met: the cloud, a wrong certificate, an address that is not
        public, or a server that is gone.

        *code* is what the signs of Microsoft 365 say. A mere `perhaps` counts less than a host that
        is there for Autodiscover: most companies with servers of their own sign in there, too.
        """
        wrong = [*filter(is_of_certificate, self.failures[self.at_site :])]
        if code is not None and not (wrong and code == "perhaps_office365"):
            return UserError(code)
        wrong += filter(is_of_certificate, self.failures[: self.at_site])
        wrong += filter(_is_private, self.failures)
        return next(iter([*wrong, *self.before]), None)


def is_plain(error: BrokerError) -> bool:
    """Tell whether an Exchange has said what is the matter with this mailbox."""
    return isinstance(error, UserError) and error.code in _PLAIN


def is_of_certificate(error: BrokerError) -> bool:
    """Tell whether a host showed a certificate that is not to be trusted."""
    return isinstance(error, ProviderError) and error.detail in _CERTIFICATE


def is_inside(error: BrokerError) -> bool:
    """Tell whether a host that a server named is not there for us: its name is one of the inside.

    An address that the operator has opened is there.
    """
    is_unknown = (
        isinstance(error, ProviderUnavailable) and error.detail == transport_failures.NAME_NOT_FOUND
    )
    return is_unknown or isinstance(error, AddressRefused)


def _is_private(error: BrokerError) -> bool:
    return isinstance(error, AddressRefused) and error.code == "address_private"


def _is_busy(error: BrokerError) -> bool:
    return isinstance(error, ProviderError) and error.detail == NOT_NOW
