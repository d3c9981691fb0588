"""Signed id tokens and the key that checks them."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from . import scopes
from .model import Person
from .store import Store

LIFE_S = 3600
CLAIMS = "aud email email_verified exp family_name given_name iat iss name picture sub".split()


def signing_key(store: Store) -> RSAKey:
    """Return the key of this world; it is made at the first need and kept."""
    with store.lock:
        if store.world.signing_key is None:
            key = RSAKey.generate_key(2048, parameters={"use": "sig", "alg": "RS256"})
            with store.transaction():
                store.world.signing_key = {
                    **key.as_dict(private=True),
                    "kid": key.thumbprint()[:40],
                }
                store.touch_anything()
        return _loaded(json.dumps(store.world.signing_key))


@lru_cache(maxsize=4)
def _loaded(key: str) -> RSAKey:
    # That its numbers fit each other is checked, and takes ten times as long as a signature.
    return RSAKey.import_key(json.loads(key))


def public_keys(store: Store) -> dict[str, Any]:
    """Return the JSON Web Key Set."""
    return {"keys": [signing_key(store).as_dict(private=False)]}


def claims_about(person: Person, granted: list[str]) -> dict[str, Any]:
    """Return what the granted sign-in scopes tell about a person."""
    claims: dict[str, Any] = {"sub": person.sub}
    if scopes.EMAIL in granted:
        claims |= {"email": person.email, "email_verified": True}
        claims |= {"hd": person.hd} if person.hd else {}
    if scopes.PROFILE in granted:
        claims |= {
            "name": person.name,
            "given_name": person.given_name,
            "family_name": person.family_name,
            "picture": "https://lh3.googleusercontent.com/a/default-user=s96-c",
        }
    return claims


def sign(
    store: Store,
    person: Person,
    *,
    issuer: str,
    client_id: str,
    granted: list[str],
    access_token: str,
    nonce: str | None,
) -> str:
    """Return the id token for one exchange."""
    now_s = int(store.now().timestamp())
    digest = hashlib.sha256(access_token.encode()).digest()[:16]
    claims = {
        "iss": issuer,
        "azp": client_id,
        "aud": client_id,
        **claims_about(person, granted),
        "at_hash": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "iat": now_s,
        "exp": now_s + LIFE_S,
    }
    if nonce is not None:
        claims["nonce"] = nonce
    key = signing_key(store)
    return jwt.encode({"alg": "RS256", "kid": key.kid, "typ": "JWT"}, claims, key)
