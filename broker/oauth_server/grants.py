"""The two grants of the token endpoint (RFC 6749 sections 4.1.3 and 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidScopeError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant

from broker.models import at_once, audit, transaction
from broker.oauth_server import scopes
from broker.oauth_server.authentication import BASIC, NONE, POST
from broker.oauth_server.authorization import BadClient
from broker.oauth_server.clients import Client
from broker.oauth_server.tokens import ACCESS_LIFETIME, Bearer, HeldCode, HeldToken

if TYPE_CHECKING:
    from broker.oauth_server.server import AuthlibServer

METHODS = (BASIC, POST, NONE)

# What Cronofy says of any code that cannot be exchanged; SDK users search for it.
_UNKNOWN_OR_USED = "code: errors.unknown_or_used"

Answer = tuple[int, dict[str, object], list[tuple[str, str]]]


class CodeGrant(AuthorizationCodeGrant):
    """Trades a code for tokens, once.

    Authlib checks client, redirect URI and verifier; spending is ours, because query, issue
    and delete in turn lets two requests through. Only a request that is right in every other
    respect counts as a second use: whoever merely found an old code cannot end a grant.
    """

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    server: AuthlibServer

    @staticmethod
    def validate_authorization_redirect_uri(request: Any, client: Client) -> str:
        """Give the redirect URI.

        Raises BadClient: a person must never be sent to an address that is not registered.
        """
        uri: str | None = request.payload.redirect_uri
        if not uri:
            raise BadClient("redirect_uri_missing")
        if not client.check_redirect_uri(uri):
            raise BadClient("redirect_uri_mismatch")
        return uri

    def query_authorization_code(self, code: str, client: Client) -> HeldCode:
        held = self.server.tokens.find_code(code)
        if held is None or held.bearer.application_id != client.application_id:
            raise InvalidGrantError(_UNKNOWN_OR_USED)
        return held

    def create_token_response(self) -> Answer:
        code: HeldCode = self.request.authorization_code
        if not code.is_spent and (code.is_revoked or self.server.tokens.is_expired(code)):
            raise InvalidGrantError(_UNKNOWN_OR_USED)
        profile = self.server.linking_profile(code.profile)
        issued = self._exchange(code)
        if issued is None:
            raise InvalidGrantError(_UNKNOWN_OR_USED)
        access, refresh = issued
        return 200, _body(code.bearer, access, refresh, code.bearer.scope, profile), []

    def _exchange(self, code: HeldCode) -> tuple[str, str] | None:
        tokens, grant_id = self.server.tokens, code.bearer.grant_id
        with transaction() as session:
            if not tokens.spend(session, code):
                self.server.end_grant(session, code.bearer, audit.CODE_REPLAYED)
                return None
            access = tokens.issue_access(session.connection(), grant_id, None)
            if access is None:
                return None
            return access, tokens.issue_refresh(session, grant_id)


class RefreshGrant(RefreshTokenGrant):
    """Trades a refresh token for an access token.

    A confidential client keeps its refresh token: SDKs refresh from several workers at once.
    A public client's rotates, since nothing else would show that it was stolen (RFC 9700
    section 4.14.2); a repeat within the grace period gets the same successor.
    """

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    server: AuthlibServer

    def authenticate_refresh_token(self, refresh_token: str) -> HeldToken | None:
        """Give what was found along with the client."""
        held: HeldToken | None = self.request.client.presented
        return held

    def _validate_token_scope(self, token: HeldToken) -> None:
        scope = self.request.payload.scope
        if scope and not scopes.covers(token.get_scope(), scope):
            raise InvalidScopeError

    def create_token_response(self) -> Answer:
        held: HeldToken = self.request.refresh_token
        if held.is_revoked:
            raise InvalidGrantError("The authorization has been revoked.")
        granted = held.bearer.scope
        scope = scopes.normalise(self.request.payload.scope or "") or granted
        profile = self.server.linking_profile(held.profile)
        issued = self._refresh(held, None if scope == granted else scope)
        if issued is None:
            raise InvalidGrantError("The refresh token has been used, or revoked.")
        access, refresh = issued
        return 200, _body(held.bearer, access, refresh, scope, profile), []

    def _refresh(self, held: HeldToken, narrowed: str | None) -> tuple[str, str] | None:
        if self.request.client.public:
            return self._rotate(held, narrowed)
        with at_once() as connection:
            tokens, grant_id = self.server.tokens, held.bearer.grant_id
            access = tokens.issue_access(connection, grant_id, narrowed)
        return (access, self.request.form["refresh_token"]) if access else None

    def _rotate(self, held: HeldToken, narrowed: str | None) -> tuple[str, str] | None:
        tokens, presented = self.server.tokens, self.request.form["refresh_token"]
        with transaction() as session:
            # Lost to another request, or rotated long ago: what is there now decides.
            again = None if held.rotated_at else tokens.rotate(session, held)
            refresh = again or tokens.successor(tokens.find_refresh(presented) or held)
            if refresh is None:
                self.server.end_grant(session, held.bearer, audit.REFRESH_REUSED)
                return None
            access = tokens.issue_access(session.connection(), held.bearer.grant_id, narrowed)
            return (access, refresh) if access else None


def _body(
    bearer: Bearer, access: str, refresh: str, scope: str, profile: dict[str, str] | None
) -> dict[str, object]:
    """Write the answer; `account_id` is the older name of `sub`."""
    body: dict[str, object] = {
        "token_type": "bearer",
        "access_token": access,
        "expires_in": int(ACCESS_LIFETIME.total_seconds()),
        "refresh_token": refresh,
        "scope": scope,
        "account_id": bearer.account_id,
        "sub": bearer.account_id,
    }
    if profile:
        body["linking_profile"] = profile
    return body
