"""Authorization requests and what goes back to the application (RFC 6749 section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError
from werkzeug.datastructures import MultiDict

from broker.errors import BrokerError, UserError
from broker.oauth_server import redirects
from broker.oauth_server.payload import QueryRequest

# Every parameter that means something here; others are ignored, even when repeated.
_PARAMETERS = (
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "provider_name",
    "locale",
    "avoid_linking",
    "link_token",
    "request",
    "request_uri",
)
_LONGEST = {"state": 4096, "scope": 1024}
_LONGEST_HINT = 64
_REDIRECTABLE = (
    "access_denied",
    "invalid_request",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_response_type",
)


class BadClient(UserError):
    """It is not certain who asks: show a page, and never redirect (RFC 6749 section 4.1.2.1).

    Codes: `unknown_client`, `redirect_uri_missing`, `redirect_uri_mismatch`,
    `repeated_parameter`.
    """


class AuthorizationError(BrokerError):
    """An error that the application is told: send the browser to *uri*."""

    def __init__(self, error: str, uri: str) -> None:
        super().__init__(error)
        self.error = error
        self.uri = uri


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that has been checked.

    *state* is None when there was none, and "" when it was sent empty. *provider_name* and
    *locale* are as sent and may name nothing that we know.
    """

    application_id: str
    client_id: str
    redirect_uri: str
    scope: str
    state: str | None = field(default=None, repr=False)
    code_challenge: str | None = None
    provider_name: str | None = None
    locale: str | None = None
    avoid_linking: bool = False


class UnsupportedParameter(OAuth2Error):
    """A way to pass the request that we do not support (RFC 9101 section 7)."""


class UnsupportedResponseType(OAuth2Error):
    """Authlib's own class echoes what was sent, and fails on characters outside ASCII."""

    error = "unsupported_response_type"
    description = "The only 'response_type' is 'code'."


def parse(server: Any, args: MultiDict[str, str]) -> AuthorizationRequest:
    """Check an authorization request with the code grant of *server*.

    Raises BadClient while client and redirect URI are not certain, after that
    AuthorizationError.
    """
    for name in ("client_id", "redirect_uri"):
        if len(args.getlist(name)) > 1:
            raise BadClient("repeated_parameter")
    request = QueryRequest(args)
    grant = server.code_grant(request)
    try:
        redirect_uri = grant.validate_authorization_request()
    except InvalidClientError as error:
        raise BadClient("unknown_client") from error
    except OAuth2Error as error:
        # Authlib sets the address only after it has been found good.
        uri = _error_uri(
            server.issuer, error.redirect_uri, _state(args), error.error, error.description
        )
        raise AuthorizationError(error.error, uri) from error
    return AuthorizationRequest(
        application_id=request.client.application_id,
        client_id=request.client.client_id,
        redirect_uri=redirect_uri,
        scope=request.scope,
        state=_state(args),
        code_challenge=args.get("code_challenge") or None,
        provider_name=_hint(args, "provider_name"),
        locale=_hint(args, "locale"),
        avoid_linking=args.get("avoid_linking", "").lower() in ("true", "1"),
    )


class StrictParameters:
    """A grant extension: refuses what Authlib lets pass before it looks at scopes and PKCE."""

    def __call__(self, grant: Any) -> None:
        grant.register_hook("before_validate_authorization_request_payload", self.validate)

    def validate(self, grant: Any, redirect_uri: str) -> None:
        """Raise the OAuth2Error that goes to the registered redirect URI."""
        payload = grant.request.payload
        for name in _PARAMETERS:
            if len(payload.datalist.get(name, ())) > 1:
                raise InvalidRequestError(f"Repeated '{name}'.")
        for name, longest in _LONGEST.items():
            value = payload.data.get(name, "")
            if len(value) > longest or "\x00" in value:
                raise InvalidRequestError(f"Invalid '{name}'.")
        for name in ("request", "request_uri"):
            if payload.data.get(name):
                raise UnsupportedParameter(
                    f"'{name}' is not supported.", error=f"{name}_not_supported"
                )
        if payload.data.get("link_token"):
            # To go on would make a separate account of what was to become a part of one.
            raise InvalidRequestError("'link_token' is not supported yet.")
        if not payload.response_type:
            raise InvalidRequestError("Missing 'response_type'.")
        if payload.response_type != "code":
            raise UnsupportedResponseType


def success_uri(issuer: str, request: AuthorizationRequest, code: str) -> str:
    """Give the address that brings *code* to the application (RFC 6749 section 4.1.2)."""
    parameters = {"code": code}
    if request.state is not None:
        parameters["state"] = request.state
    return redirects.with_parameters(request.redirect_uri, {**parameters, "iss": issuer})


def error_uri(issuer: str, request: AuthorizationRequest, error: str, description: str) -> str:
    """Give the address that tells the application of *error* (RFC 6749 section 4.1.2.1)."""
    if error not in _REDIRECTABLE:
        raise ValueError(f"not an authorization error: {error}")
    return _error_uri(issuer, request.redirect_uri, request.state, error, description)


def _error_uri(
    issuer: str, redirect_uri: str, state: str | None, error: str, description: str | None
) -> str:
    parameters = {"error": error}
    if description:
        parameters["error_description"] = description
    if state is not None:
        parameters["state"] = state
    return redirects.with_parameters(redirect_uri, {**parameters, "iss": issuer})


def _state(args: MultiDict[str, str]) -> str | None:
    """Give the state to send back: exactly as received, or none when it was repeated."""
    values = args.getlist("state")
    return values[0] if len(values) == 1 else None


def _hint(args: MultiDict[str, str], name: str) -> str | None:
    value = args.get(name, "")
    return value if 0 < len(value) <= _LONGEST_HINT and value.isascii() else None
