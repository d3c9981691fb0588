"""Client authentication (RFC 6749 section 2.3): secret in the body, HTTP Basic, or public."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NoReturn, Protocol
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError

from broker.clock import Clock
from broker.crypto import Vault, same
from broker.errors import TooManyRequests
from broker.models import audit, transaction
from broker.oauth_server.clients import Client, Clients
from broker.oauth_server.payload import VALUE_LIMIT, BodyRequest

BASIC = "client_secret_basic"
POST = "client_secret_post"
NONE = "none"

_REALM = "Calbroker"
_LONGEST_ID = 64


class Throttle(Protocol):
    """Counts failures by key and refuses a key that has too many."""

    def check(self, key: str) -> None:
        """Raise TooManyRequests when *key* is over its limit."""
        ...

    def count(self, key: str) -> None:
        """Note one failure."""
        ...


class NoThrottle:
    """Never refuses."""

    def check(self, key: str) -> None:
        """Let everybody pass."""

    def count(self, key: str) -> None:
        """Forget it."""


class InvalidClient(InvalidClientError):
    """Authentication failed; always 401, which must name a scheme (RFC 9110 section 15.5.2)."""

    status_code = 401
    description = "Client authentication failed."

    def get_headers(self) -> list[tuple[str, str]]:
        return [("WWW-Authenticate", f'Basic realm="{_REALM}", charset="UTF-8"')]


@dataclass(frozen=True, slots=True)
class _Presented:
    """What a request claims: *secrets* are the readings of one secret, none for `none`."""

    client_id: str
    method: str
    secrets: tuple[str, ...] = field(default=(), repr=False)


class Authenticator:
    """Says which application sent a request."""

    def __init__(self, clients: Clients, vault: Vault, clock: Clock, throttle: Throttle) -> None:
        self._clients = clients
        self._vault = vault
        self._clock = clock
        self._throttle = throttle

    def authenticate(self, request: BodyRequest, methods: Collection[str]) -> Client:
        """Give the client, by one of *methods*, and note the method on the request.

        Raises InvalidClient, InvalidRequestError when two methods are used at once, and
        TooManyRequests.
        """
        presented = _presented(request)
        if len(presented.client_id) > _LONGEST_ID:
            raise InvalidClient
        token = request.form.get("refresh_token")
        digest = self._vault.digest("refresh_token", token) if token else None
        client = self._clients.with_secrets(presented.client_id, digest)
        if client is None:
            raise InvalidClient
        if presented.method not in methods or not self._is_proved(client, presented):
            self._refuse(client)
        request.client = client
        request.auth_method = presented.method
        return client

    def _is_proved(self, client: Client, presented: _Presented) -> bool:
        if client.public or presented.method == NONE:
            return client.public and presented.method == NONE
        proved = False
        for secret in presented.secrets:
            digest = self._vault.digest("client_secret", secret)
            # Every live secret is compared, so that time does not tell which one is near.
            for known in client.secret_digests:
                proved |= same(digest, known)
        return proved

    def _refuse(self, client: Client) -> NoReturn:
        """Refuse a wrong secret: 401, or 429 once there were too many of them.

        The right secret always works, or anybody who knows a client id could lock its owner
        out. The failure that reaches the limit is written down, those after it are not.
        """
        key = f"client:{client.client_id}"
        self._throttle.check(key)
        self._throttle.count(key)
        try:
            self._throttle.check(key)
        except TooManyRequests:
            with transaction() as session:
                audit.note(
                    session,
                    self._clock.now(),
                    audit.CLIENT_PAUSED,
                    application_id=client.application_id,
                )
        raise InvalidClient


def _presented(request: BodyRequest) -> _Presented:
    fields = request.form
    client_id, secret = fields.get("client_id", ""), fields.get("client_secret")
    header = request.headers.get("Authorization", "")
    # SDKs send `Bearer None`, `Bearer undefined` or an old token here; only Basic counts.
    if header[:6].lower() != "basic ":
        if not client_id:
            raise InvalidClient
        return _Presented(client_id, POST if secret else NONE, (secret,) if secret else ())
    basic = _basic(header[6:])
    if secret or client_id not in ("", basic.client_id):
        raise InvalidRequestError("Two ways of client authentication at once.")
    return basic


def _basic(encoded: str) -> _Presented:
    """Read Basic credentials.

    RFC 6749 section 2.3.1 wants both halves form-encoded, most clients send them as they are:
    the secret is tried in both readings.
    """
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise InvalidClient from error
    client_id, colon, secret = text.partition(":")
    if not client_id or not colon or len(text) > VALUE_LIMIT or "\x00" in text:
        raise InvalidClient
    readings = tuple(dict.fromkeys((secret, unquote_plus(secret)))) if secret else ()
    return _Presented(unquote_plus(client_id), BASIC if secret else NONE, readings)
