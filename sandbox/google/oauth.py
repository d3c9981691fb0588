"""The OAuth endpoints without pages: token, revoke, keys, user info."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Any

from flask import Blueprint, Response, current_app, g, request, url_for

from . import grants, id_tokens, scopes
from .bearer import bearer_token, faults, state
from .errors import ApiError, OAuthError, json_response
from .model import Client, RefreshToken

blueprint = Blueprint("google_oauth", __name__)

_NO_STORE = {
    "Cache-Control": "no-cache, no-store, max-age=0, must-revalidate",
    "Pragma": "no-cache",
}


@blueprint.post("/token")
def token() -> Response:
    """The token endpoint: authorization_code and refresh_token."""
    grant_type = _required("grant_type")
    exchange = {"authorization_code": _exchange_code, "refresh_token": _refresh}.get(grant_type)
    if exchange is None:
        raise OAuthError(400, "unsupported_grant_type", f"Invalid grant_type: {grant_type}")
    client = _client()
    with state().transaction():
        body = exchange(client)
    return json_response(body, headers=_NO_STORE)


def _required(name: str) -> str:
    value = request.form.get(name)
    if not value:
        raise OAuthError(400, "invalid_request", f"Missing required parameter: {name}")
    return value


def _client() -> Client:
    """Return the client that the request proves to be. Raises OAuthError 400, 401."""
    client_id, secret = _credentials()
    if not client_id:
        raise OAuthError(400, "invalid_request", "Could not determine client ID from request.")
    client = state().world.clients.get(client_id)
    if client is None:
        raise OAuthError(401, "invalid_client", "The OAuth client was not found.")
    if not secret:
        raise OAuthError(400, "invalid_request", "client_secret is missing.")
    if not hmac.compare_digest(secret.encode(), client.secret.encode()):
        raise OAuthError(401, "invalid_client", "Unauthorized")
    return client


def _credentials() -> tuple[str | None, str | None]:
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        return request.form.get("client_id"), request.form.get("client_secret")
    try:
        client_id, _, secret = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as problem:
        raise OAuthError(401, "invalid_client", "Unauthorized") from problem
    return client_id, secret


def _apply_faults(email: str, *, refreshing: bool) -> None:
    """Refuse when a fault says so, knowing whose token it is. Raises OAuthError."""
    g.person = email
    if faults().take(email, "invalid_client"):
        raise OAuthError(401, "invalid_client", "The OAuth client was not found.")
    if refreshing and faults().take(email, "revoked_grant"):
        raise grants.dead_refresh_token()
    if refreshing and faults().take(email, "refresh_500"):
        raise OAuthError(500, "internal_failure", "Backend Error")


def _exchange_code(client: Client) -> dict[str, Any]:
    text, redirect_uri = _required("code"), _required("redirect_uri")
    known = state().world.codes.get(text)
    if known:
        _apply_faults(known.email, refreshing=False)
    code = grants.redeem(state(), text, client, redirect_uri)
    grants.check_verifier(code, request.form.get("code_verifier"))

    granted = code.scopes
    if faults().take(code.email, "partial_scopes"):
        granted = [scope for scope in granted if scope in scopes.SIGN_IN]
    refresh_text, refresh = None, None
    if grants.refresh_token_due(state(), code, client):
        if not faults().take(code.email, "no_refresh_token"):
            person = state().world.people[code.email]
            refresh_text, refresh = grants.issue_refresh(state(), person, client, granted)
    body = _token_body(code.email, client, granted, refresh_text, nonce=code.nonce)
    return body | _refresh_part(refresh_text, refresh)


def _refresh(client: Client) -> dict[str, Any]:
    text = _required("refresh_token")
    known = state().world.refresh_tokens.get(text)
    if known:
        _apply_faults(known.email, refreshing=True)
    token = grants.use_refresh(state(), text, client)
    granted = _narrowed(token.scopes)
    new_text, new = text, None
    if faults().take(token.email, "rotate_refresh"):
        person = state().world.people[token.email]
        new_text, new = grants.issue_refresh(state(), person, client, token.scopes)
        grants.kill_refresh(state(), text)
    body = _token_body(token.email, client, granted, new_text, nonce=None)
    return body | _refresh_part(new_text if new else None, new)


def _narrowed(held: list[str]) -> list[str]:
    asked = scopes.parse(request.form.get("scope", ""))
    if not set(asked) <= set(held):
        raise OAuthError(400, "invalid_scope", "Bad Request")
    return asked or held


def _refresh_part(text: str | None, token: RefreshToken | None) -> dict[str, Any]:
    if text is None or token is None:
        return {}
    body: dict[str, Any] = {"refresh_token": text}
    person = state().world.people[token.email]
    if person.access_lasts_s is not None:
        body["refresh_token_expires_in"] = person.access_lasts_s
    return body


def _token_body(
    email: str, client: Client, granted: list[str], refresh_text: str | None, *, nonce: str | None
) -> dict[str, Any]:
    access = grants.issue_access(state(), email, client.client_id, granted, refresh_text)
    body: dict[str, Any] = {
        "access_token": access,
        "expires_in": grants.ACCESS_LIFE_S,
        # Never in the order asked: clients must compare sets.
        "scope": " ".join(sorted(granted, reverse=True)),
        "token_type": "Bearer",
    }
    if "openid" in granted:
        body["id_token"] = id_tokens.sign(
            state(),
            state().world.people[email],
            issuer=current_app.config["ISSUER"],
            client_id=client.client_id,
            granted=granted,
            access_token=access,
            nonce=nonce,
        )
    return body


@blueprint.post("/revoke")
def revoke() -> Response:
    """End the whole grant of the token's person to the token's project."""
    text = request.form.get("token") or request.args.get("token")
    if not text:
        raise OAuthError(400, "invalid_request", "Missing required parameter: token")
    with state().transaction():
        g.person = grants.revoke(state(), text)
    return json_response({}, headers=_NO_STORE)


@blueprint.get("/oauth2/v3/certs")
def certs() -> Response:
    """The keys that id tokens are checked with."""
    cached = {"Cache-Control": "public, max-age=19800, must-revalidate, no-transform"}
    return json_response(id_tokens.public_keys(state()), headers=cached)


@blueprint.route("/v1/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """What the access token's sign-in scopes tell about its person."""
    try:
        with state().lock:
            held = bearer_token()
    except ApiError as problem:
        raise OAuthError(401, "invalid_request", "Invalid Credentials") from problem
    if not set(held.scopes) & set(scopes.SIGN_IN):
        raise OAuthError(401, "invalid_request", "Invalid Credentials")
    person = state().world.people[held.email]
    return json_response(id_tokens.claims_about(person, held.scopes))


