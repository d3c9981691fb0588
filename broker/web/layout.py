"""The frame that every page has: who asks, in which language, and the operator's links."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import render_template, request
from flask.typing import ResponseReturnValue

from broker.models import Application
from broker.services.runtime import current_runtime
from broker.web.colours import Accent, accent
from broker.web.phrases import Press, Words
from broker.web.translations import LOCALES, _, current_locale, direction, with_locale

PRODUCT = "Calbroker"
_LONGEST_NAME = 60
_JOINERS = frozenset("\u200c\u200d")
_SAFE_SCHEMES = frozenset({"", "http", "https", "mailto"})


@dataclass(frozen=True, slots=True)
class App:
    """The partner application as pages show it. *accent_color* is `#rrggbb` or empty."""

    name: str
    url: str = ""
    logo_url: str = ""
    accent_color: str = ""


def as_app(application: Application) -> App:
    """Show an application as pages do."""
    return App(application.name, application.url, application.logo_url, application.accent_color)


@dataclass(frozen=True, slots=True)
class Legal:
    """The operator's own pages; those that are set stand in the footer."""

    privacy_url: str = ""
    terms_url: str = ""
    support_url: str = ""


def legal() -> Legal:
    """Give the operator's own pages, as the settings have them."""
    settings = current_runtime().settings
    return Legal(settings.privacy_url, settings.terms_url, settings.support_url)


@dataclass(frozen=True, slots=True)
class _Sign:
    """How the application looks on top of the card."""

    name: str
    initial: str
    url: str
    logo_url: str
    accent: Accent | None


def page(
    template: str,
    *,
    title: str,
    app: App | None,
    legal: Legal | None,
    status: int = 200,
    again: str | None = None,
    **values: Any,
) -> ResponseReturnValue:
    """Fill in *template*, inside the frame that all pages have in common.

    *again* is for the answer to a form that the same address shows when it is asked for by GET:
    the reason code to ask with, or nothing.
    """
    locale = current_locale()
    sign = _sign(app) if app else None
    html = render_template(
        template,
        title=title,
        app=sign,
        site=sign.name if sign else PRODUCT,
        product=PRODUCT,
        legal=_shown(legal or Legal()),
        locale=locale,
        direction=direction(locale),
        languages=_languages(locale, again),
        **values,
    )
    return html, status


def _sign(app: App) -> _Sign:
    """Make the application presentable: what it says about itself is not to be trusted."""
    name = plain(app.name)
    return _Sign(
        name=name,
        initial=next((mark for mark in name if mark.isalnum()), "?").upper(),
        url=safe(app.url),
        logo_url=app.logo_url if app.logo_url.startswith("https://") else "",
        accent=accent(app.accent_color),
    )


def plain(name: str) -> str:
    """Take out what is invisible or turns the text around it, and bound the length."""
    seen = "".join(
        mark
        for mark in " ".join(name.split())
        if mark in _JOINERS or unicodedata.category(mark) not in {"Cc", "Cf", "Co", "Cs"}
    )
    return seen if len(seen) <= _LONGEST_NAME else f"{seen[: _LONGEST_NAME - 1].rstrip()}…"


def safe(url: str) -> str:
    """Give back an address that a link may have, or nothing (`javascript:` and its like)."""
    try:
        return url if urlsplit(url.strip()).scheme in _SAFE_SCHEMES else ""
    except ValueError:
        return ""


def buttons(
    words: Words, ways: Mapping[Press, str | None], app: App | None
) -> list[tuple[str, str]]:
    """Give the ways on that exist, as label and address, the best first."""
    labels = {
        Press.RETRY: _("Try again"),
        Press.OTHER: _("Choose another calendar"),
        words.press: _(words.action),
    }
    back = _("Back to %(app)s") % {"app": plain(app.name)} if app else _("Go back")
    labels[Press.BACK] = back
    return [
        (labels[way], with_locale(url))
        for way in sorted(Press, key=lambda way: way is not words.press)
        if (url := safe(ways[way] or ""))
    ]


def _shown(legal: Legal) -> Legal:
    return Legal(safe(legal.privacy_url), safe(legal.terms_url), safe(legal.support_url))


def _languages(current: str, again: str | None) -> list[tuple[str, str, str]]:
    """Give each language with the address that shows this page in it, where there is one."""
    kept = [item for item in request.args.items(multi=True) if item[0] != "locale"]
    if request.method != "GET":
        if again is None:
            return []
        kept = [item for item in kept if item[0] != "reason"]
        kept += [("reason", again)] if again else []
    return [
        (code, name, "" if code == current else f"?{urlencode([*kept, ('locale', code)])}")
        for code, name in LOCALES.items()
    ]
