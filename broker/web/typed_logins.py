"""A login that was typed: it is tried once, and the page waits meanwhile.

With scripts the button says what goes on, and the answer is the page that it led to. Without
them a page that says so is sent at once, stays open while the login is tried, and then leads on
by itself to an address that is asked for by GET: nothing that was typed is sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from flask import Response, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from markupsafe import escape

from broker.addresses import client_place
from broker.errors import (
    AddressRefused,
    AttemptOver,
    AuthorizationLost,
    BrokerError,
    HostUnconfirmed,
    LoginRejected,
    UserError,
)
from broker.providers.base import PasswordProvider
from broker.services import connect, connection_doctor, typed_values
from broker.services.attempts import Attempt
from broker.services.connection_doctor import Diagnosis
from broker.services.runtime import current_runtime
from broker.web import attempt_pages, waiting
from broker.web.forms import ConfirmableForm, PasswordForm
from broker.web.layout import as_app, legal
from broker.web.translations import _, isolated
from broker.web.words import words_for

log = logging.getLogger(__name__)

UNDER_WAY = "login_under_way"
WITHOUT_SCRIPTS = "without_scripts"
"""What a form sends besides from a browser that runs no scripts."""


@dataclass(frozen=True, slots=True)
class _Tried:
    """What became of a login: *error* is None when the person may *leave* for somewhere else.

    *diagnosis* is what was found where the login itself failed.
    """

    leave: str | None = None
    error: BrokerError | None = None
    diagnosis: Diagnosis | None = None


def send(attempt: Attempt, provider: PasswordProvider) -> ResponseReturnValue:
    """Take the form: try the login, or show what is wrong with what was typed."""
    form = attempt_pages.password_form(attempt, provider.slug)
    is_whole = form.validate_on_submit()
    before = _refused_just_now(attempt, provider.slug, form) if is_whole else None
    if before is not None:
        return attempt_pages.form(
            attempt, provider, form=form, notice=before.reason, diagnosis=before
        )
    if not is_whole:
        typed_values.keep(current_runtime(), attempt, provider.slug, _to_keep(form))
        return attempt_pages.form(attempt, provider, form=form)
    if WITHOUT_SCRIPTS in request.form:
        return _waiting(attempt, provider, form)
    with _turn(attempt, provider, form) as has_turn:
        if not has_turn:
            return attempt_pages.refused(attempt, provider, UNDER_WAY)
        tried = _try(attempt, provider, form)
        if tried.error is None:
            return attempt_pages.leave(attempt, tried.leave)
        return _failed(attempt, provider, form, tried.error, tried.diagnosis)


def _turn(
    attempt: Attempt, provider: PasswordProvider, form: PasswordForm
) -> AbstractContextManager[bool]:
    """Let a form be tried alone: a button that is pressed twice sends it twice."""
    runtime = current_runtime()
    return typed_values.turn(runtime, attempt, provider.slug, _to_keep(form), form.sent())


def _try(attempt: Attempt, provider: PasswordProvider, form: PasswordForm) -> _Tried:
    runtime = current_runtime()
    proved, diagnosis, error = connection_doctor.prove(
        runtime,
        provider.slug,
        form.login(),
        application_id=attempt.application.id,
        client_address=client_place(request.remote_addr or ""),
    )
    if proved is None:
        return _Tried(error=error or UserError("unexpected"), diagnosis=diagnosis)
    try:
        return _Tried(leave=connect.finish(runtime, attempt, proved))
    except BrokerError as failure:
        return _Tried(error=failure)


def _failed(
    attempt: Attempt,
    provider: PasswordProvider,
    form: PasswordForm,
    error: BrokerError,
    diagnosis: Diagnosis | None,
) -> ResponseReturnValue:
    """Say what went wrong where the person can mend it."""
    code = attempt_pages.noted(attempt, provider, error)
    _keep_failure(attempt, provider.slug, form, error, diagnosis)
    if isinstance(error, HostUnconfirmed) and isinstance(form, ConfirmableForm):
        return attempt_pages.confirm(attempt, provider, form, error.host)
    if isinstance(error, AddressRefused) and error.instead:
        blamed = form[words_for(code).field]
        said = escape(_("Write this instead: %(address)s"))
        blamed.errors = [said % {"address": isolated(error.instead)}]
    return attempt_pages.form(attempt, provider, form=form, notice=code, diagnosis=diagnosis)


def _waiting(
    attempt: Attempt, provider: PasswordProvider, form: PasswordForm
) -> ResponseReturnValue:
    """Show a page that waits while the login is tried, and then leads on."""
    app = as_app(attempt.application)
    begin, end = waiting.halves(app, provider.slug, provider.label, legal=legal())

    def parts() -> Iterator[str]:
        yield begin
        yield waiting.leading_on(_lead(attempt, provider, form))
        yield end

    # A proxy that gathers answers would keep the page until there is nothing to wait for.
    headers = {"X-Accel-Buffering": "no"}
    return Response(stream_with_context(parts()), content_type="text/html", headers=headers)


def _lead(attempt: Attempt, provider: PasswordProvider, form: PasswordForm) -> str:
    """Try the login and give the address where its outcome is to be seen."""
    slug, handle = provider.slug, attempt.handle
    try:
        with _turn(attempt, provider, form) as has_turn:
            if not has_turn:
                return url_for("connect.show", handle=handle, slug=slug, reason=UNDER_WAY)
            tried = _try(attempt, provider, form)
            if tried.error is None:
                return tried.leave or url_for("connect.connected", handle=handle)
            # Whoever pressed another button meanwhile has ended the attempt: its page says so.
            if isinstance(tried.error, AttemptOver):
                return url_for("connect.show", handle=handle, slug=slug)
            code = attempt_pages.noted(attempt, provider, tried.error)
            _keep_failure(attempt, slug, form, tried.error, tried.diagnosis)
    except Exception:
        # The page is out: no error can be answered any more, only led to.
        log.exception("login not tried to its end", extra={"attempt": attempt.id})
        code = "unexpected"
    return url_for("connect.show", handle=handle, slug=slug, reason=code)


def _to_keep(form: PasswordForm) -> dict[str, str]:
    """Give what was sent, the password excepted, and whatever is wrong."""
    return {name: text for name, text in form.to_keep().items() if not form[name].errors}


def _keep_failure(
    attempt: Attempt,
    slug: str,
    form: PasswordForm,
    error: BrokerError,
    diagnosis: Diagnosis | None,
) -> None:
    """Keep why it failed, for a page that is loaded again, or that shows it at last."""
    if diagnosis is None:
        return
    is_refused = isinstance(error, LoginRejected | AuthorizationLost)
    typed_values.keep(
        current_runtime(),
        attempt,
        slug,
        _to_keep(form),
        diagnosis=diagnosis.code,
        refused=form.sent() if is_refused else None,
        host=error.host if isinstance(error, HostUnconfirmed) else "",
    )


def _refused_just_now(attempt: Attempt, slug: str, form: PasswordForm) -> Diagnosis | None:
    """Give what was found when this very form was refused a moment ago.

    A page that is loaded again, or a button that is pressed twice, sends it once more, which
    would be one more refused login in the person's directory and tell nothing new.
    """
    runtime = current_runtime()
    if not typed_values.was_refused(runtime, attempt, slug, form.sent()):
        return None
    return connection_doctor.find(runtime, typed_values.diagnosis_code(runtime, attempt, slug))
