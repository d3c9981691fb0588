"""The partner application against a broker that answers from memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sandbox import google
from sandbox.app import Config, create_site
from sandbox.partner import agenda
from sandbox.partner.broker import Away, Broker
from sandbox.partner.store import Store
from sandbox.partner.views import PROVIDERS
from tests.sandbox.fake_broker import ACCESS, REFRESH, URL, FakeBroker, event
from tests.world import World
from tests.wsgi_adapter import WsgiAdapter

TODAY = datetime.now(ZoneInfo("Europe/Berlin")).date()


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
def site(broker: FakeBroker, tmp_path: Path) -> Iterator[Flask]:
    with requests.Session() as http:
        http.mount(URL, WsgiAdapter(broker.app))
        yield create_site(Config(tmp_path, broker_url=URL), google.create_app(), http=http)


@pytest.fixture
def browser(site: Flask) -> FlaskClient:
    client = site.test_client()
    return client


def leave(browser: FlaskClient, **form: str) -> dict[str, str]:
    """Press the button and give the query of the address that it leads to."""
    answer = browser.post("/connect", data=form)
    assert 303 == answer.status_code
    assert answer.location.startswith(f"{URL}/oauth/authorize?")
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.location).query).items()}


def come_back(browser: FlaskClient, query: dict[str, str], **changes: str) -> TestResponse:
    back = {"code": "the-code", "state": query["state"], "iss": URL} | changes
    return browser.get("/callback", query_string={k: v for k, v in back.items() if v})


def connected(browser: FlaskClient, broker: FakeBroker) -> None:
    query = leave(browser)
    broker.challenge = query["code_challenge"]
    assert "/account" == come_back(browser, query).location


def test_front_page_has_one_form_that_connects(browser: FlaskClient) -> None:
    page = browser.get("/").text

    assert '<form method="post" action="/connect"' in page
    assert "Connect your calendar" in page
    assert "ada@calbroker.test" in page


def test_button_leads_to_the_broker_with_pkce(browser: FlaskClient) -> None:
    query = leave(browser, provider_name="google", locale="de", avoid_linking="1")

    assert "code" == query["response_type"]
    assert "sandbox-app" == query["client_id"]
    assert "http://localhost/callback" == query["redirect_uri"]
    assert "read_account list_calendars read_events read_free_busy" == query["scope"]
    assert ("S256", 43) == (query["code_challenge_method"], len(query["code_challenge"]))
    assert ("google", "de", "true") == (
        query["provider_name"],
        query["locale"],
        query["avoid_linking"],
    )


def test_options_left_alone_are_not_sent(browser: FlaskClient) -> None:
    assert not {"provider_name", "locale", "avoid_linking"} & leave(browser, locale="").keys()


def test_code_is_exchanged_with_a_json_body(browser: FlaskClient, broker: FakeBroker) -> None:
    connected(browser, broker)

    sent = broker.exchanged[0]
    assert "http://localhost/callback" == sent["redirect_uri"]
    assert "sandbox-secret-for-local-use-only" == sent["client_secret"]


@pytest.mark.parametrize("changes", [{"state": "forged"}, {"state": ""}])
def test_callback_of_another_attempt_is_refused(
    browser: FlaskClient, broker: FakeBroker, changes: dict[str, str]
) -> None:
    answer = come_back(browser, leave(browser), **changes)

    assert 400 == answer.status_code
    assert "already used" in answer.text
    assert [] == broker.exchanged


def test_callback_in_another_browser_is_refused(browser: FlaskClient, site: Flask) -> None:
    query = leave(browser)
    other = site.test_client()

    assert 400 == come_back(other, query).status_code


def test_callback_works_once(browser: FlaskClient, broker: FakeBroker) -> None:
    query = leave(browser)
    broker.challenge = query["code_challenge"]
    come_back(browser, query)

    assert 400 == come_back(browser, query).status_code
    assert 1 == len(broker.exchanged)


@pytest.mark.parametrize("issuer", ["", "http://evil.test", f"{URL}/"])
def test_answer_of_another_issuer_is_refused(
    browser: FlaskClient, broker: FakeBroker, issuer: str
) -> None:
    answer = come_back(browser, leave(browser), iss=issuer)

    assert 400 == answer.status_code
    assert "came from somewhere else" in answer.text
    assert [] == broker.exchanged


def test_person_who_said_no_is_met_kindly(browser: FlaskClient) -> None:
    answer = come_back(browser, leave(browser), code="", error="access_denied")

    assert 200 == answer.status_code
    assert "Nothing was shared" in answer.text
    assert "Connect your calendar" in answer.text


def test_other_errors_show_their_code_as_text(browser: FlaskClient) -> None:
    answer = come_back(
        browser, leave(browser), error="server_error", error_description="<b>later</b>"
    )

    assert "server_error: &lt;b&gt;later&lt;/b&gt;" in answer.text


def test_refused_code_is_explained(browser: FlaskClient, broker: FakeBroker) -> None:
    answer = come_back(browser, leave(browser), code="another")

    assert 502 == answer.status_code
    assert "invalid_grant" in answer.text


def test_account_shows_what_arrived_and_no_token(browser: FlaskClient, broker: FakeBroker) -> None:
    broker.events = [
        [
            event(
                "Stand-up",
                f"{TODAY + timedelta(days=1)}T08:00:00Z",
                f"{TODAY + timedelta(days=1)}T08:15:00Z",
            )
        ],
        [event("Holiday", str(TODAY + timedelta(days=2)), str(TODAY + timedelta(days=4)))],
    ]
    connected(browser, broker)

    page = browser.get("/account").text

    for shown in ("Ada Lovelace", "Stand-up", "Holiday", "Work &amp; play", "tentative", "all day"):
        assert shown in page
    assert f"{ACCESS[:4]}…" in page
    for secret in (ACCESS, REFRESH):
        assert secret not in page
    assert "http-equiv" not in page
    assert ("Europe/Berlin", str(TODAY), str(TODAY + timedelta(days=14))) == (
        broker.queries[0]["tzid"],
        broker.queries[0]["from"],
        broker.queries[0]["to"],
    )


def test_account_reads_again_while_the_first_sync_runs(
    browser: FlaskClient, broker: FakeBroker
) -> None:
    connected(browser, broker)
    broker.profile["profile_initial_sync_required"] = True

    page = browser.get("/account").text

    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page
    assert "on their way" in page


def test_account_reads_again_when_asked(browser: FlaskClient, broker: FakeBroker) -> None:
    connected(browser, broker)

    assert "http-equiv" in browser.get("/account?live=1").text


def test_disconnected_service_offers_its_relink(browser: FlaskClient, broker: FakeBroker) -> None:
    connected(browser, broker)
    broker.profile |= {"profile_connected": False, "profile_relink_url": f"{URL}/relink/google"}

    page = browser.get("/account").text

    assert f'href="{URL}/relink/google"' in page
    assert "disconnected" in page


def test_expired_access_token_is_refreshed_once(browser: FlaskClient, broker: FakeBroker) -> None:
    connected(browser, broker)
    broker.live_token = "another"

    assert "Ada Lovelace" in browser.get("/account").text
    assert ["authorization_code", "refresh_token"] == [b["grant_type"] for b in broker.exchanged]


def test_lost_grant_asks_the_person_to_authorize_again(
    browser: FlaskClient, broker: FakeBroker
) -> None:
    connected(browser, broker)
    broker.live_token, broker.refusal = "another", ("invalid_grant", 400)

    assert "Please authorize again" in browser.get("/account").text
    assert "/" == browser.get("/account").location


def test_broker_error_on_refresh_keeps_the_tokens(browser: FlaskClient, broker: FakeBroker) -> None:
    connected(browser, broker)
    broker.refusal = ("temporarily_unavailable", 503)

    assert 502 == browser.post("/account/refresh").status_code

    broker.refusal = None
    assert 303 == browser.post("/account/refresh").status_code


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/v1/events", 403, "did not give Acme this permission"),
        ("/v1/free_busy", 429, "asked too often"),
        ("/v1/calendars", 503, "has a problem just now (503)"),
    ],
)
def test_part_that_cannot_be_read_says_why(
    browser: FlaskClient, broker: FakeBroker, path: str, status: int, words: str
) -> None:
    connected(browser, broker)
    broker.missing[path] = status

    page = browser.get("/account")

    assert 200 == page.status_code
    assert words in page.text
    assert "Ada Lovelace" in page.text


def test_disconnect_gives_everything_back(browser: FlaskClient, broker: FakeBroker) -> None:
    connected(browser, broker)

    assert "You are disconnected" in browser.post("/account/disconnect").text
    assert ["pro_1", REFRESH] == broker.revoked
    assert "/" == browser.get("/account").location


def test_broker_that_is_away_is_said_so(
    browser: FlaskClient, broker: FakeBroker, site: Flask
) -> None:
    connected(browser, broker)
    site.extensions["partner_broker"] = Unreachable(URL, "id", "secret")

    answer = browser.get("/account")

    assert 502 == answer.status_code
    assert "does not answer" in answer.text


class Unreachable(Broker):
    """A broker whose machine is off."""

    def get(
        self, path: str, access_token: str, params: dict[str, str] | None = None
    ) -> dict[str, object]:
        raise Away


def test_every_account_that_was_connected_stays_in_view(
    browser: FlaskClient, broker: FakeBroker
) -> None:
    connected(browser, broker)
    broker.sub = "acc_2"
    broker.profile |= {"profile_name": "ada@dav.test", "provider_name": "caldav"}
    connected(browser, broker)

    page = browser.get("/account").text

    assert 'of=acc_1"><bdi>ada@calbroker.test · google</bdi>' in page
    assert 'of=acc_2" aria-current="page"><bdi>ada@dav.test · caldav</bdi>' in page
    assert "<code>acc_1</code>" in browser.get("/account?of=acc_1").text
    assert "<code>acc_1</code>" in browser.get("/account?of=acc_9").text
    browser.post("/account/disconnect")
    left = browser.get("/account").text
    assert "<code>acc_2</code>" in left
    assert "acc_1" not in left


def test_every_service_on_offer_can_be_connected_there(world: World) -> None:
    offered = {provider.provider_name for provider in world.runtime.providers.values()}

    assert set(PROVIDERS) - {""} <= offered


def test_tokens_of_an_older_version_are_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "partner.json"
    old = {"attempts": {}, "tokens": {"sub": "acc_1", "access_token": "x"}}
    path.write_text(json.dumps({"secret_key": "k", "visitors": {"v": old, "w": {"tokens": None}}}))

    store = Store(path)

    assert store.tokens("v") == old["tokens"]
    assert store.tokens("w") is None


def test_tokens_survive_a_restart_in_a_private_file(
    browser: FlaskClient, broker: FakeBroker, tmp_path: Path
) -> None:
    connected(browser, broker)
    path = tmp_path / "partner.json"

    with requests.Session() as http:
        http.mount(URL, WsgiAdapter(broker.app))
        again = create_site(Config(tmp_path, broker_url=URL), google.create_app(), http=http)
        client = again.test_client()
        cookie = browser.get_cookie("acme_scheduling", domain="localhost")
        assert cookie is not None
        client.set_cookie("acme_scheduling", cookie.value, domain="localhost")

        assert "Ada Lovelace" in client.get("/account").text
    assert 0o600 == path.stat().st_mode & 0o777


@pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://localhost:5000"])
def test_form_of_another_site_is_refused(browser: FlaskClient, origin: str) -> None:
    assert 403 == browser.post("/connect", headers={"Origin": origin}).status_code


def test_own_form_is_taken(browser: FlaskClient) -> None:
    own = browser.post("/connect", headers={"Origin": "http://localhost"})

    assert 303 == own.status_code


def test_foreign_host_name_is_refused(browser: FlaskClient) -> None:
    assert 400 == browser.get("/", headers={"Host": "evil.test"}).status_code


def test_token_is_not_sent_to_a_foreign_next_page(broker: FakeBroker) -> None:
    with requests.Session() as http:
        http.mount(URL, WsgiAdapter(broker.app))
        client = Broker(URL, "id", "secret", http)
        broker.app.view_functions["/v1/events"] = lambda: {
            "pages": {"current": 1, "total": 2, "next_page": "http://evil.test/v1/events/pages/2"},
            "events": [event("One", str(TODAY), str(TODAY))],
        }

        assert 1 == len(client.pages("/v1/events", "events", ACCESS, {}))


BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 6, 1)


def listed(*events: dict[str, object]) -> list[tuple[str, str, str]]:
    return [
        (str(day.on), entry.when, entry.summary)
        for day in agenda.days(events, {"cal_1": "Work"}, BERLIN, MONDAY)
        for entry in day.entries
    ]


@pytest.mark.parametrize(
    ("start", "end", "on", "when"),
    [
        ("2026-06-02T07:00:00Z", "2026-06-02T08:30:00Z", "2026-06-02", "09:00 – 10:30"),
        ("2026-06-02T22:30:00Z", "2026-06-02T23:00:00Z", "2026-06-03", "00:30 – 01:00"),
        ("2026-06-02T20:00:00Z", "2026-06-03T06:00:00Z", "2026-06-02", "22:00 – Wed 3 Jun 08:00"),
        ("2026-05-30T20:00:00Z", "2026-06-01T06:00:00Z", "2026-06-01", "since Sat 30 May – 08:00"),
        ("2026-06-02", "2026-06-03", "2026-06-02", "all day"),
        ("2026-06-02", "2026-06-02", "2026-06-02", "all day"),
        ("2026-06-02", "2026-06-05", "2026-06-02", "all day, until Thu 4 Jun"),
        ("2026-05-30", "2026-06-02", "2026-06-01", "all day"),
    ],
)
def test_event_stands_on_its_day(start: str, end: str, on: str, when: str) -> None:
    assert [(on, when, "Visit")] == listed(event("Visit", start, end))


def test_day_is_in_order_without_deleted_events() -> None:
    assert ["Holiday", "Early", "Late"] == [
        row[2]
        for row in listed(
            event("Late", "2026-06-02T15:00:00Z", "2026-06-02T16:00:00Z"),
            event("Gone", "2026-06-02T15:00:00Z", "2026-06-02T16:00:00Z", deleted=True),
            event("Early", "2026-06-02T05:00:00Z", "2026-06-02T06:00:00Z"),
            event("Holiday", "2026-06-02", "2026-06-03"),
        )
    ]
