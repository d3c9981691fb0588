"""A person connects Google through the broker, and the partner reads what stays fresh."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults import Faulty, status
from tests.flows.test_cookies import retry
from tests.world import ADA, BROKER, GOOGLE, GRACE, REDIRECT, World, csrf, form_action, query_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

BLOCKED = "admin_policy_enforced"


def test_a_person_connects_and_the_partner_reads_events(world: World) -> None:
    back = world.connect(ADA)

    assert back.startswith(REDIRECT + "?")
    assert query_of(back)["state"] == "partner-state"
    assert query_of(back)["iss"] == world.settings.public_url
    tokens = world.exchange(back)
    world.work()
    profile = world.profile(tokens)
    assert profile["profile_connected"] is True
    assert profile["profile_initial_sync_required"] is False
    assert profile["profile_name"] == ADA
    assert len(world.get(tokens, "/v1/calendars").get_json()["calendars"]) >= 3
    assert len(world.events(tokens)) > 20


def test_a_change_at_google_shows_up_by_itself(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()
    assert world.work() == 0
    event = world.state.person(ADA).create_event(
        summary="Dentist",
        start={"dateTime": "2026-03-12T09:00:00Z"},
        end={"dateTime": "2026-03-12T09:30:00Z"},
    )

    world.work()

    assert "Dentist" in {found["summary"] for found in world.events(tokens)}
    assert event["id"]


def test_polling_finds_what_push_missed(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()
    world.faults.set(ADA, "lost_push")
    world.state.person(ADA).create_event(
        summary="Dentist",
        start={"dateTime": "2026-03-12T09:00:00Z"},
        end={"dateTime": "2026-03-12T09:30:00Z"},
    )

    world.clock.advance(hours=1)
    world.work()

    assert "Dentist" in {found["summary"] for found in world.events(world.renew(tokens))}


# -- the way there


def test_the_chooser_names_the_application_and_shares_nothing_yet(world: World) -> None:
    """B5: whoever asks is named before anything happens."""
    page = world.open(world.browser())

    assert page.status_code == 200
    assert "Acme Scheduling" in page.text
    assert "Google" in page.text
    assert "CalDAV" in page.text
    assert world.calls() == 0


def test_the_page_before_google_names_the_application_and_what_it_may_do(world: World) -> None:
    """B5."""
    page = world.open(world.browser(), provider_name="google")

    assert page.status_code == 200
    assert page.text.count("Acme Scheduling") >= 2
    assert "events" in page.text


def test_a_row_of_the_chooser_leads_to_its_provider(world: World) -> None:
    browser = world.browser()
    chooser = world.open(browser)
    row = re.search(r'href="([^"]+/google[^"]*)"', chooser.text)
    assert row is not None

    page = browser.get(row.group(1))

    assert form_action(page).endswith("/google")


@pytest.mark.parametrize("name", ["office365", "no-such", "google/../x", "", "GOOGLE"])
def test_an_unknown_provider_name_shows_the_chooser(world: World, name: str) -> None:
    page = world.open(world.browser(), provider_name=name)

    assert page.status_code == 200
    assert 'class="choices"' in page.text


def test_a_provider_that_is_not_offered_leads_to_the_chooser(world: World) -> None:
    browser = world.browser()
    chooser = world.authorize(browser).headers["Location"]

    answer = browser.get(f"{chooser}/office365")

    assert answer.status_code == 303
    assert answer.headers["Location"] == chooser


def test_the_pages_speak_the_language_that_the_application_asks_for(world: World) -> None:
    page = world.open(world.browser(), provider_name="google", locale="de")
    odd = world.open(world.browser(), provider_name="google", locale="xx-Nowhere")

    assert '<html lang="de"' in page.text
    assert '<html lang="en"' in odd.text


def test_the_language_goes_along_to_google(world: World) -> None:
    url = world.leave(world.browser(), locale="de")

    assert query_of(url)["hl"] == "de"


def test_google_is_asked_with_pkce_nonce_and_a_state_of_ours(world: World) -> None:
    """B2, B3."""
    first = query_of(world.leave(world.browser()))
    second = query_of(world.leave(world.browser()))

    assert first["code_challenge_method"] == "S256"
    assert len(first["state"]) >= 22
    assert first["state"] != "partner-state"
    assert {first[name] for name in ("state", "nonce", "code_challenge")}.isdisjoint(
        second[name] for name in ("state", "nonce", "code_challenge")
    )


# -- saying no


def test_cancelling_on_our_page_brings_access_denied(world: World) -> None:
    """B5."""
    browser = world.browser()
    page = world.open(browser, provider_name="google")

    back = browser.post(
        form_action(page).replace("/google", "/cancel"), data={"csrf_token": csrf(page)}
    )

    assert back.status_code == 303
    assert back.headers["Location"].startswith(REDIRECT + "?")
    answer = query_of(back.headers["Location"])
    assert (answer["error"], answer["state"]) == ("access_denied", "partner-state")
    assert answer["iss"] == BROKER
    assert world.count("connections") == 0


def test_cancelling_at_google_brings_access_denied(world: World) -> None:
    browser = world.browser()
    world.faults.set(ADA, "access_denied_redirect", times=1)

    back = world.arrive(browser, world.consent(world.leave(browser)))

    answer = query_of(back.headers["Location"])
    assert (answer["error"], answer["state"], answer["iss"]) == (
        "access_denied",
        "partner-state",
        BROKER,
    )
    assert world.count("connections") == 0


# -- what Google may answer


def test_an_unticked_box_is_explained_and_the_retry_works(world: World) -> None:
    """B8."""
    browser = world.browser()
    world.faults.set(ADA, "partial_scopes", times=1)

    page = world.arrive(browser, world.consent(world.leave(browser)))

    assert "One permission is still missing" in page.text
    assert world.count("connections") == 0
    again = world.press(browser, page)
    back = world.arrive(browser, world.consent(again.headers["Location"]))
    assert "code" in query_of(back.headers["Location"])


@pytest.mark.parametrize("fault", [None, "no_refresh_token"])
def test_a_grant_without_calendars_is_given_back(world: World, fault: str | None) -> None:
    """Whoever goes away after an unticked box leaves nothing behind at Google."""
    world.faults.set(ADA, "partial_scopes", times=1)
    if fault:
        world.faults.set(ADA, fault, times=1)

    world.arrive(browser := world.browser(), world.consent(world.leave(browser)))

    assert world.calls("/revoke") == 1
    assert not granted_to_us(world, ADA)


@pytest.mark.parametrize("reason", ["notACalendarUser", "domainPolicy"])
def test_a_grant_that_opens_no_calendar_is_given_back(world: World, reason: str) -> None:
    refusal = json.dumps({"error": {"errors": [{"reason": reason}]}}).encode()
    world.google.app = _only(world, "/calendar/v3/users/me/calendarList", 403, refusal)

    page = world.arrive(browser := world.browser(), world.consent(world.leave(browser)))

    assert page.status_code == 400
    assert not granted_to_us(world, ADA)


def test_a_grant_that_comes_after_saying_no_is_given_back(world: World) -> None:
    """Consented at Google in one tab, cancelled in another before the way back."""
    browser, other_tab = world.browser(), world.browser()
    page = world.open(browser, provider_name="google")
    back = world.consent(world.press(browser, page).headers["Location"])
    cookie = browser.get_cookie("calbroker", "127.0.0.1")
    assert cookie is not None
    other_tab.set_cookie("calbroker", cookie.value, domain="127.0.0.1")

    def google(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/calendar/v3/users/me/calendarList":
            cancel = form_action(page).replace("/google", "/cancel")
            said_no = other_tab.post(cancel, data={"csrf_token": csrf(page)})
            assert query_of(said_no.headers["Location"])["error"] == "access_denied"
        return world.google_app(environ, start_response)

    world.google.app = google
    late = world.arrive(browser, back)

    assert "already behind you" in late.text
    assert world.count("connections") == 0
    assert not granted_to_us(world, ADA)


@pytest.mark.parametrize("fault", ["partial_scopes", "no_refresh_token"])
def test_a_grant_of_no_use_does_not_end_the_connection_of_the_login(
    world: World, fault: str
) -> None:
    """Google ends every grant of a person to us at once."""
    tokens = world.connected(ADA)
    world.faults.set(ADA, fault, times=1)

    world.arrive(browser := world.browser(), world.consent(world.leave(browser)))
    world.clock.advance(hours=2)
    world.work()

    assert world.calls("/revoke") == 0
    assert world.profile(tokens)["profile_connected"] is True


def test_what_cannot_be_given_back_stops_nobody(world: World) -> None:
    world.faults.set(ADA, "partial_scopes", times=1)
    bad_days = Faulty(world.google.app)
    bad_days.add(status(503), applies=lambda environ: environ["PATH_INFO"] == "/revoke")
    world.google.app = bad_days

    page = world.arrive(browser := world.browser(), world.consent(world.leave(browser)))

    assert "One permission is still missing" in page.text


def test_without_a_refresh_token_the_person_is_asked_once_more(world: World) -> None:
    browser = world.browser()
    world.faults.set(ADA, "no_refresh_token", times=1)

    page = world.arrive(browser, world.consent(world.leave(browser)))

    assert "Google has to ask you once more" in page.text
    assert not granted_to_us(world, ADA)
    again = world.press(browser, page)
    back = world.arrive(browser, world.consent(again.headers["Location"]))
    assert "code" in query_of(back.headers["Location"])


def test_an_administrators_block_stays_at_google_and_stores_nothing(world: World) -> None:
    browser = world.browser()
    url = world.leave(browser)
    world.faults.set(ADA, "needs_admin_approval")

    stopped = world.google_app.test_client().get(f"{url.removeprefix(GOOGLE)}&_auto={ADA}")

    assert stopped.status_code == 400
    assert BLOCKED in stopped.text
    assert world.count("connections") == 0


def test_an_administrators_block_that_comes_back_shows_what_it_needs(world: World) -> None:
    browser = world.browser()
    state = query_of(world.leave(browser))["state"]

    page = world.arrive(browser, f"/connect/google/callback?state={state}&error={BLOCKED}")

    assert page.status_code == 400
    assert "Your organisation has to allow this first" in page.text
    assert world.settings.google is not None
    assert world.settings.google.client_id in page.text


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (500, b"", "is not answering"),
        (502, b"<html>Bad gateway</html>", "is not answering"),
        (429, b"{}", "asks us to wait"),
        (401, b'{"error": "invalid_client"}', "not set up properly"),
        (400, b'{"error": "invalid_grant"}', "run out"),
        (200, b'{"access_token": "ya29', ""),
        (200, b"[]", ""),
    ],
)
def test_trouble_at_the_exchange_gets_a_page_and_stores_nothing(
    world: World, status: int, body: bytes, words: str
) -> None:
    browser = world.browser()
    back = world.consent(world.leave(browser))
    world.google.app = _only(world, "/token", status, body)

    page = world.arrive(browser, back)

    assert page.status_code in (400, 502)
    assert words in page.text
    assert "ya29" not in page.text
    assert world.count("connections") == 0


def test_the_first_read_of_the_calendars_proves_the_login(world: World) -> None:
    """Nothing is stored for a login whose calendars cannot be read."""
    browser = world.browser()
    world.faults.set(ADA, "server_error_500", times=5)

    page = world.arrive(browser, world.consent(world.leave(browser)))

    assert page.status_code == 502
    assert "is not answering" in page.text
    assert world.count("connections") == 0
    retry = re.search(r'class="main" href="([^"]+)"', page.text)
    assert retry is not None
    world.faults.clear()
    again = world.press(browser, browser.get(retry.group(1)))
    back = world.arrive(browser, world.consent(again.headers["Location"]))
    assert "code" in query_of(back.headers["Location"])


def test_a_sign_in_that_google_refuses_at_once_is_not_about_a_password(world: World) -> None:
    browser = world.browser()
    back = world.consent(world.leave(browser))
    refusal = b'{"error": {"errors": [{"reason": "authError"}]}}'
    world.google.app = _only(world, "/calendar/v3/users/me/calendarList", 401, refusal)

    page = world.arrive(browser, back)

    assert "The calendar service did not let us in" in page.text
    assert "Type both once more" not in page.text
    assert world.count("connections") == 0
    world.google.app = world.google_app
    again = world.press(browser, page)
    done = world.arrive(browser, world.consent(again.headers["Location"]))
    assert "code" in query_of(done.headers["Location"])


def granted_to_us(world: World, person: str) -> bool:
    """Tell whether Google lists us among the applications that a person lets in."""
    return any(grant.email == person for grant in world.state.world.grants.values())


def _only(world: World, path: str, status: int, body: bytes) -> WSGIApplication:
    """Let Google answer this path so, and every other as ever."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != path:
            return world.google_app(environ, start_response)
        headers = [("Content-Type", "application/json")]
        start_response(f"{status} Said", headers)
        return [body]

    return app


