"""Render single pages and look into them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

from flask import g
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from broker.web import pages
from broker.web.forms import FORMS, CalDavForm, ConnectForm, PasswordForm
from broker.web.pages import App
from tests.browser.showcase import ACME, LEGAL, WAYS, make_app


@contextmanager
def asked(path: str = "/", *, method: str = "GET", **headers: str) -> Iterator[None]:
    """Be within a request for *path*; no view runs."""
    with make_app().test_request_context(path, method=method, headers=headers):
        g.nonce = "nonce"
        yield


def html(response: ResponseReturnValue) -> str:
    assert isinstance(response, tuple)
    return str(response[0])


def status(response: ResponseReturnValue) -> object:
    assert isinstance(response, tuple)
    return response[1]


def title_of(page: str) -> str:
    found = re.search("<title>(.*?)</title>", page)
    assert found
    return unescape(found[1])


def link(app: App = ACME, **changes: Any) -> str:
    values: dict[str, Any] = {
        "provider_slug": "google",
        "provider_label": "Google",
        "permissions": ["Acme can see when you are busy."],
        "form": ConnectForm(),
        "legal": LEGAL,
        "ways": WAYS,
        **changes,
    }
    return html(pages.link(app, **values))


def password(form: PasswordForm, **changes: Any) -> str:
    return html(
        pages.password(
            ACME,
            provider_slug=next(slug for slug, kind in FORMS.items() if isinstance(form, kind)),
            provider_label="CalDAV",
            permissions=[],
            form=form,
            legal=LEGAL,
            ways=WAYS,
            **changes,
        )
    )


def problem(code: str, app: App | None = ACME, **values: Any) -> str:
    return html(pages.problem(code, app=app, **values))


def refused(form: PasswordForm) -> list[str]:
    """Name the fields that were not right; a form on no page has no CSRF token."""
    return [name for name in form.errors if name != "csrf_token"]


def filled(*, with_terms: bool = False, **values: str) -> CalDavForm:
    form = CalDavForm(MultiDict(values), with_terms=with_terms)
    form.validate()
    return form
