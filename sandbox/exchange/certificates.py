"""The sandbox's certificate authority, and certificates of every quality.

The authority is made at the first start and kept; clients trust `sandbox-ca.pem`. The company's
own one is kept beside it, for operators who want to try out how it is trusted for one host.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from sandbox.stand_in.issuing import begun, named, private_pem, usage

DOMAIN = "corp.calbroker.test"
# The last is a hoster's: another company's name for a server that the password may go to.
NAMES = (f"mail.{DOMAIN}", f"autodiscover.{DOMAIN}", DOMAIN, "localhost", "mail.outsider.test")
WRONG_NAMES = ("owa.hoster.test",)
CA_FILE = "sandbox-ca.pem"
COMPANY_CA_FILE = "sandbox-company-ca.pem"
_LASTS = timedelta(days=825)
_Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


@dataclass(frozen=True)
class Credentials:
    """What a TLS server needs. *binding* is the application data of channel bindings to it."""

    context: ssl.SSLContext
    binding: bytes


class Authority:
    """Issues certificates; *file* is what clients trust, *company_file* what they do not."""

    def __init__(self, folder: Path) -> None:
        """Use the authority kept in a folder, or make one there; its key is in a folder below."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.file = folder / CA_FILE
        self.folder = folder / "sandbox" / "exchange-tls"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.company_file = folder / COMPANY_CA_FILE
        self._pair = _kept(self.file, self.folder / "ca-key.pem", "Calbroker Sandbox CA")
        self._company = _kept(self.company_file, self.folder / "company-key.pem", "CORP-DC01-CA")

    def usual(self) -> Credentials:
        """Return what is right in every way."""
        return self._issue("usual", NAMES, self._pair)

    def wrong_name(self) -> Credentials:
        """Return a certificate of a hoster, as behind many `autodiscover` aliases."""
        return self._issue("wrong-name", WRONG_NAMES, self._pair, loopback=False)

    def expired(self) -> Credentials:
        """Return a certificate that ended yesterday."""
        return self._issue("expired", NAMES, self._pair, until=timedelta(days=-1))

    def unknown_authority(self) -> Credentials:
        """Return a certificate that a company's own authority has issued."""
        return self._issue("unknown-ca", NAMES, self._company)

    def self_signed(self) -> Credentials:
        """Return what Exchange makes for itself when it is installed."""
        return self._issue("self-signed", NAMES, None)

    def _issue(
        self,
        label: str,
        names: tuple[str, ...],
        issuer: _Pair | None,
        *,
        until: timedelta = _LASTS,
        loopback: bool = True,
    ) -> Credentials:
        key = ec.generate_private_key(ec.SECP256R1())
        end = datetime.now(UTC) + until
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        if loopback:
            alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        signer, by = (issuer[0].subject, issuer[1]) if issuer else (named(names[0]), key)
        certificate = (
            begun(named(names[0]), signer, key, end - _LASTS - timedelta(days=2), end)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False
            )
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(by, hashes.SHA256())
        )
        place = self.folder / f"{label}.pem"
        _write(place, private_pem(key) + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(place)
        der = certificate.public_bytes(serialization.Encoding.DER)
        # RFC 5929: the certificate's hash, by SHA-256 where it is signed with that.
        return Credentials(context, b"tls-server-end-point:" + hashlib.sha256(der).digest())


def _kept(certificate: Path, key: Path, name: str) -> _Pair:
    """Give the authority that is kept in two files, or found one there."""
    held = _load(certificate, key)
    if held is None:
        held = _authority(name)
        _write(key, private_pem(held[1]))
        certificate.write_bytes(held[0].public_bytes(serialization.Encoding.PEM))
    return held


def _authority(name: str) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        begun(named(name), named(name), key, now - _LASTS, now + 4 * _LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def _load(certificate: Path, key: Path) -> _Pair | None:
    try:
        found = serialization.load_pem_private_key(key.read_bytes(), None)
        if isinstance(found, ec.EllipticCurvePrivateKey):
            return x509.load_pem_x509_certificate(certificate.read_bytes()), found
    except (FileNotFoundError, ValueError):
        pass
    return None


def _write(path: Path, content: bytes) -> None:
    """Write for this user only: keys are inside."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