# -- state


def test_an_absent_state_stays_absent_and_an_empty_one_empty(world: World) -> None:
    """RFC 6749 section 4.1.2: the exact value received."""
    browser = world.browser()
    query = f"response_type=code&client_id=sandbox-app&redirect_uri={REDIRECT}&scope=read_account"

    answers = []
    for more in ("", "&state="):
        opened = world.begin(browser, f"/oauth/authorize?{query}&provider_name=google{more}")
        leaving = world.press(browser, browser.get(opened.headers["Location"]))
        back = world.arrive(browser, world.consent(leaving.headers["Location"]))
        answers.append(back.headers["Location"])

    assert "state" not in answers[0]
    assert "&state=&" in answers[1] + "&"


def test_a_state_of_any_characters_comes_back_as_it_was(world: World) -> None:
    state = "a&b=c d/é%00\"'<script>+"

    assert query_of(world.connect(ADA, state=state))["state"] == state


# -- two at a time, and again


def test_two_tabs_do_not_mix(world: World) -> None:
    """B4: one browser, two attempts; each comes back with its own state and login."""
    browser = world.browser()
    first = world.leave(browser, state="first")
    second = world.leave(browser, state="second")

    back_second = world.arrive(browser, world.consent(second, GRACE))
    back_first = world.arrive(browser, world.consent(first, ADA))

    assert query_of(back_second.headers["Location"])["state"] == "second"
    assert query_of(back_first.headers["Location"])["state"] == "first"
    one = world.exchange(back_first.headers["Location"])
    other = world.exchange(back_second.headers["Location"])
    assert one.answer["linking_profile"]["profile_name"] == ADA
    assert other.answer["linking_profile"]["profile_name"] == GRACE
    assert one.sub != other.sub


