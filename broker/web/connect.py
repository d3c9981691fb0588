"""The connect pages: from an application's request to a code, one decision a page."""

from __future__ import annotations

import logging

from flask import Blueprint, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError

from broker.addresses import client_place
from broker.errors import AttemptOver, BrokerError
from broker.ids import new_secret
from broker.oauth_server.authorization import AuthorizationError, BadClient
from broker.providers.base import OAuthProvider, PasswordProvider, Provider
from broker.services import applications, attempts, connect
from broker.services.attempts import Attempt
from broker.services.runtime import current_runtime
from broker.web import attempt_pages, pages, typed_logins
from broker.web.forms import CancelForm, ConnectForm
from broker.web.layout import as_app, legal, page
from broker.web.translations import _, asked_locale, current_locale

log = logging.getLogger(__name__)

_COOKIE_CHECK = "&cookie_check=1"


def blueprint() -> Blueprint:
    """Make the blueprint of everything a person sees while connecting."""
    views = Blueprint("connect", __name__)
    views.get("/")(home)
    views.get("/oauth/authorize")(authorize)
    views.get("/relink/<profile_id>")(relink)
    views.get("/connect/<handle>")(choose)
    views.get("/connect/<handle>/restart")(restart)
    views.post("/connect/<handle>/cancel")(cancel)
    views.get("/connect/<handle>/connected")(connected)
    views.get("/connect/<handle>/declined")(declined)
    views.get("/connect/<slug>/callback")(callback)
    views.get("/connect/<handle>/<slug>")(show)
    views.post("/connect/<handle>/<slug>")(go_on)
    views.errorhandler(AttemptOver)(attempt_pages.over)
    views.errorhandler(CSRFError)(renew)
    return views


def home() -> ResponseReturnValue:
    """Tell whoever comes without an application where they are."""
    return page(
        "home.html", title=_("Connections begin in an application"), app=None, legal=legal()
    )


def authorize() -> ResponseReturnValue:
    """Begin a connect attempt for an application (RFC 6749 section 4.1.1)."""
    runtime = current_runtime()
    try:
        asked = runtime.oauth.parse_authorization(request.args)
    except BadClient as error:
        return _bad_link(error)
    except AuthorizationError as error:
        return redirect(error.uri, 303)
    if "browser" not in session:
        return _check_cookies(asked.application_id)
    handle = attempts.begin(
        runtime, browser(), request=asked, profile_id=None, client_address=client()
    )
    return _first_page(handle, asked.provider_name)


def relink(profile_id: str) -> ResponseReturnValue:
    """Begin to connect a refused login again. The login itself proves who it is."""
    runtime = current_runtime()
    connection = attempts.relink_target(profile_id)
    if "browser" not in session:
        return _check_cookies(None)
    handle = attempts.begin(
        runtime, browser(), request=None, profile_id=profile_id, client_address=client()
    )
    return redirect(url_for("connect.show", handle=handle, slug=connection.provider), 303)


def restart(handle: str) -> ResponseReturnValue:
    """Begin again where an attempt ran out."""
    runtime = current_runtime()
    old = attempts.find(runtime, handle, browser(), even_over=True)
    anew = attempts.restart(runtime, old, browser(), client_address=client())
    named = old.request.provider_name if old.request is not None else None
    return _first_page(anew, named, locale=asked_locale())


def choose(handle: str) -> ResponseReturnValue:
    """Show which calendars can be connected; when connecting again there is only one."""
    attempt = _attempt(handle)
    if attempt.profile_id is not None:
        slug = attempts.relink_target(attempt.profile_id).provider
        if _offered(attempt, slug) is None:
            return pages.problem("provider_misconfigured", legal=legal())
        return redirect(url_for("connect.show", handle=handle, slug=slug), 303)
    return attempt_pages.chooser(attempt)


def show(handle: str, slug: str) -> ResponseReturnValue:
    """Show what the application will be able to do, and the way on; or why it ended there."""
    attempt = _attempt(handle)
    provider = _offered(attempt, slug)
    if provider is None:
        return redirect(url_for("connect.choose", handle=handle), 303)
    reason = request.args.get("reason", "")
    if reason:
        return attempt_pages.stopped(attempt, provider, reason)
    return attempt_pages.form(attempt, provider)


def go_on(handle: str, slug: str) -> ResponseReturnValue:
    """Send the person to the provider, or prove the login that they typed."""
    attempt = _attempt(handle)
    provider = _offered(attempt, slug)
    if isinstance(provider, PasswordProvider):
        return typed_logins.send(attempt, provider)
    if not isinstance(provider, OAuthProvider):
        return redirect(url_for("connect.choose", handle=handle), 303)
    form = ConnectForm(with_terms=attempt_pages.has_terms())
    if not form.validate_on_submit():
        return attempt_pages.form(attempt, provider, form=form)
    url = connect.authorization_url(current_runtime(), attempt, provider, locale=current_locale())
    return redirect(url, 303)


