"""The pages: each function is given what to say and answers with the page that says it.

The pages know nothing of the database, so that the page about its absence can be shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from broker.services.connection_doctor import Diagnosis
from broker.web import doctor
from broker.web.forms import VISIBLE_FIELDS, CancelForm, ConfirmableForm, PasswordForm
from broker.web.it_page import ItLink
from broker.web.layout import App, Legal, buttons, page
from broker.web.phrases import FACT_LABELS, Press, Words, phrases_for
from broker.web.translations import _, with_locale
from broker.web.words import known_code, words_for

__all__ = [
    "App",
    "Choice",
    "Legal",
    "Ways",
    "chooser",
    "confirm",
    "link",
    "password",
    "problem",
    "reconnected",
]


@dataclass(frozen=True, slots=True)
class Choice:
    """A row of the chooser."""

    slug: str
    label: str
    note: str
    href: str


@dataclass(frozen=True, slots=True)
class Ways:
    """Where a form leads: on, back to the choice of calendars, and off to the application."""

    action: str
    back: str
    cancel: str


def chooser(
    app: App, *, choices: list[Choice], cancel_url: str, legal: Legal | None = None
) -> ResponseReturnValue:
    """Show which calendars can be connected."""
    return page(
        "chooser.html",
        title=_("Which calendar do you use?"),
        app=app,
        legal=legal,
        choices=[replace(choice, href=with_locale(choice.href)) for choice in choices],
        cancel_url=with_locale(cancel_url),
        cancel_form=CancelForm(),
    )


def link(
    app: App,
    *,
    provider_slug: str,
    provider_label: str,
    permissions: list[str],
    ways: Ways,
    form: FlaskForm,
    legal: Legal,
    relink_for: str | None = None,
    notice: str | None = None,
    facts: Mapping[str, str] | None = None,
) -> ResponseReturnValue:
    """Show the page before a provider's own sign-in.

    *notice* is the reason code of what went wrong the time before. *facts* are for an
    administrator whose policy stops the person at the provider, where no page of ours can help.
    """
    return _form_page(
        "link.html",
        app,
        form,
        code=notice,
        provider=(provider_slug, provider_label),
        permissions=permissions,
        ways=ways,
        legal=legal,
        relink_for=relink_for,
        facts=facts,
    )


def password(
    app: App,
    *,
    provider_slug: str,
    provider_label: str,
    permissions: list[str],
    ways: Ways,
    form: PasswordForm,
    legal: Legal,
    relink_for: str | None = None,
    problem: str | None = None,
    facts: Mapping[str, str] | None = None,
    diagnosis: Diagnosis | None = None,
    it_link: ItLink | None = None,
) -> ResponseReturnValue:
    """Show the form for a login that is typed.

    *problem* is the reason code of why the login did not work, *diagnosis* how far it came, and
    *it_link* where an IT department can read about it.
    """
    return _form_page(
        "password.html",
        app,
        form,
        code=problem,
        provider=(provider_slug, provider_label),
        permissions=permissions,
        ways=ways,
        legal=legal,
        relink_for=relink_for,
        facts=facts,
        diagnosis=diagnosis,
        checkup=doctor.checkup(diagnosis),
        it_link=it_link,
    )


def confirm(
    app: App,
    form: ConfirmableForm,
    host: str,
    *,
    provider_slug: str,
    provider_label: str,
    action_url: str,
    change_url: str,
    cancel_url: str,
    legal: Legal,
) -> ResponseReturnValue:
    """Ask whether the password may go to *host*, which is not the one that was typed.

    What was typed is carried along, the password excepted.
    """
    form.confirm(host)
    carried = [form[name] for name in (*form.kept, "confirmed", "confirmed_for")]
    if "agree" in form:
        carried.append(form.agree)
    words = words_for("host_unconfirmed")
    return page(
        "confirm.html",
        title=_(words.title),
        app=app,
        legal=legal,
        words=words,
        host=host,
        form=form,
        field=form[form.secret],
        carried=carried,
        label=provider_label,
        phrases=phrases_for(provider_slug),
        action_url=with_locale(action_url),
        change_url=with_locale(change_url),
        cancel_url=with_locale(cancel_url),
        cancel_form=CancelForm(),
    )


def problem(
    code: str,
    *,
    app: App | None = None,
    status: int = 400,
    retry_url: str | None = None,
    other_url: str | None = None,
    back_url: str | None = None,
    cancel_url: str | None = None,
    facts: Mapping[str, str] | None = None,
    legal: Legal | None = None,
) -> ResponseReturnValue:
    """Show what happened, whose move it is and what to press; *facts* are for IT.

    *back_url* leads back to the application, and *cancel_url* with word that nothing came of it.
    """
    words = words_for(code)
    ways = {Press.RETRY: retry_url, Press.OTHER: other_url, Press.BACK: back_url}
    return page(
        "problem.html",
        status=status,
        title=_(words.title),
        app=app,
        legal=legal,
        words=words,
        buttons=buttons(words, ways, app),
        cancel_url=with_locale(cancel_url) if cancel_url else "",
        cancel_form=CancelForm() if cancel_url else None,
        facts=_facts(facts, code=code),
    )


def reconnected(app: App, *, legal: Legal | None = None) -> ResponseReturnValue:
    """Show that a renewed connection works, when there is no page to go back to."""
    title = _("Your calendar is connected again")
    return page("reconnected.html", title=title, app=app, legal=legal)


def _form_page(
    template: str,
    app: App,
    form: FlaskForm,
    *,
    code: str | None,
    provider: tuple[str, str],
    ways: Ways,
    relink_for: str | None,
    legal: Legal,
    facts: Mapping[str, str] | None,
    permissions: list[str],
    diagnosis: Diagnosis | None = None,
    **more: Any,
) -> ResponseReturnValue:
    slug, label = provider
    phrases = phrases_for(slug, typed=isinstance(form, PasswordForm))
    heading = _(phrases.again if relink_for else phrases.heading) % {"provider": label}
    trouble, shown = _mistakes(form, code)
    return page(
        template,
        status=400 if trouble and request.method == "POST" else 200,
        title=f"{trouble} · {heading}" if trouble else heading,
        app=app,
        legal=legal,
        label=label,
        phrases=phrases,
        heading=heading,
        form=form,
        permissions=permissions,
        relink_for=relink_for,
        action_url=with_locale(ways.action),
        # A renewal is about one calendar: there is no other to choose.
        back_url="" if relink_for else with_locale(ways.back),
        cancel_url=with_locale(ways.cancel),
        cancel_form=CancelForm(),
        facts=_facts(facts, code=code, diagnosis=diagnosis) if facts or code else [],
        diagnosis=diagnosis,
        **shown | more,
    )


def _mistakes(form: FlaskForm, code: str | None) -> tuple[str, dict[str, Any]]:
    """Give what is wrong with a form: in short for the title of its page, and to be shown."""
    words = words_for(code) if code else None
    errors = {name: form.errors[name][0] for name in VISIBLE_FIELDS if form.errors.get(name)}
    trouble = _trouble(words, errors)
    if words and words.beside:
        errors[words.field] = words.beside
    first = next(iter(errors), words.field if words else "")
    again = known_code(code) if code else ""
    return trouble, {"words": words, "errors": errors, "first": first, "again": again}


def _trouble(words: Words | None, errors: Mapping[str, str]) -> str:
    """Name what is wrong with a form, for the title of its page."""
    if words:
        return _(words.title)
    if len(errors) > 1:
        return _("Please check what is marked")
    return _(next(iter(errors.values()), ""))


def _facts(
    facts: Mapping[str, str] | None, *, code: str | None, diagnosis: Diagnosis | None = None
) -> list[tuple[str, str]]:
    """Give what IT may want to copy, as label and value, the code first."""
    reason = known_code(code) if code else ""
    found = {"code": reason, **(facts or {})}
    if diagnosis is not None:
        own = doctor.facts(diagnosis, reason)
        found = own | found | own
    shown = [(_(FACT_LABELS.get(name, name)), value) for name, value in found.items() if value]
    return shown + (doctor.steps_for_it(diagnosis) if diagnosis is not None else [])
