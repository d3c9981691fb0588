"""Languages: which one a request speaks, and its catalogue.

Catalogues are plain gettext files in `broker/locale`; English is the text in the code.
"""

from __future__ import annotations

import gettext as catalogues
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode

from flask import Flask, g, has_app_context, has_request_context, request
from markupsafe import Markup

LOCALES = {"en": "English", "de": "Deutsch", "ar": "العربية"}
DEFAULT_LOCALE = "en"
LOCALE_FOLDER = Path(__file__).resolve().parent.parent / "locale"
_RIGHT_TO_LEFT = frozenset({"ar", "fa", "he"})


def install(app: Flask) -> None:
    """Teach the templates of *app* to translate: `_`, `ngettext` and three filters.

    `translated` is for texts that were marked elsewhere with `message`: it leaves escaping to
    the template. `isolated` is for names within a sentence, `upright` for dates and addresses.
    """
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
        gettext, ngettext, newstyle=True
    )
    app.jinja_env.filters["translated"] = gettext
    app.jinja_env.filters["isolated"] = isolated
    app.jinja_env.filters["upright"] = upright


def isolated(name: str) -> Markup:
    """Keep a name of either writing direction from turning the sentence around it."""
    return Markup("<bdi>{}</bdi>").format(name)


def upright(value: str) -> Markup:
    """Keep what is written from left to right everywhere, such as a date or an address, so."""
    return Markup('<bdi dir="ltr">{}</bdi>').format(value)


def message(text: str) -> str:
    """Mark *text* for the catalogues and return it unchanged; it is translated when shown."""
    return text


N_ = message


def gettext(text: str) -> str:
    """Translate *text* into the language of this request."""
    # The empty text is the key of a catalogue's header, which is nobody's business.
    return _catalogue(current_locale()).gettext(text) if text else ""


def ngettext(one: str, many: str, count: int) -> str:
    """Translate the form of a text that *count* asks for in the language of this request."""
    return _catalogue(current_locale()).ngettext(one, many, count)


_ = gettext


def current_locale() -> str:
    """Give the language of this request.

    What the address asks for (`?locale=`) wins over what the connect attempt began with
    (`g.locale`), which wins over the browser's preference.
    """
    asked = asked_locale() or (known_locale(g.get("locale")) if has_app_context() else None)
    if asked or not has_request_context():
        return asked or DEFAULT_LOCALE
    # Not `best_match`, which prefers a whole tag further down to the language on top.
    liked = (known_locale(tag) for tag, quality in request.accept_languages if quality > 0)
    return next((locale for locale in liked if locale), DEFAULT_LOCALE)


def asked_locale() -> str | None:
    """Give the language that the address of this request asks for, when we speak it."""
    return known_locale(request.args.get("locale")) if has_request_context() else None


def known_locale(tag: str | None) -> str | None:
    """Give the catalogue for a language tag (`de-AT` is served by `de`), or None."""
    primary = (tag or "").replace("_", "-").split("-")[0].lower()
    return primary if primary in LOCALES else None


def direction(locale: str) -> str:
    """Give the writing direction of a language, as the `dir` attribute wants it."""
    return "rtl" if locale in _RIGHT_TO_LEFT else "ltr"


def with_locale(url: str) -> str:
    """Carry the language that this address asks for on to the next of our pages.

    Other people's addresses are left alone.
    """
    asked = asked_locale()
    if not asked or not url.startswith("/") or url.startswith("//"):
        return url
    bare, mark, fragment = url.partition("#")
    return f"{bare}{'&' if '?' in bare else '?'}{urlencode({'locale': asked})}{mark}{fragment}"


@lru_cache
def _catalogue(locale: str) -> catalogues.NullTranslations:
    return catalogues.translation("messages", LOCALE_FOLDER, [locale], fallback=True)
