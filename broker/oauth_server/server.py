"""The authorization server as the rest of the broker sees it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from authlib.oauth2 import AuthorizationServer, OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError
from flask import Response
from flask import request as current_request
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from broker.clock import Clock
from broker.crypto import Vault
from broker.errors import TooManyRequests
from broker.models import audit
from broker.oauth_server import authorization, metadata, revocation, scopes
from broker.oauth_server.authentication import Authenticator, NoThrottle, Throttle
from broker.oauth_server.authorization import AuthorizationRequest
from broker.oauth_server.clients import Client, Clients
from broker.oauth_server.grants import CodeGrant, RefreshGrant
from broker.oauth_server.introspection import Introspection
from broker.oauth_server.linked_profile import LinkedProfile
from broker.oauth_server.payload import BodyRequest, QueryRequest
from broker.oauth_server.pkce import S256Challenge
from broker.oauth_server.revocation import Revocation
from broker.oauth_server.tokens import Bearer, Tokens
from broker.settings import Settings

ProfileDescriber = Callable[[LinkedProfile], dict[str, str]]
Spender = Callable[[str], None]
RevocationListener = Callable[[Session, list[str]], None]

_JSON = "application/json; charset=utf-8"
_NO_STORE = [("Cache-Control", "no-store"), ("Pragma", "no-cache")]


class UnsupportedGrantType(OAuth2Error):
    """Authlib's own class echoes what was sent."""

    error = "unsupported_grant_type"
    description = "The grant types are 'authorization_code' and 'refresh_token'."


class AuthlibServer(AuthorizationServer):
    """What our grants and endpoints ask of their server; no other module needs it."""

    def __init__(
        self,
        settings: Settings,
        vault: Vault,
        clock: Clock,
        *,
        describe_profile: ProfileDescriber,
        on_grants_revoked: RevocationListener,
        throttle: Throttle,
        spend: Spender,
    ) -> None:
        super().__init__(scopes_supported=scopes.KNOWN)
        self.issuer = settings.public_url
        self.tokens = Tokens(vault, clock)
        self._clock = clock
        self._clients = Clients(local=settings.local)
        self._authenticator = Authenticator(self._clients, vault, clock, throttle)
        self._describe_profile = describe_profile
        self._on_grants_revoked = on_grants_revoked
        self._spend = spend
        self.register_grant(CodeGrant, [S256Challenge(required=True)])
        self.register_grant(RefreshGrant)
        self.register_endpoint(Revocation)
        self.register_endpoint(Introspection)

    def query_client(self, client_id: str) -> Client | None:
        return self._clients.with_redirect_uris(client_id)

    def authenticate_client(
        self, request: BodyRequest, methods: Collection[str], endpoint: str = "token"
    ) -> Client:
        client = self._authenticator.authenticate(request, methods)
        if endpoint == "token":
            self._spend(client.application_id)
        return client

    def create_oauth2_request(self, request: Any) -> BodyRequest:
        return BodyRequest(current_request)

    def handle_response(self, status: int, body: Any, headers: Any) -> Response:
        return answer(status, body, headers)

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Tell nobody: listeners would see tokens."""

    def get_token_grant(self, request: BodyRequest) -> CodeGrant | RefreshGrant:
        grant_type = request.payload.grant_type
        if not grant_type:
            raise InvalidRequestError("Missing 'grant_type' in request.")
        if grant_type not in (CodeGrant.GRANT_TYPE, RefreshGrant.GRANT_TYPE):
            raise UnsupportedGrantType
        grant: CodeGrant | RefreshGrant = super().get_token_grant(request)
        return grant

    def code_grant(self, request: QueryRequest) -> CodeGrant:
        """Give a code grant that is ready to check an authorization request."""
        grant = CodeGrant(request, self)
        for extension in (authorization.StrictParameters(), S256Challenge(required=True)):
            extension(grant)
        return grant

    def linking_profile(self, profile: LinkedProfile | None) -> dict[str, str] | None:
        """Describe the profile that a grant was given with, while there is one."""
        return self._describe_profile(profile) if profile else None

    def end_grant(self, session: Session, bearer: Bearer, cause: str) -> None:
        """Revoke one grant because of an attack, and write down which."""
        if self.revoke_grants(session, [bearer.grant_id]):
            audit.note(
                session,
                self._clock.now(),
                cause,
                application_id=bearer.application_id,
                subject_id=bearer.grant_id,
            )

    def revoke_grants(self, session: Session, grant_ids: Collection[str]) -> list[Bearer]:
        """Revoke grants in the caller's transaction; gives those that were still live."""
        now = self._clock.now()
        ended = revocation.revoke(session, now, grant_ids)
        for grant in ended:
            audit.note(
                session,
                now,
                audit.GRANT_REVOKED,
                application_id=grant.application_id,
                subject_id=grant.grant_id,
            )
        if ended:
            account_ids = dict.fromkeys(grant.account_id for grant in ended)
            self._on_grants_revoked(session, list(account_ids))
        return ended