def test_the_same_login_again_is_the_same_account_and_profile(world: World) -> None:
    """B7, product-behaviour 1.13: no duplicate."""
    first = world.connected(ADA)
    world.work()
    events = world.events(first)

    second = world.connected(ADA)
    world.work()

    assert second.sub == first.sub
    assert second.answer["linking_profile"] == first.answer["linking_profile"]
    assert world.count("connections") == world.count("profiles") == world.count("accounts") == 1
    assert world.events(second) == events
    assert world.events(first) == events


def test_two_logins_in_one_browser_stay_two_accounts(world: World) -> None:
    """B7: a shared computer joins nobody; avoid_linking is accepted and changes nothing."""
    browser = world.browser()
    back = world.arrive(browser, world.consent(world.leave(browser), ADA))
    other = world.arrive(browser, world.consent(world.leave(browser, avoid_linking="true"), GRACE))

    one = world.exchange(back.headers["Location"])
    two = world.exchange(other.headers["Location"])

    assert one.sub != two.sub
    assert world.count("profiles") == 2


def test_another_application_gets_an_account_of_its_own_and_shares_the_connection(
    world: World,
) -> None:
    """A10: no id of one application means anything to another."""
    first = world.connected(ADA)
    world.work()
    read = world.calls("/events")

    second = world.connected_to(world.partner())

    assert second.sub != first.sub
    assert world.count("connections") == 1
    assert world.count("profiles") == 2
    ours, theirs = world.events(first), world.events(second)
    assert [event["summary"] for event in ours] == [event["summary"] for event in theirs]
    for name in ("event_uid", "calendar_id"):
        assert {event[name] for event in ours}.isdisjoint(event[name] for event in theirs)
    assert first.answer["linking_profile"] != second.answer["linking_profile"]
    assert world.calls("/events") == read


