"""The pages of one connect attempt: whose it is, where its buttons lead, how it ends."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from flask import g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from broker.errors import (
    AttemptOver,
    BrokerError,
)
from broker.oauth_server.scopes import sentences
from broker.providers.base import OAuthProvider, PasswordProvider, Provider
from broker.services import applications, connect, connection_doctor, typed_values
from broker.services.attempts import Attempt
from broker.services.connect_reasons import reason_of
from broker.services.connection_doctor import Diagnosis
from broker.services.runtime import current_runtime
from broker.web import it_links, pages
from broker.web.doctor import TIME_FORMAT
from broker.web.forms import FORMS, ConfirmableForm, ConnectForm, PasswordForm
from broker.web.layout import as_app, legal
from broker.web.phrases import phrases_for
from broker.web.translations import _, asked_locale
from broker.web.words import known_code

log = logging.getLogger(__name__)

RETRIED_IN_PLACE = frozenset(
    {"permission_unticked", "no_refresh_token", "sign_in_refused", "wrong_login"}
)
_NOT_ANSWERING = frozenset({"provider_unavailable", "unreadable_answer"})


def remember(attempt: Attempt) -> None:
    """Let the page speak the attempt's language, and its forms lead where they must."""
    if attempt.started is not None:
        g.locale = attempt.started.locale
    elif attempt.request is not None:
        g.locale = attempt.request.locale
    g.form_targets = _form_targets(attempt)


def _form_targets(attempt: Attempt) -> list[str]:
    """Say where the forms of an attempt lead by redirect: to a provider, or to the application.

    Both may lead on to other hosts of theirs, and browsers hold the whole chain against
    `form-action` (CSP level 3): nothing but the scheme of it is known here.
    """
    providers = current_runtime().providers.values()
    ends = [one.consent_endpoint for one in providers if isinstance(one, OAuthProvider)]
    if attempt.request is not None:
        ends.append(attempt.request.redirect_uri)
    return sorted({f"{urlsplit(end).scheme}:" for end in ends})


def chooser(attempt: Attempt) -> ResponseReturnValue:
    """Show which calendars can be connected."""
    choices = [
        pages.Choice(
            slug,
            _(phrases_for(slug).label) % {"provider": provider.label},
            _(phrases_for(slug).note),
            url_for("connect.show", handle=attempt.handle, slug=slug),
        )
        for slug, provider in current_runtime().providers.items()
    ]
    return pages.chooser(
        as_app(attempt.application),
        choices=choices,
        cancel_url=url_for("connect.cancel", handle=attempt.handle),
        legal=legal(),
    )


def form(
    attempt: Attempt,
    provider: Provider,
    *,
    form: ConnectForm | None = None,
    notice: str | None = None,
    diagnosis: Diagnosis | None = None,
) -> ResponseReturnValue:
    """Show a provider's page: what is asked, and the way on."""
    handle, slug = attempt.handle, provider.slug
    app = as_app(attempt.application)
    # Whatever is asked for, the account's own name and address come with it.
    scope = f"{attempt.request.scope} read_account" if attempt.request else ""
    common: dict[str, Any] = {
        "provider_slug": slug,
        "provider_label": provider.label,
        "permissions": sentences(scope, app.name, _),
        "ways": pages.Ways(
            action=url_for("connect.go_on", handle=handle, slug=slug),
            back=url_for("connect.choose", handle=handle),
            cancel=url_for("connect.cancel", handle=handle),
        ),
        "legal": legal(),
        "relink_for": connect.masked_address(current_runtime(), attempt),
    }
    if isinstance(provider, PasswordProvider):
        facts = _facts(attempt, provider) if notice else None
        typed = form if isinstance(form, PasswordForm) else password_form(attempt, slug)
        for name, value in typed.to_keep().items():
            typed[name].data = value
        common |= {"form": typed, "diagnosis": diagnosis}
        common["it_link"] = it_links.link_to(diagnosis) if diagnosis is not None else None
        return pages.password(app, problem=notice, facts=facts, **common)
    shown = form or ConnectForm(with_terms=has_terms())
    client_id = {"client_id": _client_id(provider)}
    return pages.link(app, form=shown, notice=notice, facts=client_id, **common)


def password_form(attempt: Attempt, slug: str) -> PasswordForm:
    """Make the form of a provider whose login is typed, filled in with what was sent.

    On a page that is only looked at, with what was sent before in this attempt.
    """
    typed = typed_values.kept(current_runtime(), attempt, slug) if request.method == "GET" else {}
    return FORMS[slug](data=typed, with_terms=has_terms())


def failed(attempt: Attempt, provider: Provider, error: BrokerError) -> ResponseReturnValue:
    """Say what went wrong at a provider's own page."""
    return refused(attempt, provider, noted(attempt, provider, error))


def noted(attempt: Attempt, provider: Provider, error: BrokerError) -> str:
    """Give the reason code of what went wrong, and log it; the code lets support find it.

    Raises an error that says that the attempt is over, which has a page of its own.
    """
    if isinstance(error, AttemptOver):
        raise error
    code = reason_of(error, typed=isinstance(provider, PasswordProvider))
    log.info(
        "connect failed",
        extra={"attempt": attempt.id, "provider": provider.slug, "reason": code},
    )
    return code


