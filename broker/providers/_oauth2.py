"""OAuth 2.0 and OpenID Connect, the client's half: requests, answers and id_tokens.

RFC 6749 (authorization code, refresh), RFC 7636 (PKCE), RFC 7517 (keys), RFC 7519 (tokens),
OpenID Connect Core 1.0 section 3.1.3. Nothing here knows a particular provider.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from broker.clock import Clock
from broker.crypto import s256_challenge, same
from broker.errors import ProtocolError, ProviderUnavailable
from broker.http import Answer, Call, Http
from broker.logins import AuthorizationAttempt

DEADLINE = timedelta(seconds=20)
ANSWER_CAP_BYTES = 1024 * 1024
LEEWAY_S = 60
_DEFAULT_LIFE_S = 3600
_LONGEST_LIFE_S = 366 * 86_400
_LONGEST_KEPT_S = 86_400
_MAX_AGE = re.compile(r"\bmax-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)


class TokenAnswer(msgspec.Struct, frozen=True):
    """A token endpoint's success (RFC 6749 section 5.1). Some proxies make *expires_in* text."""

    access_token: str
    refresh_token: str | None = None
    expires_in: float = _DEFAULT_LIFE_S
    scope: str | None = None
    id_token: str | None = None

    def __repr__(self) -> str:
        return "TokenAnswer(...)"

    def expires_at(self, now: datetime) -> datetime:
        """Tell when the access token runs out."""
        # Zero comes first, so that what is not a number counts as zero too.
        return now + timedelta(seconds=min(max(0, self.expires_in), _LONGEST_LIFE_S))


class _Refusal(msgspec.Struct, frozen=True):
    error: str = ""


def authorization_url(
    endpoint: str,
    client_id: str,
    attempt: AuthorizationAttempt,
    *,
    scopes: Iterable[str],
    extra: Mapping[str, str | None],
) -> str:
    """Build an authorization request with PKCE S256 and a nonce (RFC 6749 section 4.1.1)."""
    url: str = prepare_grant_uri(
        endpoint,
        client_id,
        "code",
        redirect_uri=attempt.redirect_uri,
        scope=" ".join(scopes),
        state=attempt.state,
        nonce=attempt.nonce,
        code_challenge=s256_challenge(attempt.code_verifier),
        code_challenge_method="S256",
        **extra,
    )
    return url


def token_form(grant_type: str, **fields: str) -> str:
    """Encode a token request; empty fields are left out (RFC 6749 sections 4.1.3 and 6)."""
    form: str = prepare_token_request(grant_type, **fields)
    return form


def form_call(provider: str, operation: str, url: str, form: str) -> Call:
    """Describe the POST of a form to an OAuth endpoint."""
    return Call(
        provider,
        operation,
        "POST",
        url,
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        },
        body=form.encode(),
        deadline=DEADLINE,
        cap_bytes=ANSWER_CAP_BYTES,
    )


def read_tokens(answer: Answer) -> TokenAnswer | None:
    """Read a success; None for everything else, a cut or unreadable answer included."""
    if answer.status != 200:
        return None
    try:
        # Not strict: numbers may come as text.
        tokens = msgspec.json.decode(answer.body, type=TokenAnswer, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return tokens if tokens.access_token else None


def read_refusal(answer: Answer) -> str:
    """Read the `error` of a refusal (RFC 6749 section 5.2); empty when there is none."""
    try:
        return msgspec.json.decode(answer.body, type=_Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


class KeyCache:
    """A provider's public keys, kept for as long as it allows (RFC 9111 section 5.2.2.1).

    The one thing that a provider remembers between calls: fetching the keys anew would put
    another call into every connect, and nothing in them is about a person. Thread-safe.
    """

    def __init__(self, http: Http, clock: Clock, *, provider: str, url: str) -> None:
        self._http = http
        self._clock = clock
        self._provider = provider
        self._url = url
        self._lock = Lock()
        self._keys: KeySet | None = None
        self._good_until: datetime | None = None

    def keys(self, *, fresh: bool = False) -> KeySet:
        """Give the keys, fetched when there are none, they are stale, or *fresh* is asked.

        Raises ProviderUnavailable when they cannot be had.
        """
        now = self._clock.now()
        with self._lock:
            held, until = self._keys, self._good_until
        if held is not None and until is not None and not fresh and now < until:
            return held
        # Fetched outside the lock: who comes meanwhile fetches too rather than wait in a line.
        answer = self._fetch()
        keys = self._read(answer)
        age = _MAX_AGE.search(answer.headers.get("Cache-Control", ""))
        life = timedelta(seconds=min(int(age[1]), _LONGEST_KEPT_S) if age else 0)
        with self._lock:
            self._keys, self._good_until = keys, now + life
        return keys

    def _fetch(self) -> Answer:
        call = Call(
            self._provider,
            "keys",
            "GET",
            self._url,
            deadline=DEADLINE,
            cap_bytes=ANSWER_CAP_BYTES,
        )
        answer = self._http.call(call)
        if answer.status != 200:
            raise ProviderUnavailable(self._provider, "keys", answer.status)
        return answer

    def _read(self, answer: Answer) -> KeySet:
        try:
            return KeySet.import_key_set(msgspec.json.decode(answer.body))
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProviderUnavailable(
                self._provider, "keys", answer.status, detail="unreadable keys"
            ) from error


class IdTokens:
    """Verifies id_tokens for one client (OpenID Connect Core 1.0 section 3.1.3.7)."""

    def __init__(
        self, keys: KeyCache, clock: Clock, *, client_id: str, issuers: frozenset[str]
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._client_id = client_id
        self._issuers = issuers

    def verify(self, provider: str, token: str | None, nonce: str) -> dict[str, Any]:
        """Give the claims of a good id_token.

        Raises ProtocolError, which names what is wrong but quotes nothing; ProviderUnavailable
        when the keys cannot be had.
        """
        try:
            claims = self._decoded(token or "")
            self._registry().validate(claims)
        except (JoseError, ValueError, TypeError, OverflowError, RecursionError) as error:
            name = getattr(error, "error", "unreadable")
            raise ProtocolError(provider, "id_token", detail=str(name)) from None
        if not same(str(claims["nonce"]).encode(), nonce.encode()):
            raise ProtocolError(provider, "id_token", detail="nonce")
        if claims["aud"] not in (self._client_id, [self._client_id]):
            raise ProtocolError(provider, "id_token", detail="audience")
        return claims

    def _decoded(self, token: str) -> dict[str, Any]:
        # RS256 and nothing else: `none` and HMAC under a public key are the classic forgeries
        # (RFC 8725 sections 2.1 and 3.1).
        try:
            return jwt.decode(token, self._keys.keys(), algorithms=["RS256"]).claims
        except InvalidKeyIdError:
            fresh = self._keys.keys(fresh=True)
            return jwt.decode(token, fresh, algorithms=["RS256"]).claims

    def _registry(self) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=LEEWAY_S,
            iss={"essential": True, "values": sorted(self._issuers)},
            aud={"essential": True, "value": self._client_id},
            sub={"essential": True},
            exp={"essential": True},
            nonce={"essential": True},
        )
