"""What is answered while the database cannot be reached: wait and come back, nobody is at fault."""

from __future__ import annotations

import html
from pathlib import Path
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from app import create_app
from tests.fake_redis import fake_redis
from tests.world import BROKER, make_settings

OWN = {"client_id": "cli_acme", "client_secret": "CRN_secret"}


@pytest.fixture
def browser(tmp_path: Path) -> FlaskClient:
    """Somebody at a broker whose database is not there."""
    url = f"sqlite:///{tmp_path / 'nowhere' / 'broker.db'}"
    app = create_app(make_settings(tmp_path, database_url=url), redis=fake_redis())
    return app.test_client()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/oauth/token", {"grant_type": "refresh_token", "refresh_token": "x"}),
        ("/oauth/token", {"grant_type": "authorization_code", "code": "x"}),
        ("/oauth/token/revoke", {"token": "x"}),
        ("/oauth/revoke", {"token": "x"}),
        ("/oauth/introspect", {"token": "x"}),
    ],
)
def test_token_endpoints_ask_to_come_back(
    browser: FlaskClient, path: str, body: dict[str, str]
) -> None:
    answer = browser.post(path, json=OWN | body, base_url=BROKER)

    assert (answer.status_code, answer.json) == (503, {"error": "temporarily_unavailable"})
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_person_sees_a_page(browser: FlaskClient) -> None:
    query = {"response_type": "code", "client_id": "cli_acme", "redirect_uri": "https://a.test/"}

    answer = browser.get("/oauth/authorize", query_string=query, base_url=BROKER)

    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "We have to pause for a moment" in answer.text
    assert int(answer.headers["Retry-After"]) > 0
    again = html.unescape(answer.text.partition('class="main" href="')[2].partition('"')[0])
    assert again == "/oauth/authorize?" + urlencode(query, safe="/:")


@pytest.mark.parametrize("place", ["google", "cancel"])
def test_what_was_sent_in_vain_leads_back_to_its_page(browser: FlaskClient, place: str) -> None:
    answer = browser.post(f"/connect/handle/{place}", base_url=BROKER)

    assert answer.status_code == 503
    assert f'class="main" href="/connect/handle/{place}"' in answer.text
