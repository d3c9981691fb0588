"""A person connects iCloud with an app-specific password, and what may go wrong then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from werkzeug.test import TestResponse

from broker.settings import AppleSettings
from tests.apple_world import APP_PASSWORD, APPLE_ADA, APPLE_GRACE, ENTRY, WRONG, AppleWorld
from tests.world import NOW, REDIRECT, Tokens, query_of

HOUR = timedelta(hours=1)


@pytest.fixture
def apple(tmp_path: Path) -> Iterator[AppleWorld]:
    """A broker with Google and iCloud beside it."""
    made = AppleWorld(tmp_path)
    yield made
    made.close()


def titles(apple: AppleWorld, tokens: Tokens) -> set[str]:
    """Read the titles of every event of an account."""
    return {found["summary"] for found in apple.events(apple.renew(tokens))}


def test_a_person_connects_with_an_app_specific_password(apple: AppleWorld) -> None:
    name = apple.ada.add_event("Engine review", NOW + HOUR, NOW + 2 * HOUR)

    answer = apple.try_apple()

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(REDIRECT + "?code=")
    assert query_of(answer.headers["Location"])["state"] == "partner-state"
    tokens = apple.exchange(answer.headers["Location"])
    apple.work()
    profile = apple.profile(tokens)
    assert (profile["provider_name"], profile["provider_service"]) == ("apple", "icloud")
    assert profile["profile_name"] == APPLE_ADA
    assert profile["profile_connected"] is True
    assert profile["profile_initial_sync_required"] is False
    assert name and "Engine review" in titles(apple, tokens)


def test_calendars_hold_events_only_and_know_who_may_write(apple: AppleWorld) -> None:
    tokens = apple.connected_to_apple()
    apple.work()

    calendars = apple.get(apple.renew(tokens), "/v1/calendars").get_json()["calendars"]

    by_name = {found["calendar_name"]: found for found in calendars}
    assert {"Home", "Work", "UK Holidays"} <= by_name.keys()
    assert not any(name.startswith("Reminders") for name in by_name)
    assert by_name["UK Holidays"]["calendar_readonly"] is True
    assert by_name["Home"]["calendar_readonly"] is False


@pytest.mark.parametrize(
    "typed", ["abcdefghijklmnop", " ABCD EFGH IJKL MNOP ", "abcd\u2013efgh\u2011ijkl\u2212mnop\n"]
)
def test_the_password_is_known_however_it_is_typed(apple: AppleWorld, typed: str) -> None:
    assert apple.try_apple(app_code=typed).status_code == 303


@pytest.mark.parametrize(
    "typed", ["Correct-Horse-Battery1", "plok-mijn-uhby-gvt", "plok-mijn-uhby-gvtf-crdx", "1234"]
)
def test_any_other_shape_is_explained_and_never_sent(apple: AppleWorld, typed: str) -> None:
    page = apple.try_apple(app_code=typed)

    assert page.status_code == 400
    assert "app-specific" in page.text
    assert typed not in page.text
    assert f'value="{APPLE_ADA}"' in page.text
    assert apple.icloud_calls == []
    assert apple.count("login_refusals WHERE refusals > 0") == 0


def test_the_ordinary_password_never_leaves_the_broker(apple: AppleWorld) -> None:
    page = apple.try_apple(app_code=apple.ada.person.main_password)

    assert page.status_code == 400
    assert apple.icloud_calls == []


def test_the_check_of_the_shape_can_be_switched_off(tmp_path: Path) -> None:
    apple = AppleWorld(tmp_path, apple=AppleSettings(ENTRY, check_password_shape=False))

    page = apple.try_apple(app_code="another shape 2027")

    assert page.status_code == 400
    assert len(apple.icloud_calls) == 1
    apple.close()


def test_a_refused_login_stops_at_one_request(apple: AppleWorld) -> None:
    page = apple.try_apple(app_code=WRONG)

    assert page.status_code == 400
    assert [call.status for call in apple.icloud_calls] == [401]
    assert WRONG not in page.text
    assert f'value="{APPLE_ADA}"' in page.text
    assert apple.count("connections") == 0


def test_an_unknown_person_is_told_the_same(apple: AppleWorld) -> None:
    """C5: the form does not tell whether a mailbox exists."""
    wrong = apple.try_apple(app_code=WRONG)
    unknown = apple.try_apple(email="nobody@icloud.calbroker.test", app_code=WRONG)

    assert (wrong.status_code, heading(wrong)) == (unknown.status_code, heading(unknown))


def heading(page: TestResponse) -> str:
    """Give what the page says first of all in its alert."""
    return page.text.split('role="alert"')[-1].split("</h2>")[0].split("</p>")[0]


def test_three_refusals_pause_the_login_and_leave_others_alone(apple: AppleWorld) -> None:
    """C4: and the pause holds in every process, because it is in the database."""
    for email in (APPLE_ADA, APPLE_ADA.upper(), f" {APPLE_ADA} ", APPLE_ADA, APPLE_ADA):
        apple.try_apple(email=email, app_code=WRONG)

    assert apple.refused() == 3
    page = apple.try_apple(app_code=WRONG)
    assert page.status_code in (400, 429)
    assert apple.refused() == len(apple.icloud_calls) == 3
    assert apple.try_apple(email=APPLE_GRACE).status_code == 303
    apple.clock.advance(minutes=16)
    assert apple.try_apple().status_code == 303


@pytest.mark.parametrize("fault", ["throttle_429", "throttle_503", "server_error_500"])
def test_a_fault_of_icloud_is_no_refusal(apple: AppleWorld, fault: str) -> None:
    apple.icloud_faults.set(APPLE_ADA, fault)
    for _ in range(5):
        assert apple.try_apple().status_code in (400, 502)

    apple.icloud_faults.clear()
    assert apple.try_apple().status_code == 303


def test_calendars_that_are_switched_off_read_as_a_refusal(apple: AppleWorld) -> None:
    apple.icloud_faults.set(APPLE_ADA, "calendar_off")

    page = apple.try_apple()

    assert page.status_code == 400
    assert apple.count("connections") == 0


@pytest.mark.parametrize("style", ["", "href"])
def test_the_password_goes_to_no_stranger(apple: AppleWorld, style: str) -> None:
    apple.icloud_faults.set(APPLE_ADA, "redirect_evil", **({"style": style} if style else {}))

    page = apple.try_apple()

    assert page.status_code in (400, 502)
    hosts = {urlsplit(url).netloc for _, url in apple.icloud.calls}
    assert hosts <= {"127.0.0.1:5050", "localhost:5050"}
    assert apple.count("connections") == 0


@pytest.mark.parametrize("fault", ["xxe", "billion_laughs", "cut_xml", "html_error"])
def test_hostile_answers_are_an_error_in_words(apple: AppleWorld, fault: str) -> None:
    apple.icloud_faults.set(APPLE_ADA, fault)

    page = apple.try_apple()

    assert page.status_code in (400, 502)
    assert "<h1>" in page.text
    assert apple.count("connections") == 0


def test_a_failure_leaves_a_code_that_support_finds(apple: AppleWorld) -> None:
    page = apple.try_apple(app_code=WRONG)

    (row,) = apple.rows("SELECT code, provider, reason FROM diagnoses")
    assert (row.provider, row.reason) == ("apple", "apple_login_rejected")
    assert row.code in page.text
    shown = apple.app.test_cli_runner().invoke(args=["diagnosis", row.code])
    assert "apple_login_rejected" in shown.output
    assert WRONG not in shown.output and APPLE_ADA not in shown.output


def test_a_success_leaves_a_trace_too(apple: AppleWorld) -> None:
    apple.connected_to_apple()

    assert [tuple(row) for row in apple.rows("SELECT provider, reason FROM diagnoses")] == [
        ("apple", None)
    ]


def test_a_success_is_found_by_what_support_is_told(apple: AppleWorld) -> None:
    """Nobody is shown a code then: the application knows the profile, we the connection."""
    apple.try_apple(app_code=WRONG)
    profile = apple.profile(apple.connected_to_apple())
    (connection_id,) = apple.rows("SELECT id FROM connections")[0]
    (code,) = apple.rows("SELECT code FROM diagnoses WHERE reason IS NULL")[0]

    for known in (profile["profile_id"], connection_id):
        shown = apple.app.test_cli_runner().invoke(args=["diagnosis", known])
        assert shown.output.startswith(code)
        assert "connected" in shown.output and "calendars  ok" in shown.output
    unknown = apple.app.test_cli_runner().invoke(args=["diagnosis", "pro_unknown"])
    assert unknown.exit_code == 1


def test_the_same_login_again_is_the_same_account(apple: AppleWorld) -> None:
    """B7: by the account's number, which outlives its addresses."""
    first = apple.connected_to_apple()

    second = apple.connected_to_apple(email="ada@lovelace.calbroker.test")

    assert second.sub == first.sub
    assert apple.count("connections") == 1


