"""Logging in at a server: Basic (RFC 7617), NTLM (MS-NLMP) and NTLM under Negotiate (RFC 4559).

NTLM proves the login to a connection, by three requests on it. Both the type 1 message and
the first request without any bring no password, so neither can be refused for one: only the
last step can, and it is made once. Nothing here tries again.

The proof is bound to the certificate of the connection (RFC 5929 section 4.1), which servers
with Extended Protection require. Without it, or behind a proxy that ends TLS, they refuse a
good password and do not say why.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

import spnego
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from broker.challenges import schemes
from broker.errors import AddressRefused, BrokerError, ProtocolError, ProviderUnavailable
from broker.http import Answer, Call, Http

NOT_KEPT = "connection not kept"
NO_SCHEME = "no way to log in"
NOT_ASKED = "no login asked for"
NO_CHALLENGE = "no challenge"

_TOKEN = re.compile(
    r"(?:^|,)\s*(?:NTLM|Negotiate)\s+([A-Za-z0-9+/]{16,16384}={0,2})", re.IGNORECASE
)
_UNREADABLE = (
    SpnegoError, ValueError, LookupError, TypeError, OverflowError, struct.error, binascii.Error,
)  # fmt: skip
# Certificates signed with these are bound by SHA-256 (RFC 5929 section 4.1).
_OLD_DIGESTS = frozenset({"md5", "sha1"})


class Scheme(StrEnum):
    """A way to log in, by the name that goes into headers."""

    NTLM = "NTLM"
    BASIC = "Basic"
    NEGOTIATE = "Negotiate"


# NTLM keeps the password from a proxy that ends TLS. NTLM tokens under Negotiate are taken by
# IIS where NTLM is one of its providers, so they come last.
ORDER = (Scheme.NTLM, Scheme.BASIC, Scheme.NEGOTIATE)


class NoScheme(BrokerError):
    """The server offers no way to log in with a password: forms, Kerberos or a token only."""


@dataclass(slots=True)
class SignIn:
    """One login at one host, on a connection of its own.

    *scheme* is what the server is known to take; None until it was asked. *offered* are the
    names of what it offered last, in lower case.
    """

    http: Http
    username: str
    password: str = field(repr=False)
    scheme: Scheme | None = None
    offered: frozenset[str] = frozenset()
    _knows: bool = field(default=False, init=False)

    def send(self, call: Call) -> Answer:
        """Make one call as this login; an answer of 401 means that it was refused.

        Raises NoScheme, ProviderUnavailable (`connection not kept` above all), AddressRefused
        and whatever else `Http.call` raises.
        """
        if not call.url.startswith("https://"):
            # Even where the operator lets other calls go in the clear.
            raise AddressRefused("address_not_https")
        if self.scheme is not None:
            answer = self._continued(call)
            if answer is not None:
                return answer
        asked = self.http.call(call)
        if asked.status != 401:
            return asked
        self.offered = _offered(asked)
        self.scheme = choose(self.offered)
        answer = self._proved(call)
        if answer is None:
            where = (call.provider, call.operation, 401)
            raise ProviderUnavailable(*where, detail=NO_CHALLENGE)
        return answer

    def _continued(self, call: Call) -> Answer | None:
        """Log in as the server is known to want it; None when it no longer does."""
        if self._knows:
            answer = self.http.call(call)
            if answer.status != 401:
                return answer
            # The connection was lost meanwhile: this one has seen no password yet.
            return self._handshake(call)
        proved = self._proved(call)
        if proved is not None and proved.status == 401 and self.scheme is Scheme.BASIC:
            self.offered = _offered(proved)
            # Where Basic is switched off, nobody looked at the password.
            return None if self.offered and "basic" not in self.offered else proved
        return proved

    def _proved(self, call: Call) -> Answer | None:
        if self.scheme is not Scheme.BASIC:
            return self._handshake(call)
        pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return self.http.call(self._telling(_with(call, f"Basic {pair}")))

    def _handshake(self, call: Call) -> Answer | None:
        """Log the connection in; None when the server gives no challenge."""
        self._knows = False
        scheme = self.scheme or Scheme.NTLM
        asked = replace(_with(call, ""), body=b"" if call.body is not None else None)
        first = _Ntlm(self.username, self.password, call)
        challenge = self.http.call(_with(asked, f"{scheme} {first.greeting()}"))
        token = _TOKEN.search(challenge.headers.get("WWW-Authenticate", ""))
        if challenge.status != 401:
            return challenge
        if token is None:
            return None
        if challenge.channel is None:
            raise ProviderUnavailable(call.provider, call.operation, 401, detail=NOT_KEPT)
        proof = first.proof(token[1], challenge.channel.certificate)
        answer = self.http.call(self._telling(_with(call, f"{scheme} {proof}")))
        if answer.status == 401 and _moved(challenge, answer):
            raise ProviderUnavailable(call.provider, call.operation, 401, detail=NOT_KEPT)
        self._knows = answer.status != 401
        return answer

    def _telling(self, call: Call) -> Call:
        """Let the trace tell how it logs in: the form of the name, never the name."""
        return replace(call, tried=f"{self.scheme or Scheme.NTLM} ({form_of(self.username)})")


class _Ntlm:
    """One NTLM exchange: type 1 out, type 2 in, type 3 out."""

    def __init__(self, username: str, password: str, call: Call) -> None:
        self._login = (username, password)
        self._call = call
        self._context = self._started(None)

    def _started(self, bindings: GssChannelBindings | None) -> spnego.ContextProxy:
        return spnego.client(
            *self._login,
            hostname="server",
            service="http",
            protocol="ntlm",
            channel_bindings=bindings,
            options=spnego.NegotiateOptions.use_ntlm,
        )

    def greeting(self) -> str:
        """Give type 1, which says nothing of the login."""
        return _encoded(self._context.step())

    def proof(self, challenge: str, certificate: bytes | None) -> str:
        """Give type 3. Raises ProtocolError for a challenge that cannot be read."""
        bindings = _bindings(certificate)
        try:
            if bindings is not None:
                # The certificate is known only now; type 1 is the same without it.
                self._context = self._started(bindings)
                self._context.step()
            return _encoded(self._context.step(base64.b64decode(challenge, validate=True)))
        except _UNREADABLE:
            where = (self._call.provider, self._call.operation, 401)
            raise ProtocolError(*where, detail="challenge unreadable") from None


def form_of(username: str) -> str:
    """Give the form of a user name, which says nothing about whose it is."""
    if "\\" in username:
        return "DOMAIN\\name"
    return "name@domain" if "@" in username else "name"


def choose(offered: Iterable[str]) -> Scheme:
    """Choose how to log in. Raises NoScheme."""
    for scheme in ORDER:
        if scheme.lower() in offered:
            return scheme
    raise NoScheme(NO_SCHEME)


def certificate_digest(certificate: bytes) -> bytes:
    """Give the `tls-server-end-point` digest of a certificate in DER (RFC 5929 section 4.1)."""
    try:
        algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        algorithm = None
    if algorithm is None or algorithm.name in _OLD_DIGESTS:
        algorithm = hashes.SHA256()
    digest = hashes.Hash(algorithm)
    digest.update(certificate)
    return digest.finalize()


def _bindings(certificate: bytes | None) -> GssChannelBindings | None:
    if certificate is None:
        return None
    data = b"tls-server-end-point:" + certificate_digest(certificate)
    return GssChannelBindings(application_data=data)


def _encoded(token: bytes | None) -> str:
    return base64.b64encode(token or b"").decode()


def _offered(answer: Answer) -> frozenset[str]:
    return schemes(answer.headers.get("WWW-Authenticate", ""))


def _with(call: Call, authorization: str) -> Call:
    headers = {**call.headers, "Authorization": authorization} if authorization else call.headers
    return replace(call, headers=headers)


def _moved(before: Answer, after: Answer) -> bool:
    """Tell whether two answers came over different connections, as far as is known."""
    if before.channel is None or after.channel is None:
        return False
    return before.channel.port != after.channel.port