@blueprint.route("/tokeninfo", methods=["GET", "POST"])
def tokeninfo() -> Response:
    """What a live access token is good for."""
    text = request.values.get("access_token", "")
    with state().lock:
        held = state().world.access_tokens.get(text)
        if held is None or held.expires_at <= state().now():
            raise OAuthError(400, "invalid_token", "Invalid Value")
        left_s = int((held.expires_at - state().now()).total_seconds())
        person = state().world.people[held.email]
    return json_response(
        {
            "azp": held.client_id,
            "aud": held.client_id,
            **id_tokens.claims_about(person, held.scopes),
            "scope": " ".join(held.scopes),
            "exp": str(int(held.expires_at.timestamp())),
            "expires_in": str(left_s),
            "access_type": "offline" if held.refresh_token else "online",
        }
    )


@blueprint.get("/.well-known/openid-configuration")
def discovery() -> Response:
    """The OpenID provider's metadata, with the addresses of this stand-in."""
    addresses = {
        "authorization_endpoint": "google_authorize.authorize",
        "token_endpoint": ".token",
        "revocation_endpoint": ".revoke",
        "userinfo_endpoint": ".userinfo",
        "jwks_uri": ".certs",
    }
    return json_response(
        {
            "issuer": current_app.config["ISSUER"],
            **{name: url_for(where, _external=True) for name, where in addresses.items()},
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "claims_supported": sorted(id_tokens.CLAIMS),
            "code_challenge_methods_supported": ["plain", "S256"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
        }
    )