# -- codes and ends


def test_a_code_works_once_and_a_replay_ends_what_the_first_gave(world: World) -> None:
    """A3."""
    back = world.connect(ADA)
    tokens = world.exchange(back)
    assert world.get(tokens, "/v1/account").status_code == 200

    again = world.token(grant_type="authorization_code", code=query_of(back)["code"])

    assert again.status_code == 400
    assert world.get(tokens, "/v1/account").status_code == 401


def test_an_attempt_runs_out(world: World) -> None:
    """B2: a state lives for minutes."""
    browser = world.browser()
    page = world.open(browser, provider_name="google")
    leaving = world.press(browser, page)
    back = world.consent(leaving.headers["Location"])
    world.clock.advance(minutes=21)

    late = world.arrive(browser, back)

    assert late.status_code == 400
    assert "run out" in late.text
    assert "run out" in browser.get(form_action(page)).text
    assert world.count("connections") == 0


def test_who_comes_back_late_begins_again_where_the_application_sent_them(world: World) -> None:
    """product-behaviour 1.18: a restart button that keeps the parameters."""
    browser = world.browser()
    back = world.consent(world.leave(browser, locale="de"))
    world.clock.advance(minutes=21)

    late = world.arrive(browser, back)
    anew = browser.get(retry(late))

    page = browser.get(anew.headers["Location"])
    assert anew.headers["Location"].endswith("/google")
    assert 'lang="de"' in page.text
    again = world.arrive(browser, world.consent(world.press(browser, page).headers["Location"]))
    assert query_of(again.headers["Location"])["state"] == "partner-state"