def test_a_password_revoked_later_stops_every_job_and_asks_for_a_relink(apple: AppleWorld) -> None:
    tokens = apple.connected_to_apple()
    apple.work()
    apple.ada.person.passwords.clear()
    before = apple.refused()
    apple.clock.advance(hours=3)

    apple.work()

    profile = apple.profile(tokens)
    assert profile["profile_connected"] is False
    assert profile["profile_relink_url"]
    assert apple.refused() == before + 1
    assert apple.rows("SELECT 1 FROM tasks WHERE kind <> 'clean_up'") == []
    apple.clock.advance(days=2)
    apple.work()
    assert apple.refused() == before + 1


def test_a_refusal_in_the_background_counts_for_the_form(apple: AppleWorld) -> None:
    """C4: two more at the form, and the login is paused."""
    apple.connected_to_apple()
    apple.work()
    apple.ada.person.passwords.clear()
    apple.clock.advance(hours=3)
    apple.work()

    for _ in range(4):
        apple.try_apple(app_code=WRONG)

    assert apple.refused() == 3


def test_a_relink_masks_the_address_and_heals(apple: AppleWorld) -> None:
    tokens = apple.connected_to_apple()
    apple.work()
    profile_id = apple.profile(tokens)["profile_id"]
    apple.ada.person.passwords.clear()
    apple.clock.advance(hours=3)
    apple.work()
    apple.ada.person.passwords["zzzz-yyyy-xxxx-wwww"] = "Calbroker"
    browser = apple.browser()
    page = apple.renewing(browser, profile_id)
    assert "a…@icloud.calbroker.test" in page.text
    assert APPLE_ADA not in page.text

    typed = {"email": APPLE_ADA, "app_code": "zzzz-yyyy-xxxx-wwww"}
    done = browser.get(apple.press(browser, page, **typed).headers["Location"])
    apple.work()

    assert "connected again" in done.text
    healed = apple.profile(tokens)
    assert (healed["profile_id"], healed["profile_connected"]) == (profile_id, True)


