"""The connection doctor on the page: which step failed, and a text for those who help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask

from broker.services.connection_doctor import Diagnosis, Finding, StepName, StepState
from broker.web import doctor
from broker.web.words import REASONS
from tests.browser.showcase import FAILURES, PASSWORD, diagnosed, make_app
from tests.web.rendering import asked, filled, password

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def app() -> Flask:
    return make_app()


@pytest.fixture
def request_context() -> Iterator[None]:
    with asked():
        yield


def shown(diagnosis: Diagnosis, reason: str = "address_unreachable", **values: object) -> str:
    form = filled(url="https://dav.example", username="ada", password=PASSWORD)
    return password(form, problem=reason, diagnosis=diagnosis, **values)


def steps_of(page: str) -> list[tuple[str, str]]:
    """Read the list of steps: each one's state, and what is said of it."""
    rows = re.findall(r'<li class="(\w+)">.*?<span class="state">(.*?)</span>', page, re.DOTALL)
    return [(str(state), str(said)) for state, said in rows]


@pytest.mark.parametrize(("failed", "reason"), FAILURES.items())
def test_the_step_that_failed_is_named_and_the_others_say_how_they_went(
    request_context: None, failed: StepName, reason: str
) -> None:
    page = shown(diagnosed(reason, failed), reason)

    number = [one.step for one in diagnosed(reason, failed).findings].index(failed)
    summary = f"Stopped at step {number + 1} of 7: {doctor.STEPS[failed]}"
    is_open = "" if failed in {StepName.ADDRESS, StepName.LOGIN} else " open"
    assert re.search(rf'<details class="steps"{is_open}>\s*<summary>{summary}</summary>', page)
    assert steps_of(page) == [
        *[("ok", "done")] * number,
        ("failed", "failed"),
        *[("not_reached", "not tried")] * (6 - number),
    ]


def test_a_server_that_was_found_on_the_way_is_named(request_context: None) -> None:
    page = shown(diagnosed("certificate_expired", StepName.TLS), "certificate_expired")

    steps = page[page.index('class="steps"') : page.index("<h1>")]
    assert re.findall('<bdi dir="ltr">(.*?)</bdi>', steps) == [
        "dav.example",
        "calendars.dav-hosting.example",
    ]


def test_there_is_a_text_to_hand_on(request_context: None) -> None:
    found = diagnosed("address_unreachable", StepName.TCP)

    page = shown(found, facts={"reference": "att_1", "time": "other", "client_id": ""})

    facts = dict(re.findall(r'<dt>(.*?)</dt><dd><bdi dir="ltr">(.*?)</bdi></dd>', page))
    assert facts == {
        "Code": "K7Q2-9F3M",
        "Time": "2026-05-04 09:30:12Z",
        "Reference": "att_1",
        "Reason": "address_unreachable",
        "Calendar service": "caldav",
        "Address": "done · dav.example",
        "DNS": "done · calendars.dav-hosting.example",
        "TCP": "failed · calendars.dav-hosting.example",
        "TLS": "not tried",
        "Discovery": "not tried",
        "Sign-in": "not tried",
        "Calendars": "not tried",
    }
    assert "For your provider or IT department" in page
    assert list(facts)[:4] == ["Code", "Reason", "Time", "Calendar service"]
    assert 'data-copy="facts"' in page


def test_times_are_given_where_they_are_known(request_context: None) -> None:
    page = shown(diagnosed("login_rejected", StepName.LOGIN), "login_rejected")

    assert "done · calendars.dav-hosting.example · 17 ms" in page


def test_nothing_secret_is_on_the_page(request_context: None) -> None:
    page = shown(diagnosed("login_rejected", StepName.LOGIN), "login_rejected")

    assert PASSWORD not in page
    assert "Basic" not in page


def test_a_host_is_only_text(request_context: None) -> None:
    findings = (
        Finding(StepName.ADDRESS, StepState.OK, HOSTILE),
        Finding(StepName.DNS, StepState.FAILED, HOSTILE),
    )
    page = shown(Diagnosis("K7Q2-9F3M", datetime(2026, 1, 1, tzinfo=UTC), "caldav", "x", findings))

    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "Stopped at step 2 of 2" in page


@pytest.mark.parametrize("reason", ["app_password_shape", "paused_after_refusals"])
def test_where_nothing_was_tried_there_are_no_steps_but_a_code(
    request_context: None, reason: str
) -> None:
    page = shown(diagnosed(reason, StepName.LOGIN), reason)

    assert 'class="steps"' not in page
    assert "K7Q2-9F3M" in page


def test_without_a_diagnosis_there_are_no_steps(request_context: None) -> None:
    page = password(filled(url="x", username="a", password="b"), problem="login_rejected")

    assert 'class="steps"' not in page
    assert doctor.checkup(None) is None
    every = tuple(Finding(step, StepState.OK) for step in StepName)
    fine = Diagnosis("K7Q2-9F3M", datetime(2026, 1, 1, tzinfo=UTC), "caldav", None, every)
    assert doctor.checkup(fine) is None


@pytest.mark.parametrize("locale", ["de", "ar"])
def test_steps_are_told_in_the_persons_language(locale: str) -> None:
    with asked(f"/?locale={locale}"):
        page = shown(diagnosed("address_unreachable", StepName.TCP))

    assert not {said for _, said in steps_of(page)} & {"done", "failed", "not tried"}
    assert "Stopped at" not in page


@pytest.mark.parametrize(
    "code",
    [
        "app_password_shape",
        "apple_login_rejected",
        "name_not_found",
        "certificate_wrong_name",
        "certificate_expired",
        "certificate_untrusted",
        "address_unreachable",
        "not_https",
        "redirect_refused",
        "paused_after_refusals",
        "calendar_off",
        "use_icloud",
        "use_google",
        "use_microsoft",
    ],
)
def test_there_are_words_for_every_reason_of_a_typed_login(code: str) -> None:
    assert code in REASONS
