"""Google's OAuth: scopes, the token endpoint and what its refusals mean.

https://developers.google.com/identity/protocols/oauth2/web-server
https://developers.google.com/identity/openid-connect/openid-connect
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from broker.clock import Clock
from broker.domain import AccessMode
from broker.errors import (
    AuthorizationLost,
    BrokerError,
    ConfigurationRefused,
    ConnectDenied,
    ProviderUnavailable,
    RateLimited,
)
from broker.http import Answer, Http
from broker.logins import AuthorizationAttempt, Authorized, OAuthCredential, RemoteAccount
from broker.providers._google_api import PROVIDER
from broker.providers._oauth2 import (
    IdTokens,
    KeyCache,
    TokenAnswer,
    authorization_url,
    form_call,
    read_refusal,
    read_tokens,
    token_form,
)
from broker.retry_after import retry_after
from broker.settings import GoogleSettings

ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})

_AUTH = "https://www.googleapis.com/auth/"
_SIGN_IN = ("openid", "email", "profile")
_CALENDAR_LIST = _AUTH + "calendar.calendarlist.readonly"
_SCOPES = {
    AccessMode.FULL: (_CALENDAR_LIST, _AUTH + "calendar.events"),
    AccessMode.FREE_BUSY: (_CALENDAR_LIST, _AUTH + "calendar.events.freebusy"),
    AccessMode.NONE: (),
}
# The token endpoint gives these back under other names than they were asked for.
_ALIASES = {_AUTH + "userinfo.email": "email", _AUTH + "userinfo.profile": "profile"}

_MISCONFIGURED = frozenset(
    {
        "invalid_client",
        "unauthorized_client",
        "deleted_client",
        "disabled_client",
        "redirect_uri_mismatch",
        "invalid_request",
        "invalid_scope",
        "unsupported_grant_type",
    }
)
_LOST = frozenset({"invalid_grant", "admin_policy_enforced"})
# A code that was used, has expired or is not ours cannot be told apart: the attempt is over.
_DENIED = {
    "invalid_grant": "attempt_over",
    "access_denied": "access_denied",
    "admin_policy_enforced": "admin_policy_enforced",
    "org_internal": "org_internal",
    "access_not_configured": "access_not_configured",
}
_REFUSALS = {
    **{code: code for code in _DENIED.values() if code != "attempt_over"},
    **dict.fromkeys(_MISCONFIGURED, "provider_misconfigured"),
    "disallowed_useragent": "disallowed_useragent",
}


def reason_code(error: str) -> str:
    """Turn the `error` of a callback into a reason code; unknown ones may pass by themselves."""
    return _REFUSALS.get(error, "provider_unavailable")


class GoogleGrants:
    """Asks for, trades, renews and gives back what people grant."""

    def __init__(self, http: Http, clock: Clock, settings: GoogleSettings) -> None:
        self._http = http
        self._clock = clock
        self._settings = settings
        keys = KeyCache(http, clock, provider=PROVIDER, url=settings.endpoints["jwks"])
        self._id_tokens = IdTokens(keys, clock, client_id=settings.client_id, issuers=ISSUERS)

    def authorization_url(self, attempt: AuthorizationAttempt) -> str:
        """Build the address where the person consents.

        `include_granted_scopes` is not sent: it would merge earlier grants into this one, and a
        person who picks free/busy would silently keep giving full access.
        """
        extra = {
            "access_type": "offline",
            "prompt": "select_account consent",
            "login_hint": attempt.login_hint or None,
            "hl": attempt.locale or None,
        }
        return authorization_url(
            self._settings.endpoints["authorize"],
            self._settings.client_id,
            attempt,
            scopes=(*_SIGN_IN, *_SCOPES[attempt.mode]),
            extra=extra,
        )

    def exchange(self, code: str, attempt: AuthorizationAttempt) -> Authorized:
        """Trade a code for tokens and prove whose they are.

        Raises ConnectDenied or ProviderError kinds.
        """
        answer = self._ask(
            "exchange",
            "authorization_code",
            code=code,
            redirect_uri=attempt.redirect_uri,
            code_verifier=attempt.code_verifier,
        )
        tokens = read_tokens(answer)
        if tokens is None:
            raise self._refused(answer, "exchange")
        account = _account(self._id_tokens.verify(PROVIDER, tokens.id_token, attempt.nonce))
        asked = (*_SIGN_IN, *_SCOPES[attempt.mode])
        granted = _granted(tokens.scope, frozenset(asked))
        lacks_scopes = not granted.issuperset(_SCOPES[attempt.mode])
        credential = self._credential(tokens, tokens.refresh_token or "", granted)
        return Authorized(credential, account, lacks_scopes)

    def refresh(self, credential: OAuthCredential) -> OAuthCredential:
        """Trade the refresh token for a new access token (RFC 6749 section 6).

        Raises AuthorizationLost only for a clear refusal of the grant.
        """
        answer = self._ask("refresh", "refresh_token", refresh_token=credential.refresh_token)
        tokens = read_tokens(answer)
        if tokens is None:
            raise self._refused(answer, "refresh")
        granted = _granted(tokens.scope, credential.scopes)
        return self._credential(tokens, tokens.refresh_token or credential.refresh_token, granted)

    def revoke(self, credential: OAuthCredential) -> None:
        """Give the grant back; Google drops every token of this person and project with it."""
        form = urlencode({"token": credential.refresh_token or credential.access_token})
        answer = self._http.call(
            form_call(PROVIDER, "revoke", self._settings.endpoints["revoke"], form)
        )
        gone = answer.status == 400 and read_refusal(answer) in ("invalid_token", "invalid_grant")
        if not gone and not 200 <= answer.status < 300:
            raise self._refused(answer, "revoke")

    def _ask(self, operation: str, grant_type: str, **fields: str) -> Answer:
        form = token_form(
            grant_type,
            **fields,
            client_id=self._settings.client_id,
            client_secret=self._settings.client_secret,
        )
        return self._http.call(
            form_call(PROVIDER, operation, self._settings.endpoints["token"], form)
        )

    def _refused(self, answer: Answer, operation: str) -> BrokerError:
        """Give the error that an answer of the token endpoint means.

        Trouble of Google's or ours never costs a person the connection: only a clear refusal of
        the grant does.
        """
        status, error = answer.status, read_refusal(answer)
        pause = retry_after(answer.headers, self._clock.now())
        if status == 429 or error == "rate_limit_exceeded" or (status >= 500 and pause):
            return RateLimited(PROVIDER, operation, status, retry_after=pause)
        if not 400 <= status < 500:
            return ProviderUnavailable(PROVIDER, operation, status)
        if error in _MISCONFIGURED:
            return ConfigurationRefused(PROVIDER, operation, status, detail=error)
        if operation == "exchange" and error in _DENIED:
            return ConnectDenied(_DENIED[error])
        if operation == "refresh" and error in _LOST:
            return AuthorizationLost(PROVIDER, operation, status, detail=error)
        return ProviderUnavailable(PROVIDER, operation, status)

    def _credential(
        self, tokens: TokenAnswer, refresh_token: str, scopes: frozenset[str]
    ) -> OAuthCredential:
        expires_at = tokens.expires_at(self._clock.now())
        return OAuthCredential(tokens.access_token, refresh_token, expires_at, scopes)


def _granted(scope: str | None, asked: Iterable[str]) -> frozenset[str]:
    """Give the granted scopes by our names; unsaid means as asked (RFC 6749 section 5.1)."""
    if scope is None:
        return frozenset(asked)
    return frozenset(_ALIASES.get(name, name) for name in scope.split())


def _account(claims: Mapping[str, Any]) -> RemoteAccount:
    """Tell whose login an id_token proves.

    `sub` alone identifies: addresses change hands inside an organisation.
    """
    subject = claims["sub"]
    email = _text(claims, "email") if claims.get("email_verified", True) is True else None
    name = _text(claims, "name")
    return RemoteAccount(
        subject=subject,
        service="gsuite" if _text(claims, "hd") else "google",
        profile_name=email or name or subject,
        email=email,
        display_name=name,
    )


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value else None