def confirm(
    attempt: Attempt, provider: Provider, typed: ConfirmableForm, host: str
) -> ResponseReturnValue:
    """Ask about a host that the search led to."""
    show = url_for("connect.show", handle=attempt.handle, slug=provider.slug)
    return pages.confirm(
        as_app(attempt.application),
        typed,
        host,
        provider_slug=provider.slug,
        provider_label=provider.label,
        action_url=show,
        change_url=show,
        cancel_url=url_for("connect.cancel", handle=attempt.handle),
        legal=legal(),
    )


def refused(attempt: Attempt, provider: Provider, code: str) -> ResponseReturnValue:
    """Go to the page that says why; a person who said no themselves goes straight back."""
    if code == "access_denied":
        return cancelled(attempt)
    return _lead(attempt, "connect.show", slug=provider.slug, reason=known_code(code))


def stopped(attempt: Attempt, provider: Provider, code: str) -> ResponseReturnValue:
    """Show why a connection did not come about, and the way on."""
    if isinstance(provider, PasswordProvider):
        host = typed_values.host(current_runtime(), attempt, provider.slug)
        typed = password_form(attempt, provider.slug)
        if code == "host_unconfirmed" and host and isinstance(typed, ConfirmableForm):
            return confirm(attempt, provider, typed, host)
        found = _found_before(attempt, provider.slug, code)
        return form(attempt, provider, notice=known_code(code), diagnosis=found)
    if code in RETRIED_IN_PLACE:
        return form(attempt, provider, notice=known_code(code))
    return pages.problem(
        code,
        app=as_app(attempt.application),
        status=502 if code in _NOT_ANSWERING else 400,
        retry_url=url_for("connect.show", handle=attempt.handle, slug=provider.slug),
        other_url=url_for("connect.choose", handle=attempt.handle),
        cancel_url=url_for("connect.cancel", handle=attempt.handle),
        facts=_facts(attempt, provider),
        legal=legal(),
    )


def _found_before(attempt: Attempt, slug: str, code: str) -> Diagnosis | None:
    """Give what was found when this failed, for a page that is shown again."""
    runtime = current_runtime()
    kept = typed_values.diagnosis_code(runtime, attempt, slug)
    found = connection_doctor.find(runtime, kept) if kept else None
    return found if found is not None and found.reason == code else None


def leave(attempt: Attempt, uri: str | None) -> ResponseReturnValue:
    """Go back to the application; after relinking there is no address to go to."""
    return redirect(uri, 303) if uri is not None else _lead(attempt, "connect.connected")


def connected(attempt: Attempt) -> ResponseReturnValue:
    """Show that a renewed connection works."""
    return pages.reconnected(as_app(attempt.application), legal=legal())


def cancelled(attempt: Attempt) -> ResponseReturnValue:
    """End an attempt because the person said no, and go back to where there is a way."""
    uri = connect.cancel(current_runtime(), attempt)
    return redirect(uri, 303) if uri is not None else _lead(attempt, "connect.declined")


def declined(attempt: Attempt) -> ResponseReturnValue:
    """Show that nothing was connected, as the person wished."""
    return pages.problem(
        "access_denied",
        app=as_app(attempt.application),
        status=200,
        back_url=attempt.application.url or None,
        legal=legal(),
    )


def over(error: AttemptOver) -> ResponseReturnValue:
    """Say that an attempt has run out, or that this is not its browser."""
    application = applications.find(error.application_id) if error.application_id else None
    handle = error.handle or (request.view_args or {}).get("handle")
    may_restart = error.may_restart and handle is not None
    # Of an attempt that is no longer known, nothing can begin again from here.
    is_gone = error.code == "attempt_over" and not may_restart
    return pages.problem(
        "attempt_gone" if is_gone else error.code,
        app=as_app(application) if application else None,
        retry_url=url_for("connect.restart", handle=handle) if may_restart else None,
        back_url=application.url if application and application.url else None,
        legal=legal(),
    )


def _lead(attempt: Attempt, endpoint: str, **values: Any) -> ResponseReturnValue:
    """Lead on to another of the attempt's pages, in the language of this one."""
    locale = asked_locale() or (attempt.started.locale if attempt.started else None)
    return redirect(url_for(endpoint, handle=attempt.handle, locale=locale, **values), 303)


def has_terms() -> bool:
    """Tell whether the operator has terms to agree to."""
    return bool(current_runtime().settings.terms_url)


def _facts(attempt: Attempt, provider: Provider) -> dict[str, str]:
    """Give what support and IT departments ask for."""
    return {
        "time": current_runtime().clock.now().strftime(TIME_FORMAT),
        "reference": attempt.id,
        "client_id": _client_id(provider),
    }


def _client_id(provider: Provider) -> str:
    return provider.client_id if isinstance(provider, OAuthProvider) else ""
