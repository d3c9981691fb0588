"""What people allowed: codes, refresh and access tokens, and their ends.

Called inside `Store.transaction()`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from datetime import timedelta

from . import scopes
from .errors import OAuthError
from .model import AccessToken, AuthorizationCode, Channel, Client, Grant, Person, RefreshToken
from .store import Store

CODE_LIFE = timedelta(minutes=10)
ACCESS_LIFE_S = 3599
UNUSED_LIFE = timedelta(days=183)
TESTING_LIFE = timedelta(days=7)
MOST_REFRESH_TOKENS = 100

_LOOPBACK = r"(?::\d{1,5})?"


def redirect_matches(client: Client, uri: str) -> bool:
    """Whether the URI is registered: byte by byte, but `:*` stands for any port or none."""
    return any(_registered(known).fullmatch(uri) for known in client.redirect_uris)


def _registered(known: str) -> re.Pattern[str]:
    return re.compile(re.escape(known).replace(r":\*", _LOOPBACK))


def grant_of(store: Store, email: str, client: Client) -> Grant:
    """Return what the person allowed the client's project; a new empty grant otherwise."""
    key = f"{email} {client.project}"
    return store.world.grants.setdefault(key, Grant(email, client.project))


def agree(store: Store, code: AuthorizationCode) -> str:
    """Record the consent and return a code for it."""
    client = store.world.clients[code.client_id]
    grant = grant_of(store, code.email, client)
    grant.scopes = list(dict.fromkeys([*grant.scopes, *code.scopes]))
    text = f"4/0A{secrets.token_urlsafe(40)}"
    store.world.codes[text] = code
    store.touch_anything()
    return text


def redeem(store: Store, text: str, client: Client, redirect_uri: str) -> AuthorizationCode:
    """Return a live code of this client and use it up. Raises OAuthError 400."""
    code = store.world.codes.get(text)
    if code is None:
        raise OAuthError(400, "invalid_grant", "Malformed auth code.")
    if code.used or code.client_id != client.client_id or code.expires_at <= store.now():
        raise OAuthError(400, "invalid_grant", "Bad Request")
    if code.redirect_uri != redirect_uri:
        raise OAuthError(400, "redirect_uri_mismatch", "Bad Request")
    code.used = True
    store.touch_anything()
    return code


def check_verifier(code: AuthorizationCode, verifier: str | None) -> None:
    """Compare the PKCE verifier with the challenge (RFC 7636 4.6). Raises OAuthError 400."""
    if code.challenge is None:
        if verifier:
            raise OAuthError(400, "invalid_grant", "Code verifier is not needed.")
        return
    if not verifier:
        raise OAuthError(400, "invalid_grant", "Missing code verifier.")
    made = verifier
    if code.challenge_method == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not hmac.compare_digest(made.encode(), code.challenge.encode()):
        raise OAuthError(400, "invalid_grant", "Invalid code verifier.")


def refresh_token_due(store: Store, code: AuthorizationCode, client: Client) -> bool:
    """Whether the exchange gives a refresh token: first offline consent, or consent asked anew."""
    if not code.offline:
        return False
    return code.consented or not grant_of(store, code.email, client).offline


def issue_refresh(
    store: Store, person: Person, client: Client, granted: list[str]
) -> tuple[str, RefreshToken]:
    """Make a refresh token; beyond 100 of the same person and client the oldest dies."""
    now = store.now()
    lives = None
    if client.testing and not set(granted) <= set(scopes.SIGN_IN):
        lives = TESTING_LIFE
    if person.access_lasts_s is not None:
        lives = timedelta(seconds=person.access_lasts_s)
    token = RefreshToken(
        person.email, client.client_id, granted, now, now, now + lives if lives else None
    )
    text = f"1//0g{secrets.token_urlsafe(48)}"
    store.world.refresh_tokens[text] = token
    grant_of(store, person.email, client).offline = True
    _drop_oldest(store, token)
    store.touch_anything()
    return text, token


def _drop_oldest(store: Store, newest: RefreshToken) -> None:
    held = [
        text
        for text, token in store.world.refresh_tokens.items()
        if (token.email, token.client_id) == (newest.email, newest.client_id)
    ]
    for text in held[:-MOST_REFRESH_TOKENS]:
        kill_refresh(store, text)


def use_refresh(store: Store, text: str, client: Client) -> RefreshToken:
    """Return a live refresh token of this client. Raises OAuthError 400, 401."""
    token = store.world.refresh_tokens.get(text)
    now = store.now()
    if token is None:
        raise dead_refresh_token()
    if token.client_id != client.client_id:
        raise OAuthError(401, "unauthorized_client", "Unauthorized")
    if (token.expires_at and token.expires_at <= now) or token.used_at + UNUSED_LIFE <= now:
        kill_refresh(store, text)
        raise dead_refresh_token()
    token.used_at = now
    store.touch_anything()
    return token


def dead_refresh_token() -> OAuthError:
    """Build the refusal that ends a connection."""
    return OAuthError(400, "invalid_grant", "Token has been expired or revoked.")


def kill_refresh(store: Store, text: str) -> None:
    """End one refresh token; access tokens made from it live on."""
    store.world.refresh_tokens.pop(text, None)
    store.touch_anything()


def issue_access(
    store: Store, email: str, client_id: str, granted: list[str], refresh_token: str | None
) -> str:
    """Make an access token of about an hour and forget those that have expired."""
    now = store.now()
    held = store.world.access_tokens
    for old in [text for text, token in held.items() if token.expires_at <= now]:
        del held[old]
    text = f"ya29.a0{secrets.token_urlsafe(96)}"
    expires_at = now + timedelta(seconds=ACCESS_LIFE_S)
    held[text] = AccessToken(email, client_id, granted, expires_at, refresh_token)
    store.touch_anything()
    return text


def revoke(store: Store, text: str) -> str:
    """End everything that the token's person allowed the token's project; return the address.

    Raises OAuthError 400 when the token is unknown or dead already.
    """
    world = store.world
    token = world.refresh_tokens.get(text) or world.access_tokens.get(text)
    if token is None or (token.expires_at and token.expires_at <= store.now()):
        raise OAuthError(400, "invalid_token", "Token expired or revoked")
    end_grant(store, token.email, world.clients[token.client_id].project)
    return token.email


def end_grant(store: Store, email: str, project: str) -> None:
    """Remove the grant of a person to a project with its tokens, codes and channels."""
    world = store.world
    clients = {c.client_id for c in world.clients.values() if c.project == project}

    def is_theirs(one: AuthorizationCode | RefreshToken | AccessToken | Channel) -> bool:
        return one.email == email and one.client_id in clients

    world.codes = {k: v for k, v in world.codes.items() if not is_theirs(v)}
    world.refresh_tokens = {k: v for k, v in world.refresh_tokens.items() if not is_theirs(v)}
    world.access_tokens = {k: v for k, v in world.access_tokens.items() if not is_theirs(v)}
    world.channels = {k: v for k, v in world.channels.items() if not is_theirs(v)}
    world.grants.pop(f"{email} {project}", None)
    store.touch_anything()
