"""The pages of Acme Scheduling."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from typing import Any, cast

from flask import Blueprint, current_app, redirect, render_template, request, session, url_for
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.wrappers import Response

from .account import Account, AuthorizeAgain
from .broker import Away, Broker, Refused
from .store import Store

DEFAULT_SCOPE = "read_account list_calendars read_events read_free_busy"
PROVIDERS = {
    "": "Let me choose there",
    "google": "Google",
    "apple": "Apple iCloud",
    "exchange": "Exchange",
    "caldav": "Another calendar server (CalDAV)",
}
LOCALES = {"": "As my browser asks", "en": "English", "de": "Deutsch", "ar": "العربية"}

blueprint = Blueprint(
    "partner",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/acme",
)


@blueprint.get("/")
def front() -> str:
    """Show who we are, and the button."""
    return _front()


@blueprint.post("/connect")
def connect() -> Response:
    """Send the person to the broker (RFC 6749 section 4.1.1, with PKCE, RFC 7636)."""
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    redirect_uri = url_for("partner.callback", _external=True)
    _store().begin(_visitor(), state, {"verifier": verifier, "redirect_uri": redirect_uri})
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    form = request.form
    url = _broker().authorize_url(
        {
            "redirect_uri": redirect_uri,
            "scope": form.get("scope", "").strip() or DEFAULT_SCOPE,
            "state": state,
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "provider_name": form.get("provider_name", ""),
            "avoid_linking": "true" if form.get("avoid_linking") else "",
            "locale": form.get("locale", ""),
        }
    )
    return redirect(url, 303)


@blueprint.get("/callback")
def callback() -> Response | tuple[str, int]:
    """Take the person back: check that the answer is ours, then trade the code for tokens."""
    attempt = _store().finish(_visitor(), request.args.get("state", ""))
    if attempt is None:
        return _front("stale"), 400
    # An answer of another server than the one we asked is an attack (RFC 9207).
    if not hmac.compare_digest(request.args.get("iss", "").encode(), _broker().url.encode()):
        return _front("mixed_up"), 400
    if request.args.get("error"):
        return _front("denied" if request.args["error"] == "access_denied" else "failed"), 200
    try:
        tokens = _broker().exchange(
            request.args.get("code", ""), attempt["redirect_uri"], attempt["verifier"]
        )
    except Refused as refusal:
        return _front("code_refused", str(refusal)), 502
    _account().keep(tokens)
    return redirect(url_for("partner.account"), 303)


@blueprint.get("/account")
def account() -> Response | str:
    """Show everything that arrived for one of the accounts that were connected here."""
    _store().choose(_visitor(), request.args.get("of", ""))
    if _store().tokens(_visitor()) is None:
        return redirect(url_for("partner.front"), 303)
    overview = _account().overview()
    asked = bool(request.args.get("live"))
    return render_template(
        "partner/account.html",
        overview=overview,
        tokens=_shown(_account().tokens),
        accounts=[(sub, _named(held)) for sub, held in _store().accounts(_visitor()).items()],
        asked_live=asked,
        live=asked or overview.first_sync_pending,
        now=datetime.now(overview.zone),
    )


@blueprint.post("/account/refresh")
def refresh() -> Response:
    """Trade the refresh token for a new access token."""
    _account().refresh()
    return redirect(url_for("partner.account"), 303)


@blueprint.post("/account/disconnect")
def disconnect() -> str:
    """Give everything back and forget it."""
    _account().disconnect()
    return _front("disconnected")


@blueprint.errorhandler(AuthorizeAgain)
def _again(_error: AuthorizeAgain) -> str:
    return _front("again")


@blueprint.errorhandler(Away)
def _away(_error: Away) -> tuple[str, int]:
    return _front("away"), 502


@blueprint.errorhandler(Refused)
def _refused(error: Refused) -> tuple[str, int]:
    return _front("refused", str(error)), 502


@blueprint.app_errorhandler(HTTPException)
def _not_here(error: HTTPException) -> Response | tuple[str, int]:
    if isinstance(error, SecurityError):
        # There is no address of ours to put into a page.
        return error.get_response()
    return _front("not_here", error.name), error.code or 500


def _front(message: str = "", detail: str = "") -> str:
    if not detail and request.endpoint == "partner.callback":
        detail = ": ".join(
            request.args[name] for name in ("error", "error_description") if request.args.get(name)
        )
    return render_template(
        "partner/front.html",
        message=message,
        detail=detail[:300],
        connected=_store().tokens(_visitor()) is not None,
        providers=PROVIDERS,
        locales=LOCALES,
        scope=DEFAULT_SCOPE,
        broker_url=_broker().url,
        scenarios=current_app.extensions["scenarios"],
    )


def _visitor() -> str:
    if "visitor" not in session:
        session["visitor"] = secrets.token_urlsafe(18)
        session.permanent = True
    return str(session["visitor"])


def _store() -> Store:
    return cast(Store, current_app.extensions["partner_store"])


def _broker() -> Broker:
    return cast(Broker, current_app.extensions["partner_broker"])


def _account() -> Account:
    return Account(_broker(), _store(), _visitor())


def _named(tokens: dict[str, Any]) -> str:
    """Name an account by the login that it was connected with."""
    profile = tokens.get("linking_profile") or {}
    return " · ".join(
        profile[name] for name in ("profile_name", "provider_name") if profile.get(name)
    ) or str(tokens["sub"])


def _shown(tokens: dict[str, Any]) -> dict[str, Any]:
    """Give what may be shown of the tokens: never more than their first letters."""
    left = datetime.fromisoformat(tokens["expires_at"]) - datetime.now(UTC)
    return {
        "access_token": tokens["access_token"][:4] + "…",
        "refresh_token": tokens["refresh_token"][:4] + "…",
        "minutes_left": max(0, int(left.total_seconds() // 60)),
        "scope": tokens.get("scope", ""),
        "sub": tokens.get("sub", ""),
    }
