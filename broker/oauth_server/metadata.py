"""Authorization server metadata (RFC 8414), written from what the code does."""

from __future__ import annotations

from broker.oauth_server import pkce, scopes
from broker.oauth_server.clients import GRANT_TYPES
from broker.oauth_server.grants import CodeGrant
from broker.oauth_server.introspection import Introspection
from broker.oauth_server.revocation import Revocation
from broker.settings import Settings


def document(settings: Settings) -> dict[str, object]:
    """Give the document; every path in it is served below the issuer."""
    issuer = settings.public_url
    found: dict[str, object] = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "revocation_endpoint": f"{issuer}/oauth/token/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "scopes_supported": list(scopes.KNOWN),
        "response_types_supported": sorted(CodeGrant.RESPONSE_TYPES),
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": list(CodeGrant.TOKEN_ENDPOINT_AUTH_METHODS),
        "revocation_endpoint_auth_methods_supported": list(Revocation.CLIENT_AUTH_METHODS),
        "introspection_endpoint_auth_methods_supported": list(Introspection.CLIENT_AUTH_METHODS),
        "code_challenge_methods_supported": list(
            pkce.S256Challenge.SUPPORTED_CODE_CHALLENGE_METHOD
        ),
        "authorization_response_iss_parameter_supported": True,
    }
    if settings.privacy_url:
        found["op_policy_uri"] = settings.privacy_url
    if settings.terms_url:
        found["op_tos_uri"] = settings.terms_url
    return found