def test_a_page_of_an_attempt_that_nobody_knows_any_more_says_where_to_go(world: World) -> None:
    """It has no button, so it does not tell people to press one."""
    for path in ("/connect/unknown/google", "/connect/google/callback?state=unknown&code=x"):
        page = world.browser().get(path)

        assert "run out" in page.text
        assert "Go back to the application that sent you" in page.text
        assert "Start again" not in page.text


def test_a_page_that_ran_out_may_still_be_left_by_saying_no(world: World) -> None:
    """product-behaviour 1.1: at any point."""
    browser = world.browser()
    page = world.open(browser)
    world.clock.advance(minutes=21)

    back = world.press(browser, page)

    assert form_action(page).endswith("/cancel")
    assert query_of(back.headers["Location"])["error"] == "access_denied"


def test_the_back_button_after_the_end_changes_nothing(world: World) -> None:
    browser = world.browser()
    page = world.open(browser, provider_name="google")
    leaving = world.press(browser, page)
    back = world.consent(leaving.headers["Location"])
    assert world.arrive(browser, back).status_code == 303

    for answer in (
        world.arrive(browser, back),
        browser.get(form_action(page)),
        world.press(browser, page),
        browser.post(
            form_action(page).replace("/google", "/cancel"), data={"csrf_token": csrf(page)}
        ),
    ):
        assert answer.status_code == 400
        assert "already behind you" in answer.text
        assert "Acme Scheduling" in answer.text
    assert world.count("connections") == 1


@pytest.mark.parametrize("fault", ["partial_scopes", "server_error_500", "access_denied_redirect"])
def test_the_way_back_from_google_never_ends_on_the_callback(world: World, fault: str) -> None:
    """Its state is spent: loading it again would show another page than the first time."""
    browser = world.browser()
    world.faults.set(ADA, fault, times=5)
    back = world.consent(world.leave(browser)).removeprefix(BROKER)

    answer = browser.get(back)

    assert answer.status_code == 303
    assert "/callback?state" not in answer.headers["Location"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [("partial_scopes", "One permission is still missing"), ("server_error_500", "not answering")],
)
def test_what_went_wrong_at_google_can_be_read_again(world: World, fault: str, words: str) -> None:
    browser = world.browser()
    world.faults.set(ADA, fault, times=5)
    back = world.consent(world.leave(browser, locale="en")).removeprefix(BROKER)
    place = browser.get(back).headers["Location"]

    first, again = browser.get(place), browser.get(place)
    german = browser.get(place.replace("locale=en", "locale=de"))

    assert words in first.text
    assert words in again.text
    assert '<html lang="de"' in german.text
    assert 'lang="de" hreflang="de"' in first.text
    assert "attempt_used" in browser.get(back).text


def test_a_reason_in_the_address_ends_nothing(world: World) -> None:
    """Whatever somebody writes there, it is only shown, and only what we have words for."""
    browser = world.browser()
    page = world.open(browser, provider_name="google")

    for reason in ("access_denied", "<script>alert(1)</script>", "attempt_used"):
        shown = browser.get(form_action(page), query_string={"reason": reason})
        assert "<script>alert" not in shown.text

    assert world.press(browser, page).status_code == 303


def test_pages_after_the_end_are_for_ended_attempts_of_this_browser(world: World) -> None:
    browser = world.browser()
    page = world.open(browser, provider_name="google")
    handle = form_action(page).split("/")[2]

    for name in ("connected", "declined"):
        early = browser.get(f"/connect/{handle}/{name}")
        foreign = world.browser().get(f"/connect/{handle}/{name}")
        assert early.status_code == foreign.status_code == 400
        assert "run out" in early.text
        assert "lost track of your browser" in foreign.text


def test_back_from_google_and_on_again_works(world: World) -> None:
    """Only the newest departure counts; the older state is dead."""
    browser = world.browser()
    page = world.open(browser, provider_name="google")
    first = world.press(browser, page).headers["Location"]
    second = world.press(browser, page).headers["Location"]

    stale = world.arrive(browser, world.consent(first))
    good = world.arrive(browser, world.consent(second))

    assert stale.status_code == 400
    assert "code" in query_of(good.headers["Location"])