def test_a_relink_with_another_login_is_refused(apple: AppleWorld) -> None:
    """B7."""
    tokens = apple.connected_to_apple()
    apple.work()
    profile_id = apple.profile(tokens)["profile_id"]
    before = apple.rows("SELECT * FROM connections")
    browser = apple.browser()
    page = apple.renewing(browser, profile_id)

    refused = apple.press(browser, page, email=APPLE_GRACE, app_code=APP_PASSWORD)

    assert refused.status_code == 400
    assert "different account" in refused.text
    assert apple.rows("SELECT * FROM connections") == before


def test_a_change_is_found_by_polling(apple: AppleWorld) -> None:
    tokens = apple.connected_to_apple()
    apple.work()
    apple.ada.add_event("Tea with Mary", NOW + HOUR, NOW + 2 * HOUR)

    apple.clock.advance(minutes=10)
    apple.work()

    assert "Tea with Mary" in titles(apple, tokens)


def test_a_home_that_moved_is_looked_for_once(apple: AppleWorld) -> None:
    """iCloud moves homes between hosts; what one pass learned, the next begins with."""
    tokens = apple.connected_to_apple()
    apple.work()
    before = apple.rows("SELECT sealed_credential, credential_version FROM connections")[0]
    apple.icloud_faults.set(APPLE_ADA, "lost_home")
    apple.clock.advance(minutes=10)
    apple.work()
    moved = len(apple.icloud_calls)
    after = apple.rows("SELECT sealed_credential, credential_version FROM connections")[0]

    apple.ada.add_event("Moved", NOW + HOUR, NOW + 2 * HOUR)
    apple.clock.advance(minutes=10)
    apple.work()

    assert {call.host for call in apple.icloud_calls[moved:]} == {"127.0.0.1:5050"}
    assert not [call for call in apple.icloud_calls[moved:] if call.status == 404]
    assert after.sealed_credential != before.sealed_credential
    assert after.credential_version == before.credential_version
    assert "Moved" in titles(apple, tokens)


def test_an_unchanged_calendar_costs_one_request(apple: AppleWorld) -> None:
    apple.connected_to_apple()
    apple.work()
    calendars = apple.count("calendars WHERE deleted_at IS NULL")
    before = len(apple.icloud_calls)

    apple.clock.advance(minutes=10)
    apple.work()

    assert len(apple.icloud_calls) - before == calendars


@pytest.mark.parametrize(
    "fault", ["empty_listing", "token_expired", "paged_sync", "lost_home", "delayed_multiget"]
)
def test_bad_days_lose_nothing(apple: AppleWorld, fault: str) -> None:
    tokens = apple.connected_to_apple()
    apple.work()
    before = titles(apple, tokens)
    apple.icloud_faults.set(APPLE_ADA, fault, times=4)

    for _ in range(4):
        apple.clock.advance(minutes=20)
        apple.work()

    apple.icloud_faults.clear()
    apple.clock.advance(hours=1)
    apple.work()
    assert titles(apple, tokens) == before
    assert apple.profile(tokens)["profile_connected"] is True


@pytest.mark.parametrize("fault", ["bad_ics", "huge_ics", "secondly_rule", "dup_uid"])
def test_a_poisoned_object_leaves_the_good_ones(apple: AppleWorld, fault: str) -> None:
    apple.ada.add_event("Engine review", NOW + HOUR, NOW + 2 * HOUR)
    apple.icloud_faults.set(APPLE_ADA, fault)

    tokens = apple.connected_to_apple()
    apple.work()

    assert "Engine review" in titles(apple, tokens)


def test_leaving_shreds_the_password_without_asking_icloud(apple: AppleWorld) -> None:
    """D3: there is no grant to give back."""
    tokens = apple.connected_to_apple()
    apple.work()
    before = len(apple.icloud_calls)

    apple.revoke_profile(tokens)
    apple.work()

    assert apple.count("connections") == apple.count("revocations") == 0
    assert len(apple.icloud_calls) == before


def test_the_password_is_in_no_row(apple: AppleWorld) -> None:
    """D3: a dump without the keys opens nothing."""
    apple.connected_to_apple()
    apple.work()

    dump = (Path(urlsplit(apple.settings.database_url).path)).read_bytes()
    assert APP_PASSWORD.encode() not in dump
    assert APPLE_ADA.encode() not in dump
