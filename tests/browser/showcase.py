"""Every page in every state, served by an application that has nothing but pages."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from flask import Flask, Response, g, request
from flask.typing import ResponseReturnValue
from flask_wtf import CSRFProtect
from werkzeug.datastructures import MultiDict

from broker.certificates import Certificate
from broker.oauth_server.scopes import sentences
from broker.services.connection_doctor import Diagnosis, Finding, StepName, StepState
from broker.trace import Step
from broker.web import it_page, layout, pages, translations, waiting
from broker.web.forms import (
    FORMS,
    AppleForm,
    CalDavForm,
    ConnectForm,
    ExchangeForm,
    PasswordForm,
)
from broker.web.it_page import ItLink
from broker.web.pages import App, Choice, Legal, Ways
from broker.web.phrases import phrases_for
from broker.web.words import REASONS
from tests.made_once import TEMPLATES

ROOT = Path(__file__).resolve().parents[2]
ACME = App(name="Acme Scheduling", url="https://acme.example", accent_color="#0f7b6c")
LEGAL = Legal("https://op.example/privacy", "https://op.example/terms", "https://op.example/help")
PASSWORD = "correct horse battery staple"
FACTS = {
    "time": "2026-05-04 09:30:12 UTC",
    "reference": "req_7h2kq9d3",
}
CLIENT = {"client_id": "1234567890-abcdefghijklmnop.apps.googleusercontent.com"}
IT_LINK = ItLink(
    "https://calendars.broker.example/for-it/K7Q2-9F3M.pK2hX4nVQm8sT0dLw3yZb6RfJc1uE5Ga",
    "2026-05-18",
)
WAYS = Ways(action="/form", back="/scene/chooser", cancel="/cancel")
POLICY = (
    "default-src 'none'; style-src 'self' 'nonce-{nonce}'; script-src 'self'; "
    "img-src 'self' https: data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


FIELDS = {"apple": {"app_code"}, "exchange": {"email"}, "caldav": {"url"}}


def permissions() -> list[str]:
    """Say the usual permissions in the language of the request."""
    return sentences("read_write", ACME.name, translations.gettext)


def typed(with_terms: bool = True, **values: str) -> CalDavForm:
    """Give a form as it is after somebody sent *values*."""
    form = CalDavForm(MultiDict(values), with_terms=with_terms)
    form.validate()
    return form


def chooser(app: App = ACME) -> ResponseReturnValue:
    choices = [
        Choice(
            slug,
            translations.gettext(phrases_for(slug).label),
            translations.gettext(phrases_for(slug).note),
            href,
        )
        for slug, href in (
            ("google", "/scene/link"),
            ("apple", "/scene/apple"),
            ("exchange", "/scene/exchange"),
            ("caldav", "/scene/password"),
        )
    ]
    return pages.chooser(app, choices=choices, cancel_url="/cancel", legal=LEGAL)


def link(notice: str | None = None, relink_for: str | None = None) -> ResponseReturnValue:
    return pages.link(
        ACME,
        provider_slug="google",
        provider_label="Google",
        permissions=permissions(),
        form=ConnectForm(with_terms=True),
        legal=LEGAL,
        notice=notice,
        relink_for=relink_for,
        facts={**FACTS, **CLIENT} if notice else None,
        ways=WAYS,
    )


def apple_typed(**values: str) -> AppleForm:
    """Give the form for iCloud as it is after somebody sent *values*."""
    form = AppleForm(MultiDict(values), with_terms=True)
    form.validate()
    return form


def password(
    form: PasswordForm | None = None,
    problem: str | None = None,
    *,
    slug: str = "caldav",
    relink_for: str | None = None,
    failed: StepName | None = None,
) -> ResponseReturnValue:
    return pages.password(
        ACME,
        provider_slug=slug,
        provider_label="CalDAV",
        permissions=permissions(),
        form=form or FORMS[slug](with_terms=True),
        legal=LEGAL,
        problem=problem,
        relink_for=relink_for,
        facts=FACTS if problem else None,
        diagnosis=diagnosed(problem or "", failed, slug) if failed else None,
        it_link=IT_LINK if failed and slug != "apple" else None,
        ways=WAYS,
    )


def diagnosed(reason: str, failed: StepName, slug: str = "caldav") -> Diagnosis:
    """Give what the doctor finds when everything before the step *failed* went well.

    What we refuse to send is refused before any step.
    """
    untried = reason in {"app_password_shape", "paused_after_refusals"}
    names = [name for name in StepName if slug == "exchange" or name is not StepName.MAILBOX]
    before = names.index(failed)
    host = "caldav.icloud.com" if slug == "apple" else "calendars.dav-hosting.example"
    findings = []
    for number, step in enumerate(names):
        if number > before:
            findings.append(Finding(step, StepState.NOT_REACHED))
            continue
        well = StepState.NOT_REACHED if untried else StepState.OK
        state = StepState.FAILED if number == before else well
        at = "dav.example" if number == 0 and slug == "caldav" else host
        findings.append(Finding(step, state, at, 17 if step is StepName.DISCOVERY else 0))
    at = datetime(2026, 5, 4, 9, 30, 12, tzinfo=UTC)
    return Diagnosis("K7Q2-9F3M", at, slug, reason, tuple(findings))


CHAIN = (
    Certificate(
        "CN=owa.hoster.example,O=Hoster",
        ("owa.hoster.example", "ex01.corp.local"),
        "CN=CORP-DC01-CA,DC=corp,DC=local",
        datetime(2025, 4, 1, tzinfo=UTC),
        datetime(2026, 4, 1, tzinfo=UTC),
        "5f0c" * 16,
    ),
)


def for_it(reason: str, failed: StepName, app: App | None = ACME) -> ResponseReturnValue:
    """Show what an IT department sees, with all that it can see."""
    host = "mail.corp.example"
    found = diagnosed(reason, failed, "exchange")
    steps = (
        Step("SRV", "_autodiscover._tcp.corp.example", "found", 9, found=(host,)),
        Step("probe", "autodiscover.corp.example", "name not found", 12),
        Step("GetFolder", host, "401", 31, offered=("Basic", "NTLM", "Negotiate"), chain=CHAIN),
        Step("GetFolder", host, "401", 8, offered=("NTLM",)),
        Step("GetFolder", host, "403", 54, tried="NTLM (DOMAIN\\name)"),
    )
    return it_page.show(
        replace(found, steps=steps),
        app=app,
        place="https://calendars.broker.example",
        outgoing=("203.0.113.7", "203.0.113.16/28"),
        closes_at=found.at + timedelta(days=14),
        legal=LEGAL,
    )


def rejected(problem: str, failed: StepName | None = None) -> ResponseReturnValue:
    form = typed(url="https://dav.example", username="ada", password=PASSWORD, agree="y")
    return password(form, problem, failed=failed)


def waiting_page() -> ResponseReturnValue:
    return "".join(waiting.halves(ACME, "exchange", "Exchange", legal=LEGAL))


def confirm() -> ResponseReturnValue:
    form = typed(url="ada@university.example", username="ada", password=PASSWORD, agree="y")
    return pages.confirm(
        ACME,
        form,
        "calendars.dav-hosting.example",
        provider_slug="caldav",
        provider_label="CalDAV",
        action_url="/form",
        change_url="/scene/password",
        cancel_url="/cancel",
        legal=LEGAL,
    )


def instead() -> ResponseReturnValue:
    """Show an address that comes back as it should have been written."""
    form = typed(url="http://dav.example/ada/", username="ada", password=PASSWORD, agree="y")
    form.url.errors = ["Write this instead: https://dav.example/ada/"]
    return password(form, "address_not_https", failed=StepName.ADDRESS)


def apple_rejected(problem: str, failed: StepName) -> ResponseReturnValue:
    form = apple_typed(email="ada@icloud.com", app_code=PASSWORD, agree="y")
    return password(form, problem, slug="apple", failed=failed)


def exchange_rejected(problem: str, failed: StepName, username: str = "") -> ResponseReturnValue:
    form = ExchangeForm(
        MultiDict(
            {
                "email": "ada@corp.example",
                "password": PASSWORD,
                "username": username,
                "agree": "y",
            }
        ),
        with_terms=True,
    )
    form.validate()
    return password(form, problem, slug="exchange", failed=failed)


# A reason for each step at which a typed login can fail.
FAILURES = {
    StepName.ADDRESS: "address_malformed",
    StepName.DNS: "name_not_found",
    StepName.TCP: "address_unreachable",
    StepName.TLS: "certificate_wrong_name",
    StepName.DISCOVERY: "not_caldav",
    StepName.LOGIN: "login_rejected",
    StepName.CALENDARS: "provider_unavailable",
}


def trouble(code: str, app: App | None = ACME) -> ResponseReturnValue:
    return pages.problem(
        code,
        app=app,
        retry_url="/scene/link",
        other_url="/scene/chooser",
        cancel_url="/cancel" if app else None,
        facts={**FACTS, **CLIENT} if code == "admin_policy_enforced" else FACTS,
        legal=LEGAL,
    )


SCENES: dict[str, Callable[[], ResponseReturnValue]] = {
    "chooser": chooser,
    "link": link,
    "link-again": lambda: link("permission_unticked"),
    "link-renew": lambda: link("wrong_login", "ada.lovelace@example.com"),
    "password": password,
    "password-empty": lambda: password(typed(url="", username="", password="")),
    "password-one": lambda: password(
        typed(url="https://dav.example", username="", password="x", agree="y")
    ),
    "password-rejected": lambda: rejected("login_rejected"),
    "password-address": lambda: rejected("address_unreachable"),
    "password-instead": instead,
    "password-confirm": confirm,
    "password-renew": lambda: password(relink_for="ada@example.com"),
    **{
        f"password-failed-{step}": partial(rejected, reason, step)
        for step, reason in FAILURES.items()
    },
    "apple": lambda: password(slug="apple"),
    "apple-empty": lambda: password(apple_typed(email="", app_code=""), slug="apple"),
    "apple-shape": lambda: apple_rejected("app_password_shape", StepName.LOGIN),
    "apple-rejected": lambda: apple_rejected("apple_login_rejected", StepName.LOGIN),
    "apple-off": lambda: apple_rejected("calendar_off", StepName.CALENDARS),
    "apple-paused": lambda: apple_rejected("paused_after_refusals", StepName.LOGIN),
    "apple-renew": lambda: password(slug="apple", relink_for="a…@icloud.com"),
    "exchange": lambda: password(slug="exchange"),
    "waiting": waiting_page,
    "exchange-rejected": lambda: exchange_rejected(
        "exchange_login_rejected", StepName.LOGIN, "CORP\\ada"
    ),
    "exchange-not-found": lambda: exchange_rejected("exchange_not_found", StepName.DNS),
    "exchange-off": lambda: exchange_rejected("exchange_ews_off", StepName.MAILBOX),
    "exchange-cloud": lambda: exchange_rejected("use_office365", StepName.DISCOVERY),
    "for-it": lambda: for_it("exchange_ews_off", StepName.MAILBOX),
    "for-it-login": lambda: for_it("exchange_login_rejected", StepName.LOGIN),
    "for-it-certificate": lambda: for_it("certificate_untrusted", StepName.TLS, None),
    "problem-it": lambda: pages.problem("it_link_over", legal=LEGAL),
    "home": lambda: layout.page("home.html", title="Connect", app=None, legal=LEGAL),
    "problem": lambda: trouble("attempt_over"),
    "problem-admin": lambda: trouble("admin_policy_enforced"),
    "problem-unknown": lambda: trouble("unknown_client", None),
    "reconnected": lambda: pages.reconnected(ACME, legal=LEGAL),
}


def make_app() -> Flask:
    """Build the application; `/scene/<name>` shows a page, `/reason/<code>` an error."""
    app = Flask(
        __name__, template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static")
    )
    app.jinja_env.bytecode_cache = TEMPLATES
    app.config.update(SECRET_KEY=secrets.token_hex(), WTF_CSRF_TIME_LIMIT=None)
    CSRFProtect(app)
    translations.install(app)
    app.jinja_env.globals["csp_nonce"] = lambda: g.nonce

    # One for all, so that the policy of one page lets another be written into its place.
    nonce = secrets.token_urlsafe()

    @app.before_request
    def put_nonce() -> None:
        g.nonce = nonce

    @app.after_request
    def add_policy(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY.format(nonce=g.nonce)
        return response

    @app.get("/scene/<name>")
    def scene(name: str) -> ResponseReturnValue:
        return SCENES[name]()

    @app.get("/reason/<code>")
    def reason(code: str) -> ResponseReturnValue:
        return trouble(code if code in REASONS else "unexpected")

    @app.post("/form")
    def form() -> ResponseReturnValue:
        slug = next((s for s in FORMS if set(request.form) & FIELDS[s]), None)
        if slug is None:
            return link()
        sent = FORMS[slug](with_terms=True)
        sent.validate()
        return password(sent, slug=slug)

    @app.post("/cancel")
    def cancel() -> ResponseReturnValue:
        return '<!doctype html><link rel="icon" href="/static/icon.svg">cancelled'

    return app
