"""Every page in every state, served by an application that has nothing but pages."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from flask import Flask, g, request
from flask.typing import ResponseReturnValue
from flask_wtf import CSRFProtect
from werkzeug.datastructures import MultiDict

from broker.oauth_server.scopes import sentences
from broker.web import pages, translations
from broker.web.forms import CalDavForm, ConnectForm
from broker.web.pages import App, Choice, Legal
from broker.web.phrases import phrases_for
from broker.web.words import REASONS

ROOT = Path(__file__).resolve().parents[2]
ACME = App(name="Acme Scheduling", url="https://acme.example", accent_color="#0f7b6c")
LEGAL = Legal("https://op.example/privacy", "https://op.example/terms", "https://op.example/help")
PASSWORD = "correct horse battery staple"
FACTS = {
    "time": "2026-05-04 09:30:12 UTC",
    "reference": "req_7h2kq9d3",
}
CLIENT = {"client_id": "1234567890-abcdefghijklmnop.apps.googleusercontent.com"}
URLS = {"action_url": "/form", "back_url": "/scene/chooser", "cancel_url": "/cancel"}
POLICY = (
    "default-src 'none'; style-src 'self' 'nonce-{nonce}'; script-src 'self'; "
    "img-src 'self' https: data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


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
        for slug, href in (("google", "/scene/link"), ("caldav", "/scene/password"))
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
        **URLS,
    )


def password(
    form: CalDavForm | None = None, problem: str | None = None, relink_for: str | None = None
) -> ResponseReturnValue:
    return pages.password(
        ACME,
        provider_slug="caldav",
        provider_label="CalDAV",
        permissions=permissions(),
        form=form or CalDavForm(with_terms=True),
        legal=LEGAL,
        problem=problem,
        relink_for=relink_for,
        **URLS,
    )


def rejected(problem: str) -> ResponseReturnValue:
    form = typed(url="https://dav.example", username="ada", password=PASSWORD, agree="y")
    return password(form, problem)


def trouble(code: str, app: App | None = ACME) -> ResponseReturnValue:
    return pages.problem(
        code,
        app=app,
        retry_url="/scene/link",
        other_url="/scene/chooser",
        back_url=ACME.url,
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
    "password-renew": lambda: password(relink_for="ada@example.com"),
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
    app.config.update(SECRET_KEY=secrets.token_hex(), WTF_CSRF_TIME_LIMIT=None)
    CSRFProtect(app)
    translations.install(app)
    app.jinja_env.globals["csp_nonce"] = lambda: g.nonce

    @app.before_request
    def make_nonce() -> None:
        g.nonce = secrets.token_urlsafe()

    @app.after_request
    def add_policy(response):  # type: ignore[no-untyped-def]
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
        sent = CalDavForm(with_terms=True)
        sent.validate()
        return password(sent) if "url" in request.form else link()

    @app.post("/cancel")
    def cancel() -> ResponseReturnValue:
        return '<!doctype html><link rel="icon" href="/static/icon.svg">cancelled'

    return app
