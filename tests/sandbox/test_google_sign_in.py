"""The pages of the sandbox's Google, and what comes back to the client."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from sandbox.google import create_app
from sandbox.google.driver import Visitor, callback
from sandbox.google.scopes import EMAIL, PREFIX

ADA, GRACE = "ada@calbroker.test", "grace@calbroker.test"
TWO_BOXES = f"openid email {PREFIX}calendar.events {PREFIX}calendar.calendarlist.readonly"


@pytest.fixture
def app():
    return create_app(now=lambda: datetime(2026, 11, 21, 12, tzinfo=UTC))


@pytest.fixture
def visitor(app):
    return Visitor(app)


def test_chooser_lists_everybody_and_prefills_the_hint(visitor):
    page = visitor.open(login_hint=GRACE)

    assert 200 == page.status_code
    assert "Ada Lovelace" in page.text
    assert re.search(f'name="email"[^>]*value="{GRACE}"', page.text)


def test_account_button_asks_for_the_password_of_that_account(visitor):
    page = visitor.client.post(
        "/o/oauth2/v2/auth", query_string=visitor.query(), data={"account": GRACE}
    )

    assert re.search(f'name="email"[^>]*value="{GRACE}"', page.text)


def test_wrong_password_stays_on_the_page_and_says_so(visitor):
    page = visitor.sign_in(ADA, "wrong")

    assert 200 == page.status_code
    assert 'role="alert"' in page.text


def test_consent_has_an_unticked_box_for_each_scope_that_is_not_for_signing_in(visitor):
    page = visitor.sign_in(ADA, scope=TWO_BOXES)

    assert [f"{PREFIX}calendar.events", f"{PREFIX}calendar.calendarlist.readonly"] == re.findall(
        r'type="checkbox" name="scope" value="([^"]+)"', page.text
    )
    assert "checked" not in page.text
    assert "View and edit events on all your calendars" in page.text


def test_a_single_scope_without_sign_in_is_a_plain_yes_or_no(visitor):
    page = visitor.sign_in(ADA, scope=f"{PREFIX}calendar.events")
    answer = callback(visitor.decide(page, {"allow": "1"}, scope=f"{PREFIX}calendar.events"))

    assert "checkbox" not in page.text
    assert f"{PREFIX}calendar.events" == answer["scope"]


def test_only_ticked_boxes_are_granted(visitor):
    page = visitor.sign_in(ADA, scope=TWO_BOXES)
    form = {"scope": [f"{PREFIX}calendar.events"], "allow": "1"}
    answer = callback(visitor.decide(page, form, scope=TWO_BOXES))

    assert {"openid", EMAIL, f"{PREFIX}calendar.events"} == set(answer["scope"].split())


def test_allow_all_grants_everything_without_a_script(visitor):
    page = visitor.sign_in(ADA, scope=TWO_BOXES)
    answer = callback(visitor.decide(page, {"grant_all": "1"}, scope=TWO_BOXES))

    assert 4 == len(answer["scope"].split())
    assert "some-state" == answer["state"]
    assert "https://accounts.google.com" == answer["iss"]


def test_cancel_comes_back_with_access_denied(visitor):
    page = visitor.sign_in(ADA)
    answer = callback(visitor.decide(page, {"cancel": "1"}))

    assert {"error": "access_denied", "state": "some-state"} == answer


def test_consent_of_another_request_is_refused(visitor):
    page = visitor.sign_in(ADA, scope="openid")
    answer = visitor.decide(page, {"grant_all": "1"}, scope=TWO_BOXES)

    assert 400 == answer.status_code


def test_workspace_domain_is_in_the_callback_of_its_people_only(visitor):
    assert "calbroker.test" == visitor.auto(GRACE)["hd"]
    assert "hd" not in visitor.auto(ADA)


def test_order_of_callback_parameters_varies(visitor):
    orders = {tuple(visitor.auto(ADA)) for _ in range(8)}

    assert len(orders) > 1


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"client_id": None}, 400, "invalid_request"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"redirect_uri": "http://127.0.0.1:5000/connect/google/callback/"}, 400, "mismatch"),
        ({"redirect_uri": "http://127.0.0.1:5000/connect/google/Callback"}, 400, "mismatch"),
        ({"redirect_uri": "https://127.0.0.1:5000/connect/google/callback"}, 400, "mismatch"),
        ({"redirect_uri": "http://evil.test/connect/google/callback"}, 400, "mismatch"),
        ({"redirect_uri": "http://127.0.0.1:5000/connect/google/callback?a=1"}, 400, "mismatch"),
        ({"response_type": "token"}, 400, "unsupported_response_type"),
        ({"scope": f"{PREFIX}calendar.typo"}, 400, "invalid_scope"),
        ({"prompt": "none consent"}, 400, "invalid_request"),
        ({"access_type": "sometimes"}, 400, "invalid_request"),
        ({"code_challenge": "short"}, 400, "invalid_request"),
        ({"code_challenge_method": "S512", "code_challenge": "x" * 43}, 400, "invalid_request"),
    ],
)
def test_bad_request_is_drawn_here_and_never_redirects(visitor, changes, status, code):
    page = visitor.open(**changes)

    assert status == page.status_code
    assert f"Error {status}: " in page.text
    assert code in page.text


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost:8080", "localhost", "[::1]:5000"])
def test_any_loopback_port_is_registered(visitor, host):
    page = visitor.open(redirect_uri=f"http://{host}/connect/google/callback")

    assert 200 == page.status_code


def test_second_visit_without_prompt_goes_straight_back(visitor):
    visitor.decide(visitor.sign_in(ADA), {"grant_all": "1"})

    answer = visitor.open(prompt=None)

    assert 302 == answer.status_code
    assert "code" in callback(answer)


def test_second_visit_with_prompt_shows_both_pages(visitor):
    visitor.decide(visitor.sign_in(ADA), {"grant_all": "1"})

    assert "Choose an account" in visitor.open().text
    assert "wants access" in visitor.sign_in(ADA).text


def test_prompt_none_says_what_stands_in_the_way(visitor):
    assert "login_required" == callback(visitor.open(prompt="none"))["error"]
    visitor.sign_in(ADA)
    assert "consent_required" == callback(visitor.open(prompt="none"))["error"]
    visitor.decide(visitor.sign_in(ADA), {"grant_all": "1"})
    assert "code" in callback(visitor.open(prompt="none"))


def test_automatic_mode_grants_what_is_named_or_refuses(visitor):
    some = visitor.auto(ADA, scope=TWO_BOXES, _grant=f"{PREFIX}calendar.events")
    none = visitor.auto(ADA, scope=TWO_BOXES, _grant="")
    refused = callback(visitor.open(_error="access_denied"))

    assert {"openid", EMAIL, f"{PREFIX}calendar.events"} == set(some["scope"].split())
    assert {"openid", EMAIL} == set(none["scope"].split())
    assert "access_denied" == refused["error"]


def test_earlier_grants_are_merged_only_when_asked(visitor):
    visitor.auto(ADA, scope=f"openid {PREFIX}calendar.events")
    freebusy = f"openid {PREFIX}calendar.freebusy"

    alone = visitor.auto(ADA, scope=freebusy)
    merged = visitor.auto(ADA, scope=freebusy, include_granted_scopes="true")

    assert f"{PREFIX}calendar.events" not in alone["scope"]
    assert f"{PREFIX}calendar.events" in merged["scope"]


def test_blocked_by_an_administrator_never_redirects(app, visitor):
    app.extensions["faults"].set(GRACE, "needs_admin_approval", 1)

    page = visitor.sign_in(GRACE)

    assert 400 == page.status_code
    assert "Error 400: admin_policy_enforced" in page.text
    assert 200 == visitor.sign_in(GRACE).status_code


def test_consent_page_has_an_address_that_can_be_loaded_again(visitor):
    """Whoever comes back to it from the application is not asked to send a form anew."""
    answer = visitor.client.post(
        "/o/oauth2/v2/auth",
        query_string=visitor.query(),
        data={"email": ADA, "password": "sandbox"},
    )

    assert 303 == answer.status_code
    for _time in range(2):
        assert "wants access" in visitor.client.get("/o/oauth2/v2/auth" + answer.location).text
