"""Token introspection (RFC 7662): an application asks about its own tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from broker.oauth_server.clients import CONFIDENTIAL_METHODS, Client
from broker.oauth_server.tokens import HeldToken

if TYPE_CHECKING:
    from broker.oauth_server.server import AuthlibServer


class Introspection(IntrospectionEndpoint):
    """Describes a live token; anything else is just inactive.

    Public clients are refused: section 2.1 wants the caller to be authenticated.
    """

    CLIENT_AUTH_METHODS = CONFIDENTIAL_METHODS
    server: AuthlibServer

    def check_params(self, request: Any, client: Any) -> None:
        """Ask for `token` only; an unknown hint is not worth an error (section 2.1)."""
        if "token" not in request.form:
            raise InvalidRequestError("Missing 'token' in request.")

    def query_token(self, token: str, token_type_hint: str | None) -> HeldToken | None:
        tokens = self.server.tokens
        return tokens.find_access(token) or tokens.find_refresh(token)

    def check_permission(self, token: HeldToken, client: Any, request: Any) -> bool:
        return token.check_client(client)

    def create_endpoint_response(
        self, request: Any
    ) -> tuple[int, dict[str, object], list[tuple[str, str]]]:
        client = self.authenticate_endpoint_client(request)
        token = self.authenticate_token(request, client)
        return 200, self._described(token, client) if token else {"active": False}, []

    def _described(self, token: HeldToken, client: Client) -> dict[str, object]:
        is_past = token.rotated_at is not None or self.server.tokens.is_expired(token)
        if token.is_revoked or is_past:
            return {"active": False}
        described: dict[str, object] = {
            "active": True,
            "iss": self.server.issuer,
            "sub": token.bearer.account_id,
            "client_id": client.client_id,
            "scope": token.bearer.scope,
        }
        if token.expires_at is not None:
            described["token_type"] = "bearer"  # noqa: S105 - the name of a kind
            described["exp"] = int(token.expires_at.timestamp())
        return described