class OAuthServer:
    """Everything the broker needs of an authorization server.

    *describe_profile* gives the `linking_profile` of a token answer. *on_grants_revoked* is
    called with the account ids inside the transaction that revokes. *throttle* limits failed
    client authentication, by `client:<client_id>`. *spend* counts a token request of an
    application id, and may raise TooManyRequests.
    """

    def __init__(
        self,
        settings: Settings,
        vault: Vault,
        clock: Clock,
        *,
        describe_profile: ProfileDescriber,
        on_grants_revoked: RevocationListener,
        throttle: Throttle | None = None,
        spend: Spender = lambda _application_id: None,
    ) -> None:
        self.issuer = settings.public_url
        self._settings = settings
        self._server = AuthlibServer(
            settings,
            vault,
            clock,
            describe_profile=describe_profile,
            on_grants_revoked=on_grants_revoked,
            throttle=throttle or NoThrottle(),
            spend=spend,
        )

    def token_response(self) -> Response:
        """Answer the current request to the token endpoint (RFC 6749 section 3.2)."""
        return self._respond(self._server.create_token_response)

    def revocation_response(self) -> Response:
        """Answer the current request to the revocation endpoint (RFC 7009)."""
        return self._respond(self._server.create_endpoint_response, Revocation.ENDPOINT_NAME)

    def introspection_response(self) -> Response:
        """Answer the current request to the introspection endpoint (RFC 7662)."""
        return self._respond(self._server.create_endpoint_response, Introspection.ENDPOINT_NAME)

    def metadata(self) -> dict[str, object]:
        """Give the metadata document (RFC 8414)."""
        return metadata.document(self._settings)

    def parse_authorization(self, args: MultiDict[str, str]) -> AuthorizationRequest:
        """Check the query of an authorization request.

        Raises BadClient when nothing may be redirected, and AuthorizationError, which says
        where to send the browser.
        """
        return authorization.parse(self._server, args)

    def success_uri(self, request: AuthorizationRequest, code: str) -> str:
        """Give the address that brings a code to the application, with `state` and `iss`."""
        return authorization.success_uri(self.issuer, request, code)

    def error_uri(self, request: AuthorizationRequest, error: str, description: str) -> str:
        """Give the address that tells the application of an error, with `state` and `iss`."""
        return authorization.error_uri(self.issuer, request, error, description)

    def issue_code(
        self, session: Session, *, grant_id: str, redirect_uri: str, code_challenge: str | None
    ) -> str:
        """Issue an authorization code for a grant, in the caller's transaction."""
        return self._server.tokens.issue_code(
            session, grant_id=grant_id, redirect_uri=redirect_uri, code_challenge=code_challenge
        )

    def find_bearer(self, token: str) -> Bearer | None:
        """Tell whom a live access token speaks for; None when it is not one."""
        return self._server.tokens.find_bearer(token)

    def revoke_grants(self, session: Session, grant_ids: Collection[str]) -> list[Bearer]:
        """End grants and all their tokens in the caller's transaction; gives those ended now."""
        return self._server.revoke_grants(session, grant_ids)

    def _respond(self, endpoint: Callable[..., Response], *args: str) -> Response:
        try:
            return endpoint(*args)
        except OAuth2Error as error:
            return answer(*error())
        except TooManyRequests as error:
            body = {"error": "too_many_requests", "error_description": "Too many failures."}
            seconds = max(1, round(error.retry_after.total_seconds()))
            return answer(429, body, [("Retry-After", str(seconds))])


def answer(
    status: int, body: Mapping[str, object] | str, headers: Collection[tuple[str, str]] = ()
) -> Response:
    """Make an answer that no cache may keep (RFC 6749 section 5.1); "" stays empty."""
    kept = [pair for pair in headers if pair[0] in ("WWW-Authenticate", "Retry-After", "Allow")]
    headers = [*_NO_STORE, *kept]
    if body:
        return Response(json.dumps(body), status, headers, content_type=_JSON)
    # An empty body is no JSON, and SDKs that parse by type would trip over it.
    empty = Response(b"", status, headers)
    del empty.headers["Content-Type"]
    return empty
