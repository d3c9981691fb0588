"""The sandbox's page: its switches, from buttons and from programs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import Client

from sandbox import google, icloud
from sandbox.app import Config, create_app, create_site

ADA = "ada@calbroker.test"


@pytest.fixture
def google_app() -> Flask:
    return google.create_app()


@pytest.fixture
def browser(google_app: Flask, tmp_path: Path) -> FlaskClient:
    client = create_site(Config(tmp_path), google_app).test_client()
    return client


def active(browser: FlaskClient) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = browser.get("/scenarios").get_json()["active"]
    return answer


def test_fault_is_switched_on_and_off_by_a_program(browser: FlaskClient, google_app: Flask) -> None:
    scenario = {"provider": "google", "person": ADA, "fault": "throttled_429", "times": 3}

    assert 200 == browser.post("/scenarios", json=scenario).status_code
    assert [scenario] == active(browser)
    assert google_app.extensions["faults"].take(ADA, "throttled_429")

    answer = browser.delete("/scenarios")
    assert (200, {}) == (answer.status_code, answer.get_json())
    assert [] == active(browser)


def test_fault_without_person_and_times_is_for_everybody_until_cleared(
    browser: FlaskClient,
) -> None:
    browser.post("/scenarios", json={"provider": "google", "fault": "slow", "seconds": 0.5})

    assert [
        {"provider": "google", "person": None, "fault": "slow", "times": None, "seconds": 0.5}
    ] == active(browser)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"provider": "yahoo"}, "provider must be one of google"),
        ({"person": "eve@calbroker.test"}, "ada@calbroker.test, alan@calbroker.test"),
        ({"fault": "earthquake"}, "expired_sync_token"),
        ({"fault": None}, "fault must be one of"),
        ({"times": 0}, "whole number from 1"),
        ({"times": True}, "whole number from 1"),
        ({"seconds": "long"}, "seconds must be a number"),
        ({"colour": "red"}, "unknown: colour"),
    ],
)
def test_unknown_scenario_says_what_is_allowed(
    browser: FlaskClient, change: dict[str, Any], words: str
) -> None:
    scenario = {"provider": "google", "person": ADA, "fault": "slow"} | change

    answer = browser.post("/scenarios", json=scenario)

    assert 400 == answer.status_code
    assert words in answer.get_json()["error"]
    assert [] == active(browser)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null"])
def test_body_that_is_no_object_is_refused(browser: FlaskClient, body: bytes) -> None:
    answer = browser.post("/scenarios", data=body, content_type="application/json")

    assert 400 == answer.status_code
    assert "JSON object" in answer.get_json()["error"]


def test_buttons_do_the_same(browser: FlaskClient) -> None:
    form = {"provider": "google", "person": "", "times": "2", "fault": "slow"}

    assert "/sandbox" == browser.post("/scenarios", data=form).location
    assert ("slow", None, 2) == tuple(active(browser)[0][k] for k in ("fault", "person", "times"))
    assert "for\n    everybody, 2 more times" in browser.get("/sandbox").text

    assert "/sandbox" == browser.post("/scenarios/clear").location
    assert [] == active(browser)


def test_wrong_form_is_answered_on_the_page(browser: FlaskClient) -> None:
    answer = browser.post(
        "/scenarios", data={"provider": "google", "fault": "slow", "times": "many"}
    )

    assert 400 == answer.status_code
    assert "times must be a whole number" in answer.text


@pytest.mark.parametrize("path", ["/", "/sandbox"])
def test_pages_list_people_faults_and_seeds(browser: FlaskClient, path: str) -> None:
    page = browser.get(path).text

    assert ADA in page
    assert all(name in page for name in google.FAULTS)
    assert "http://localhost/scenarios" in page
    assert "http://localhost/google/seed" in page


@pytest.mark.parametrize("path", ["/", "/sandbox"])
def test_pages_name_the_seed_of_every_stand_in(
    google_app: Flask, tmp_path: Path, path: str
) -> None:
    site = create_site(Config(tmp_path), google_app, icloud.create_app())

    page = site.test_client().get(path).text

    for name, person in (("google", ADA), ("icloud", "ada@icloud.calbroker.test")):
        assert f'POST http://localhost/{name}/seed   {{"person": "{person}"' in page


def test_seed_form_adds_events(browser: FlaskClient, google_app: Flask) -> None:
    handle = google_app.extensions["google"].person(ADA)
    before = len(handle.events())

    assert 303 == browser.post("/sandbox/seed", data={"person": ADA, "events": "5"}).status_code
    assert before + 5 == len(handle.events())


def test_seed_form_with_nonsense_is_explained(browser: FlaskClient) -> None:
    answer = browser.post("/sandbox/seed", data={"person": ADA, "events": "some"})

    assert 400 == answer.status_code
    assert "whole number" in answer.text


def test_everything_is_one_application(tmp_path: Path) -> None:
    """The partner at /, Google at /google, with state in the folder."""
    client = Client(create_app(Config(tmp_path / "sandbox")))
    host = {"HTTP_HOST": "127.0.0.1:5050"}

    assert "Acme Scheduling" in client.get("/", environ_overrides=host).text
    assert {"status": "ok"} == client.get("/health", environ_overrides=host).json
    assert ADA in client.get("/google/", environ_overrides=host).text
    seeded = client.post("/google/seed", json={"person": ADA, "events": 2})
    assert 2 == seeded.json["added"]
    assert "keys" in client.get("/google/oauth2/v3/certs").json


def test_pages_run_no_foreign_script(browser: FlaskClient) -> None:
    policy = browser.get("/sandbox").headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_every_link_of_the_front_page_leads_somewhere(tmp_path: Path) -> None:
    client = Client(create_app(Config(tmp_path)))
    links = re.findall(r'href="(/[^"]*)"', client.get("/").text)

    assert {"/google/", "/icloud/"} <= set(links)
    for link in links:
        answer = client.get(link, follow_redirects=True)
        assert answer.status_code == 200, link
        answer.close()
