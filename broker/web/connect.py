"""The connect pages: from an application's request to a code, one decision a page."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from broker.domain import Login
from broker.errors import AttemptOver, BrokerError, UserError
from broker.ids import new_secret
from broker.models import Application
from broker.oauth_server.authorization import AuthorizationError, BadClient
from broker.oauth_server.scopes import sentences
from broker.providers.base import OAuthProvider, PasswordProvider, Provider
from broker.services import attempts, connect, login_guard
from broker.services.attempts import Attempt
from broker.services.runtime import Runtime, current_runtime
from broker.web import pages
from broker.web.forms import CalDavForm, CancelForm, ConnectForm
from broker.web.reasons import reason_of
from broker.web.translations import N_, _, current_locale

log = logging.getLogger(__name__)

NOTES = {
    "google": N_("Gmail and Google Workspace"),
    "caldav": N_("Fastmail, Nextcloud, Radicale and others, by server address"),
}
RETRIED_IN_PLACE = frozenset({"permission_unticked", "no_refresh_token", "wrong_login"})


def blueprint() -> Blueprint:
    """Make the blueprint of everything a person sees while connecting."""
    pages_of = Blueprint("connect", __name__)
    pages_of.get("/oauth/authorize")(authorize)
    pages_of.get("/relink/<profile_id>")(relink)
    pages_of.get("/connect/<handle>")(choose)
    pages_of.post("/connect/<handle>/cancel")(cancel)
    pages_of.get("/connect/<slug>/callback")(callback)
    pages_of.get("/connect/<handle>/<slug>")(show)
    pages_of.post("/connect/<handle>/<slug>")(go_on)
    pages_of.errorhandler(AttemptOver)(attempt_over)
    return pages_of


def authorize() -> ResponseReturnValue:
    """Begin a connect attempt for an application (RFC 6749 section 4.1.1)."""
    runtime = current_runtime()
    try:
        asked = runtime.oauth.parse_authorization(request.args)
    except BadClient as error:
        return pages.problem(error.code, legal=legal())
    except AuthorizationError as error:
        return redirect(error.uri, 303)
    handle = attempts.begin(runtime, browser(), request=asked, profile_id=None)
    slug = _slug_of(runtime, asked.provider_name)
    if slug is not None:
        return redirect(url_for("connect.show", handle=handle, slug=slug), 303)
    return redirect(url_for("connect.choose", handle=handle), 303)


def relink(profile_id: str) -> ResponseReturnValue:
    """Begin to connect a refused login again. The login itself proves who it is."""
    runtime = current_runtime()
    connection = attempts.relink_target(profile_id)
    handle = attempts.begin(runtime, browser(), request=None, profile_id=profile_id)
    return redirect(url_for("connect.show", handle=handle, slug=connection.provider), 303)


def choose(handle: str) -> ResponseReturnValue:
    """Show which calendars can be connected."""
    attempt = _attempt(handle)
    if attempt.profile_id is not None:
        slug = attempts.relink_target(attempt.profile_id).provider
        return redirect(url_for("connect.show", handle=handle, slug=slug), 303)
    choices = [
        pages.Choice(
            slug,
            provider.label,
            _(NOTES.get(slug, "")),
            url_for("connect.show", handle=handle, slug=slug),
        )
        for slug, provider in current_runtime().providers.items()
    ]
    return pages.chooser(
        as_app(attempt.application),
        choices=choices,
        cancel_url=url_for("connect.cancel", handle=handle),
        legal=legal(),
    )


def show(handle: str, slug: str) -> ResponseReturnValue:
    """Show what the application will be able to do, and the way on."""
    attempt = _attempt(handle)
    return _page(attempt, _offered(attempt, slug))


def go_on(handle: str, slug: str) -> ResponseReturnValue:
    """Send the person to the provider, or prove the login that they typed."""
    attempt = _attempt(handle)
    provider = _offered(attempt, slug)
    if isinstance(provider, PasswordProvider):
        return _prove_password(attempt, provider)
    form = ConnectForm(with_terms=_has_terms())
    if not form.validate_on_submit() or not isinstance(provider, OAuthProvider):
        return _page(attempt, provider, form=form)
    url = connect.authorization_url(current_runtime(), attempt, provider, locale=current_locale())
    return redirect(url, 303)


def cancel(handle: str) -> ResponseReturnValue:
    """Take the person back to the application, which is told `access_denied`."""
    attempt = _attempt(handle)
    if not CancelForm().validate_on_submit():
        raise AttemptOver("page_expired")
    return _leave(attempt, connect.cancel(current_runtime(), attempt))


def callback(slug: str) -> ResponseReturnValue:
    """Take the person back from a provider: right browser, right provider, once."""
    runtime = current_runtime()
    provider = runtime.providers.get(slug)
    if not isinstance(provider, OAuthProvider):
        raise AttemptOver("attempt_over")
    attempt = attempts.arrive(runtime, slug, request.args.get("state", ""), browser())
    _remember(attempt)
    issuer = request.args.get("iss")
    if issuer is not None and issuer not in provider.issuers:
        log.warning("callback from another issuer", extra={"provider": slug})
        return _failed(attempt, provider, AttemptOver("attempt_over"))
    if "error" in request.args:
        return _refused(attempt, provider, provider.refusal(request.args["error"]))
    code = request.args.get("code", "")
    if not code or attempt.started is None:
        return _failed(attempt, provider, AttemptOver("attempt_over"))
    try:
        proved = connect.prove_code(runtime, provider, code, attempt.started)
        return _leave(attempt, connect.finish(runtime, attempt, proved))
    except BrokerError as error:
        return _failed(attempt, provider, error)


def attempt_over(error: AttemptOver) -> ResponseReturnValue:
    """Say that an attempt has run out, or that this is not its browser."""
    return pages.problem(error.code, legal=legal())


def browser() -> str:
    """Give what binds this browser to its attempts; made on first need, kept in the session."""
    if "browser" not in session:
        session["browser"] = new_secret()
    return str(session["browser"])


def legal() -> pages.Legal:
    """Give the operator's own pages."""
    settings = current_runtime().settings
    return pages.Legal(settings.privacy_url, settings.terms_url, settings.support_url)


