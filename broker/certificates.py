"""What a server shows of itself over TLS: for whom it is, from whom, and how long it is good.

Told to those who run the server, above all when it was not believed. The texts are somebody
else's: they are made printable, and cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes

_MOST_CERTIFICATES = 4
_MOST_NAMES = 12
_LONGEST = 120
_UNREADABLE = (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate of a chain. *names* are the alternative names, for a server the first one's.

    *fingerprint* is by SHA-256, in hex.
    """

    subject: str
    names: tuple[str, ...]
    issuer: str
    since: datetime
    until: datetime
    fingerprint: str

    def __str__(self) -> str:
        """Give it on one line, for those who read such things in English everywhere."""
        named = ", ".join(self.names) or "no name"
        lasts = f"{self.since:%Y-%m-%d} to {self.until:%Y-%m-%d}"
        return f"{self.subject} for {named} by {self.issuer}, {lasts}"

    def is_good_at(self, moment: datetime) -> bool:
        """Tell whether it has begun, and not run out."""
        return self.since <= moment <= self.until


def read_chain(chain: Sequence[bytes]) -> tuple[Certificate, ...]:
    """Read what a server sent, in DER, its own certificate first; the unreadable is left out."""
    return tuple(_read(chain[:_MOST_CERTIFICATES]))


def readable(name: x509.Name) -> str:
    """Give a name for a terminal or a page: somebody else has chosen it."""
    try:
        return _printable(name.rfc4514_string()) or "without a name"
    except ValueError:
        return "without a name"


def _read(chain: Sequence[bytes]) -> Iterator[Certificate]:
    for der in chain:
        try:
            found = x509.load_der_x509_certificate(der)
            yield Certificate(
                subject=readable(found.subject),
                names=_names(found),
                issuer=readable(found.issuer),
                since=found.not_valid_before_utc,
                until=found.not_valid_after_utc,
                fingerprint=found.fingerprint(hashes.SHA256()).hex(),
            )
        except _UNREADABLE:
            continue


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    hosts = extension.value.get_values_for_type(x509.DNSName)
    places = extension.value.get_values_for_type(x509.IPAddress)
    return tuple(_printable(str(name)) for name in [*hosts, *places][:_MOST_NAMES])


def _printable(text: str) -> str:
    return "".join(mark if mark.isprintable() else "?" for mark in text)[:_LONGEST]
