"""Reading certificate authorities as operators bring them: PEM or DER, one or a chain.

Pure. What is refused is refused in words, because the file often comes from somebody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from broker.certificates import readable
from broker.errors import InvalidFields

MOST_BYTES = 64 * 1024
MOST = 8


@dataclass(frozen=True, slots=True)
class Authority:
    """One authority: *subject* as RFC 4514 writes it, *fingerprint* the SHA-256 in hex."""

    subject: str
    fingerprint: str
    expires_at: datetime
    der: bytes


def read(data: bytes, now: datetime) -> list[Authority]:
    """Read the authorities in a file, each once.

    Raises InvalidFields for what is no certificate, not an authority's, or not good at *now*.
    """
    if b"PRIVATE KEY" in data:
        raise refusal("holds a private key: give the certificate alone, and keep the key to itself")
    certificates = _parsed(data) if len(data) <= MOST_BYTES else []
    if not certificates:
        raise refusal("holds no certificate: give the authority's, in PEM or DER form")
    if len(certificates) > MOST:
        raise refusal(f"holds more than {MOST} certificates: give the company's own only")
    for certificate in certificates:
        _check(certificate, now)
    return list({one.fingerprint: one for one in map(_described, certificates)}.values())


def describe(der: bytes) -> Authority:
    """Say what a kept certificate is."""
    return _described(x509.load_der_x509_certificate(der))


def refusal(text: str) -> InvalidFields:
    """Make the error about a file that is not taken."""
    return InvalidFields({"file": [("errors.invalid_format", text)]})


def _parsed(data: bytes) -> Sequence[x509.Certificate]:
    try:
        if b"-----BEGIN CERTIFICATE-----" in data:
            return x509.load_pem_x509_certificates(data)
        return [x509.load_der_x509_certificate(data)]
    except ValueError:
        return []


def _check(certificate: x509.Certificate, now: datetime) -> None:
    subject = readable(certificate.subject)
    if not _may_issue(certificate):
        raise refusal(
            f"“{subject}” is a server's own certificate, not an authority's: ask for the one of "
            "the authority that issued it"
        )
    until, since = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    if until <= now:
        raise refusal(f"“{subject}” ran out on {until:%Y-%m-%d}: ask for its successor")
    if since > now:
        raise refusal(f"“{subject}” is not valid before {since:%Y-%m-%d %H:%MZ}")


def _may_issue(certificate: x509.Certificate) -> bool:
    """Tell an authority from a server (RFC 5280 sections 4.2.1.3 and 4.2.1.9)."""
    try:
        extensions = certificate.extensions
        if not extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        return extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound as error:
        # Authorities without the usage are old, not unlawful.
        return error.oid == x509.KeyUsage.oid
    except ValueError:
        return False


def _described(certificate: x509.Certificate) -> Authority:
    return Authority(
        subject=readable(certificate.subject),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        expires_at=certificate.not_valid_after_utc,
        der=certificate.public_bytes(Encoding.DER),
    )