def as_app(application: Application) -> pages.App:
    """Show an application as pages do."""
    return pages.App(
        application.name, application.url, application.logo_url, application.accent_color
    )


def _prove_password(attempt: Attempt, provider: PasswordProvider) -> ResponseReturnValue:
    runtime = current_runtime()
    form = CalDavForm(with_terms=_has_terms())
    if not form.validate_on_submit():
        return _page(attempt, provider, form=form)
    login = Login(form.url.data, form.username.data, form.password.data)
    guard = login_guard.Guard(
        runtime.limits,
        login,
        client_address=request.remote_addr or "",
        application_id=attempt.application.id,
    )
    try:
        guard.check()
        with guard.counting():
            proved = connect.prove_password(provider, login)
        return _leave(attempt, connect.finish(runtime, attempt, proved))
    except BrokerError as error:
        return _failed(attempt, provider, error, form)


def _page(
    attempt: Attempt,
    provider: Provider,
    *,
    form: ConnectForm | None = None,
    notice: str | None = None,
) -> ResponseReturnValue:
    handle, slug = attempt.handle, provider.slug
    app = as_app(attempt.application)
    scope = attempt.request.scope if attempt.request else ""
    common: dict[str, Any] = {
        "provider_slug": slug,
        "provider_label": provider.label,
        "permissions": sentences(scope, app.name, _),
        "action_url": url_for("connect.go_on", handle=handle, slug=slug),
        "back_url": url_for("connect.choose", handle=handle),
        "cancel_url": url_for("connect.cancel", handle=handle),
        "legal": legal(),
        "relink_for": _relink_for(attempt),
    }
    if isinstance(provider, PasswordProvider):
        password_form = form or CalDavForm(with_terms=_has_terms())
        return pages.password(app, form=password_form, problem=notice, **common)
    link_form = form or ConnectForm(with_terms=_has_terms())
    return pages.link(app, form=link_form, notice=notice, **common)


def _failed(
    attempt: Attempt, provider: Provider, error: BrokerError, form: ConnectForm | None = None
) -> ResponseReturnValue:
    """Say what went wrong where the person can mend it; the code lets support find it."""
    code = reason_of(error)
    log.info(
        "connect failed",
        extra={"attempt": attempt.id, "provider": provider.slug, "reason": code},
    )
    if isinstance(error, AttemptOver):
        return pages.problem(code, app=as_app(attempt.application), legal=legal())
    if form is not None or code in RETRIED_IN_PLACE:
        return _page(attempt, provider, form=form, notice=code)
    return _refused(attempt, provider, code)


def _refused(attempt: Attempt, provider: Provider, code: str) -> ResponseReturnValue:
    """Show why the provider said no; a person who said no themselves goes straight back."""
    runtime = current_runtime()
    if code == "access_denied":
        return _leave(attempt, connect.cancel(runtime, attempt))
    google = runtime.settings.google
    facts = {
        "time": runtime.clock.now().strftime("%Y-%m-%d %H:%M:%SZ"),
        "reference": attempt.id,
        "client_id": google.client_id if google and provider.slug == "google" else "",
    }
    return pages.problem(
        code,
        app=as_app(attempt.application),
        status=502 if code in ("provider_unavailable", "unreadable_answer") else 400,
        retry_url=url_for("connect.show", handle=attempt.handle, slug=provider.slug),
        other_url=url_for("connect.choose", handle=attempt.handle),
        back_url=attempt.application.url or None,
        facts=facts,
        legal=legal(),
    )


def _leave(attempt: Attempt, uri: str | None) -> ResponseReturnValue:
    """Go back to the application; after relinking there may be no address to go to."""
    if uri is not None:
        return redirect(uri, 303)
    return pages.reconnected(as_app(attempt.application), legal=legal())


def _attempt(handle: str) -> Attempt:
    attempt = attempts.find(current_runtime(), handle, browser())
    _remember(attempt)
    return attempt


def _remember(attempt: Attempt) -> None:
    """Let the page speak the attempt's language, and its forms lead where they must."""
    if attempt.request is None:
        return
    g.locale = attempt.request.locale
    back = urlsplit(attempt.request.redirect_uri)
    g.form_targets = [f"{back.scheme}://{back.netloc}"]


def _offered(attempt: Attempt, slug: str) -> Provider:
    provider = current_runtime().providers.get(slug)
    if provider is None:
        raise UserError("provider_not_offered")
    if attempt.profile_id and attempts.relink_target(attempt.profile_id).provider != slug:
        raise UserError("wrong_login")
    return provider


def _relink_for(attempt: Attempt) -> str | None:
    return connect.masked_address(current_runtime(), attempt)


def _slug_of(runtime: Runtime, provider_name: str | None) -> str | None:
    """Find the provider that an application preselects; an unknown one shows the choice."""
    named = (slug for slug, p in runtime.providers.items() if p.provider_name == provider_name)
    return next(named, None)


def _has_terms() -> bool:
    return bool(current_runtime().settings.terms_url)
