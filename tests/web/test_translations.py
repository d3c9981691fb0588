"""Languages: how one is chosen, and whether the catalogues keep up with the code."""

from __future__ import annotations

import gettext
import io
import re
from string import Formatter

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po
from flask import g

from broker.web import translations
from broker.web.translations import LOCALE_FOLDER, LOCALES
from tests.browser.showcase import ROOT, make_app
from tests.web.rendering import asked, link, problem

TRANSLATED = [locale for locale in LOCALES if locale != "en"]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None, "message": None}


def texts() -> set[str]:
    """Give every text that the code and the templates show."""
    found: set[str] = set()
    for folder, method in (("broker", "python"), ("templates", "jinja2")):
        suffix = "py" if method == "python" else "html"
        rows = extract_from_dir(
            ROOT / folder,
            [(f"**.{suffix}", method)],
            {f"**.{suffix}": {"newstyle_gettext": "true"}},
            KEYWORDS,
        )
        found.update(
            text for row in rows for text in ([row[2]] if isinstance(row[2], str) else row[2])
        )
    return found


def catalogue(locale: str) -> dict[str, str]:
    path = LOCALE_FOLDER / locale / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        return {str(row.id): str(row.string) for row in read_po(file, locale=locale) if row.id}


def placeholders(text: str) -> list[str]:
    named = re.findall(r"%\(\w+\)s", text)
    return sorted(named or [name for _, name, _, _ in Formatter().parse(text) if name])


@pytest.mark.parametrize("locale", TRANSLATED)
def test_every_text_is_translated_and_none_is_left_over(locale: str) -> None:
    """When this fails: broker/locale/README says how to bring the catalogues up to date."""
    rows = catalogue(locale)

    assert texts() - set(rows) == set()
    assert set(rows) - texts() == set()
    assert [text for text, translation in rows.items() if not translation] == []


@pytest.mark.parametrize("locale", TRANSLATED)
def test_translations_keep_the_names_within_them(locale: str) -> None:
    rows = catalogue(locale)

    assert [t for t in rows if placeholders(t) != placeholders(rows[t])] == []
    assert [t for t in rows if re.findall("</?a", t) != re.findall("</?a", rows[t])] == []


@pytest.mark.parametrize("locale", TRANSLATED)
def test_compiled_catalogues_are_fresh(locale: str) -> None:
    folder = LOCALE_FOLDER / locale / "LC_MESSAGES"
    fresh = io.BytesIO()
    with (folder / "messages.po").open("rb") as file:
        write_mo(fresh, read_po(file, locale=locale))
    fresh.seek(0)

    with (folder / "messages.mo").open("rb") as file:
        kept = {row.id: row.string for row in read_mo(file) if row.id}

    assert kept == {row.id: row.string for row in read_mo(fresh) if row.id}


@pytest.mark.parametrize(
    ("path", "stored", "browser", "locale"),
    [
        ("/", None, "", "en"),
        ("/", None, "fr, pl;q=0.5", "en"),
        ("/", None, "fr, de-AT;q=0.8, en;q=0.5", "de"),
        ("/", "ar", "de", "ar"),
        ("/", "xx", "de", "de"),
        ("/?locale=de", "ar", "en", "de"),
        ("/?locale=de_CH", None, "en", "de"),
        ("/?locale=../../etc", None, "ar", "ar"),
    ],
)
def test_the_address_wins_over_the_attempt_over_the_browser(
    path: str, stored: str | None, browser: str, locale: str
) -> None:
    with asked(path, **{"Accept-Language": browser}):
        g.locale = stored

        assert translations.current_locale() == locale


def test_outside_a_request_the_language_is_the_default() -> None:
    assert translations.current_locale() == "en"
    with make_app().app_context():
        g.locale = "de"
        assert translations.current_locale() == "de"


def test_python_texts_are_translated_too() -> None:
    with asked("/?locale=de"):
        assert translations.gettext("Try again") == "Erneut versuchen"
        assert translations.gettext("") == ""
        assert translations.ngettext("one day", "%d days", 2) == "%d days"


def test_arabic_hebrew_and_persian_run_from_right_to_left() -> None:
    assert [translations.direction(tag) for tag in ("ar", "he", "fa", "de", "en")] == [
        *["rtl"] * 3,
        *["ltr"] * 2,
    ]


@pytest.mark.parametrize(
    ("url", "carried"),
    [
        ("/next", "/next?locale=de"),
        ("/next?a=1#b", "/next?a=1&locale=de#b"),
        ("https://acme.example/", "https://acme.example/"),
        ("//acme.example/", "//acme.example/"),
        ("", ""),
    ],
)
def test_an_asked_for_language_goes_along_to_our_pages_only(url: str, carried: str) -> None:
    with asked("/?locale=de"):
        assert translations.with_locale(url) == carried
    with asked():
        assert translations.with_locale(url) == url


def test_the_footer_offers_each_language_and_keeps_the_rest_of_the_address() -> None:
    with asked("/x?client_id=a&locale=de&state=%26"):
        page = link()

    assert 'href="?client_id=a&amp;state=%26&amp;locale=ar" lang="ar"' in page
    assert '<span lang="de" aria-current="true">Deutsch</span>' in page


def test_the_answer_to_a_form_offers_its_address_with_the_reason() -> None:
    with asked("/x?locale=de&reason=old", method="POST"):
        assert 'href="?locale=ar" lang="ar"' in link()
        assert 'href="?reason=rate_limited&amp;locale=ar"' in link(notice="rate_limited")


def test_a_page_that_cannot_be_asked_for_again_offers_no_languages() -> None:
    with asked("/", method="POST"):
        assert "<nav" not in problem("page_expired")


def test_catalogues_are_the_ones_that_are_shipped() -> None:
    for locale in TRANSLATED:
        assert gettext.find("messages", LOCALE_FOLDER, [locale])
