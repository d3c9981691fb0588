"""A loopback HTTPS server with certificates of every quality, made on the spot."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.stand_in.issuing import begun, named, private_pem, usage

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Authority:
    """A certificate authority of one test; `file` is what a client trusts.

    It has a lifetime around the test's real day and the clocks held by hand. *signs* False makes
    one that may not issue, though it says so. *above* has issued it; without, it is a root.
    """

    def __init__(
        self,
        folder: Path,
        name: str = "Test Authority",
        *,
        since: datetime = datetime(2020, 1, 1, tzinfo=UTC),
        until: datetime = datetime(2090, 1, 1, tzinfo=UTC),
        signs: bool = True,
        above: Authority | None = None,
    ) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = named(name)
        issuer = above or self
        certificate = (
            begun(self._name, issuer._name, self._key, since, until)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage(signs=signs), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer._key.public_key()),
                critical=False,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
            .sign(issuer._key, hashes.SHA256())
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.der = certificate.public_bytes(serialization.Encoding.DER)

    def issue(self, name: str, *, expired: bool = False) -> ssl.SSLContext:
        """Give what a server of this name needs."""
        key = ec.generate_private_key(ec.SECP256R1())
        until = datetime.now(UTC) + timedelta(days=-1 if expired else 1)
        certificate = (
            begun(named(name), self._name, key, until - timedelta(days=2), until)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        place = self.folder / f"{name}-{expired}.pem"
        self.leaf = certificate.public_bytes(serialization.Encoding.PEM)
        place.write_bytes(private_pem(key) + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(place)
        return context


@contextmanager
def serving(context: ssl.SSLContext | None, answer: bytes = ANSWER) -> Iterator[int]:
    """Answer every request with 200; without a context in plain HTTP. Gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, context, answer), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def _serve(listener: socket.socket, context: ssl.SSLContext | None, answer: bytes) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        plain.settimeout(5)
        try:
            with context.wrap_socket(plain, server_side=True) if context else plain as connection:
                # Without TLS what comes is a greeting, not a request, and has no end to wait for.
                _read_request(connection) if context else connection.recv(65536)
                connection.sendall(answer)
        except OSError:
            plain.close()


def _read_request(connection: socket.socket) -> None:
    """Read headers and body: closing on unread bytes would reset the connection."""
    received = b""
    while b"\r\n\r\n" not in received and (more := connection.recv(65536)):
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    left = (int(lengths[0].partition(b":")[2]) if lengths else 0) - len(body)
    while left > 0 and (more := connection.recv(65536)):
        left -= len(more)
