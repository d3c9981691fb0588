"""What a failure of the transport means, told by exception types and verify codes.

Messages are never read and never quoted: they hold addresses, queries and whatever a server
chose to say.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import requests
from urllib3.exceptions import DecodeError, NameResolutionError, ReadTimeoutError
from urllib3.exceptions import ProtocolError as BrokenTransfer
from urllib3.util.ssl_match_hostname import CertificateError

NAME_NOT_FOUND = "name not found"
NO_CONNECTION = "no connection"
NO_CONNECTION_IN_TIME = "no connection in time"
NO_TLS = "no secure connection"
CERTIFICATE_UNTRUSTED = "certificate not trusted"
CERTIFICATE_WRONG_NAME = "certificate for another name"
CERTIFICATE_EXPIRED = "certificate expired"
REDIRECT_LOOP = "redirect loop"
TOO_LARGE = "body too large"

# X509_verify_cert_error_string(3): the codes of OpenSSL's verification.
_NOT_IN_ITS_TIME = frozenset({9, 10})
_ANOTHER_NAME = frozenset({62, 63, 64})
_DEEPEST = 12

_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (requests.exceptions.ConnectTimeout, NO_CONNECTION_IN_TIME),
    (requests.exceptions.Timeout, "no answer in time"),
    (requests.exceptions.ChunkedEncodingError, "connection lost"),
    (ReadTimeoutError, "no answer in time"),
    (requests.exceptions.InvalidURL, NAME_NOT_FOUND),
    (UnicodeError, NAME_NOT_FOUND),
    (DecodeError, "body damaged"),
)


def name_of(error: Exception) -> str:
    """Name a transport failure in words of ours."""
    if isinstance(error, requests.exceptions.SSLError):
        return _tls_failure(error)
    causes = list(_causes(error))
    if any(isinstance(cause, NameResolutionError) for cause in causes):
        return NAME_NOT_FOUND
    if any(isinstance(cause, BrokenTransfer) for cause in causes):
        return "connection lost"
    return next((name for kind, name in _KINDS if isinstance(error, kind)), NO_CONNECTION)


def _tls_failure(error: Exception) -> str:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate_failure(cause.verify_code)
        if isinstance(cause, CertificateError):
            return CERTIFICATE_WRONG_NAME
        if isinstance(cause, ssl.SSLError):
            return NO_TLS
    return CERTIFICATE_UNTRUSTED


def _certificate_failure(verify_code: int) -> str:
    if verify_code in _NOT_IN_ITS_TIME:
        return CERTIFICATE_EXPIRED
    return CERTIFICATE_WRONG_NAME if verify_code in _ANOTHER_NAME else CERTIFICATE_UNTRUSTED


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk from an error to what it wraps: as argument, as reason, or as cause."""
    found: BaseException | None = error
    for _ in range(_DEEPEST):
        if found is None:
            return
        yield found
        inside = (getattr(found, "reason", None), *found.args, found.__cause__, found.__context__)
        found = next((one for one in inside if isinstance(one, BaseException)), None)
