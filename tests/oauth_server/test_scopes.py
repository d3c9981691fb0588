"""Scopes: what they amount to, and the words for them."""

from __future__ import annotations

import pytest

from broker.oauth_server import scopes

FREE_BUSY = {"read_account", "list_calendars", "read_free_busy"}
READ_ONLY = FREE_BUSY | {"read_events"}
OWN_EVENTS = {"create_event", "delete_event", "event_reminders"}


@pytest.mark.parametrize(
    ("scope", "basic"),
    [
        ("free_busy", FREE_BUSY),
        ("free_busy_write", FREE_BUSY | OWN_EVENTS),
        ("read_only", READ_ONLY),
        ("write_only", {"read_account", "list_calendars"} | OWN_EVENTS),
        ("read_write", READ_ONLY | OWN_EVENTS | {"change_participation_status"}),
        ("read_account", {"read_account"}),
        ("read_events", {"read_events", "read_free_busy", "list_calendars"}),
        ("create_event", {"create_event", "list_calendars"}),
        ("read_account create_calendar", {"read_account", "create_calendar", "list_calendars"}),
        ("", set()),
    ],
)
def test_scopes_expand(scope: str, basic: set[str]) -> None:
    assert basic == scopes.expand(scope)


def test_no_shorthand_creates_calendars() -> None:
    assert not any("create_calendar" in scopes.expand(name) for name in scopes.SHORTHANDS)


def test_lists_have_one_form() -> None:
    assert "b a c" == scopes.normalise("  b a\tb  c a ")


def test_older_spellings_are_understood() -> None:
    assert "service_account/accounts/manage" == scopes.normalise("service_account/manage_accounts")


@pytest.mark.parametrize(
    "scope", ["nope", "", "READ_WRITE", "read_write read_only", "service_account/accounts/manage"]
)
def test_what_we_do_not_serve_is_unknown(scope: str) -> None:
    assert not scopes.is_known(scope)


def test_coverage_looks_at_what_scopes_amount_to() -> None:
    assert scopes.covers("read_write", "read_only create_event")
    assert not scopes.covers("read_only", "read_write")
    assert not scopes.covers("read_events", "nope")


@pytest.mark.parametrize("scope", scopes.KNOWN)
def test_every_scope_has_words_with_the_application_as_subject(scope: str) -> None:
    said = scopes.sentences(scope, "Acme {Scheduling}")

    assert said
    assert all(
        sentence.startswith(("Acme {Scheduling} can ", "Acme {Scheduling} may "))
        for sentence in said
    )
    assert all(sentence.count(". ") == 1 and sentence.endswith(".") for sentence in said)


def test_weaker_sentence_is_left_out_beside_a_stronger_one() -> None:
    said = scopes.sentences("read_events read_free_busy list_calendars", "Acme")

    assert 1 == len(said)
    assert "titles, places and guests" in said[0]


def test_reading_free_busy_says_what_stays_hidden() -> None:
    said = scopes.sentences("read_free_busy", "Acme")

    assert "Acme can see when you are busy. It cannot see titles, places or guests." == said[0]


def test_sentences_are_translated_before_the_name_goes_in() -> None:
    said = scopes.sentences(
        "read_account", "Acme", lambda text: f"<{text.partition(' ')[0]}> kann das"
    )

    assert ["<Acme> kann das"] == said