def cancel(handle: str) -> ResponseReturnValue:
    """Take the person back to the application, which is told `access_denied`.

    A page that ran out meanwhile may still be left this way.
    """
    attempt = attempts.find(current_runtime(), handle, browser(), even_over=True)
    if not CancelForm().validate_on_submit():
        raise AttemptOver("page_expired")
    return attempt_pages.cancelled(attempt)


def connected(handle: str) -> ResponseReturnValue:
    """Show that a renewed connection works, when there is no application's page to go to."""
    return attempt_pages.connected(attempts.ended(current_runtime(), handle, browser()))


def declined(handle: str) -> ResponseReturnValue:
    """Show that nothing was renewed because the person said no."""
    return attempt_pages.declined(attempts.ended(current_runtime(), handle, browser()))


def callback(slug: str) -> ResponseReturnValue:
    """Take the person back from a provider: right browser, right provider, once.

    The answer always leads on to another address, which can be loaded again.
    """
    runtime = current_runtime()
    provider = runtime.providers.get(slug)
    if not isinstance(provider, OAuthProvider):
        raise AttemptOver("attempt_over")
    attempt = attempts.arrive(runtime, slug, request.args.get("state", ""), browser())
    attempt_pages.remember(attempt)
    if not provider.issuers.issuperset(request.args.getlist("iss")):
        log.warning("callback from another issuer", extra={"provider": slug})
        raise AttemptOver("attempt_over")
    if "error" in request.args:
        return attempt_pages.refused(attempt, provider, provider.refusal(request.args["error"]))
    code = request.args.get("code", "")
    if not code or attempt.started is None:
        raise AttemptOver("attempt_over")
    try:
        proved = connect.prove_code(runtime, provider, code, attempt.started)
        return attempt_pages.leave(attempt, connect.finish(runtime, attempt, proved))
    except BrokerError as error:
        return attempt_pages.failed(attempt, provider, error)


def renew(_error: CSRFError) -> ResponseReturnValue:
    """Show a page anew whose form came with an old token, or with one of another browser.

    Nothing that was sent is acted on; what was typed is kept, the password excepted.
    """
    places = request.view_args or {}
    try:
        attempt = _attempt(places["handle"])
        provider = _offered(attempt, places.get("slug", ""))
        if provider is not None:
            typed = isinstance(provider, PasswordProvider)
            form = attempt_pages.password_form(attempt, provider.slug) if typed else None
            notice = "form_renewed" if typed else "page_renewed"
            return attempt_pages.form(attempt, provider, form=form, notice=notice)
    except AttemptOver as error:
        return attempt_pages.over(error)
    again = url_for("connect.choose", handle=attempt.handle)
    return pages.problem("page_expired", retry_url=again, legal=legal())


def browser() -> str:
    """Give what binds this browser to its attempts; made on first need, kept in the session."""
    if "browser" not in session:
        session["browser"] = new_secret()
    return str(session["browser"])


def client() -> str:
    """Give where the request came from, as far as proxies are trusted."""
    return client_place(request.remote_addr or "")


def _bad_link(error: BadClient) -> ResponseReturnValue:
    """Say that an application's link is wrong, and lead back once it is certain whose it is."""
    code = "unknown_client" if error.code == "unknown_client" else "redirect_uri_mismatch"
    is_known = error.code in ("redirect_uri_missing", "redirect_uri_mismatch")
    client_id = request.args.get("client_id", "")
    application = applications.find_by_client_id(client_id) if is_known else None
    app = as_app(application) if application else None
    return pages.problem(code, app=app, back_url=app.url if app else None, legal=legal())


def _check_cookies(application_id: str | None) -> ResponseReturnValue:
    """Give a new browser its cookie, and let it show at the same address that it keeps it.

    Where it does not, the address still holds all that it takes to try again.
    """
    query = request.query_string.decode(errors="replace")
    asked = query.removesuffix(_COOKIE_CHECK)
    if asked == query:
        browser()
        return redirect(f"{request.path}?{query}{_COOKIE_CHECK}", 303)
    application = applications.find(application_id) if application_id else None
    app = as_app(application) if application else None
    return pages.problem(
        "cookies_blocked",
        app=app,
        retry_url=f"{request.path}?{asked}",
        back_url=app.url if app else None,
        legal=legal(),
    )


def _attempt(handle: str) -> Attempt:
    attempt = attempts.find(current_runtime(), handle, browser())
    attempt_pages.remember(attempt)
    return attempt


def _offered(attempt: Attempt, slug: str) -> Provider | None:
    """Give the provider of an address, unless another login is to be connected again."""
    if attempt.profile_id and attempts.relink_target(attempt.profile_id).provider != slug:
        return None
    return current_runtime().providers.get(slug)


def _first_page(
    handle: str, provider_name: str | None, *, locale: str | None = None
) -> ResponseReturnValue:
    """Lead to the provider that the application preselects; an unknown one shows the choice."""
    providers = current_runtime().providers.items()
    named = (slug for slug, found in providers if found.provider_name == provider_name)
    slug = next(named, None)
    if slug is None:
        return redirect(url_for("connect.choose", handle=handle, locale=locale), 303)
    return redirect(url_for("connect.show", handle=handle, slug=slug, locale=locale), 303)
