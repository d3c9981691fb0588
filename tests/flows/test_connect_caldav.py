"""A person connects a CalDAV server by address, user name and password: a real Radicale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from sandbox.radicale import USER, add_calendar, create_wsgi
from sandbox.radicale_events import Calendar, event, wrap
from tests.world import ADA, REDIRECT, Tokens, World, query_of
from tests.wsgi_adapter import WsgiAdapter

DAV = "http://dav.test/"
PASSWORD = "sandbox"
GUESS = "marked-wrong-password"


class DavWorld(World):
    """A world with Radicale in it; *refusals* counts the logins that it refused."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder = folder / "radicale"
        self.radicale = create_wsgi(self.folder, [("grace", "hopper")], seeded=False)
        add_calendar(self.folder, USER, Calendar("home", "Home", "#112233FF"), _objects())
        add_calendar(self.folder, "grace", Calendar("home", "Home", "#112233FF"), _objects())
        self.wire = WsgiAdapter(self._answer)
        self.statuses: list[tuple[bool, int]] = []
        super().__init__(folder, mounts={DAV: self.wire}, **changes)

    @property
    def refusals(self) -> int:
        """How many logins were refused: 401 to a request that carried a password."""
        return sum(with_password and status == 401 for with_password, status in self.statuses)

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        def noted(status: str, headers: Any, *more: Any) -> Any:
            self.statuses.append(("HTTP_AUTHORIZATION" in environ, int(status[:3])))
            return start_response(status, headers, *more)

        return self.radicale(environ, noted)

    def change_password(self, password: str) -> None:
        """Let the person change the password at the server."""
        self.radicale = create_wsgi(self.folder, [], seeded=False)
        (self.folder / "users").write_text(f"{USER}:{password}\n", encoding="utf-8")
        self.radicale = _with_users(self.folder)

    def try_login(self, browser: Any = None, **typed: str) -> TestResponse:
        """Send the form."""
        browser = browser or self.browser()
        page = self.open(browser, provider_name="caldav")
        fields = {"url": DAV, "username": USER, "password": PASSWORD} | typed
        return self.press(browser, page, **fields)

    def connected_by_password(self) -> Tokens:
        """Take a person all the way."""
        answer = self.try_login()
        assert answer.status_code == 303, answer.text
        return self.exchange(answer.headers["Location"])


def _with_users(folder: Path) -> Any:
    from radicale import config
    from radicale.app import Application

    settings = config.load([(str(folder / "config"), False)])
    settings.update({"storage": {"_filesystem_fsync": "False"}}, "in process", privileged=True)
    return Application(settings)


def _objects() -> dict[str, str]:
    lines = ("SUMMARY:Dentist", "DTSTART:20260312T090000Z", "DTEND:20260312T093000Z")
    return {"one.ics": wrap("-//Tests//EN", event("one", *lines))}


@pytest.fixture
def dav(tmp_path: Path) -> Iterator[DavWorld]:
    """A broker with Google and Radicale beside it."""
    made = DavWorld(tmp_path)
    yield made
    made.close()


def test_a_person_connects_by_address_user_and_password(dav: DavWorld) -> None:
    answer = dav.try_login()

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(REDIRECT + "?code=")
    assert query_of(answer.headers["Location"])["state"] == "partner-state"
    tokens = dav.exchange(answer.headers["Location"])
    dav.work()
    profile = dav.profile(tokens)
    assert profile["provider_name"] == "caldav"
    assert profile["profile_connected"] is True
    assert profile["profile_initial_sync_required"] is False
    assert [found["summary"] for found in dav.events(tokens)] == ["Dentist"]


def test_a_change_at_the_server_is_found_by_polling(dav: DavWorld) -> None:
    tokens = dav.connected_by_password()
    dav.work()
    lines = ("SUMMARY:Lunch", "DTSTART:20260313T120000Z", "DTEND:20260313T130000Z")
    place = dav.folder / "storage/collection-root" / USER / "home"
    (place / "two.ics").write_text(wrap("-//Tests//EN", event("two", *lines)), encoding="utf-8")

    dav.clock.advance(minutes=10)
    dav.work()

    titles = {found["summary"] for found in dav.events(dav.renew(tokens))}
    assert titles == {"Dentist", "Lunch"}


def test_the_same_login_again_is_the_same_account(dav: DavWorld) -> None:
    """B7."""
    first = dav.connected_by_password()

    second = dav.exchange(dav.try_login(url="http://dav.test/ada/").headers["Location"])

    assert second.sub == first.sub
    assert dav.count("connections") == 1


def test_a_wrong_password_costs_one_refused_login_and_keeps_what_was_typed(dav: DavWorld) -> None:
    """C4, C5: one refusal a submission; the password is never echoed."""
    page = dav.try_login(password=GUESS)

    assert page.status_code == 400
    assert dav.refusals == 1
    assert GUESS not in page.text
    assert f'value="{USER}"' in page.text
    assert f'value="{DAV}"' in page.text
    assert dav.count("connections") == 0


def test_an_unknown_user_is_told_the_same_as_a_wrong_password(dav: DavWorld) -> None:
    """C5: the form does not tell whether a mailbox exists."""
    wrong = dav.try_login(password=GUESS)
    unknown = dav.try_login(username="nobody", password=GUESS)

    def said(page: TestResponse) -> str:
        return page.text.split("<h1>")[0].split('role="alert"')[-1].replace("nobody", USER)

    assert unknown.status_code == wrong.status_code
    assert said(unknown) == said(wrong)


def test_after_five_refusals_the_login_is_paused(dav: DavWorld) -> None:
    """C4: nobody guesses a password or locks an account through the form."""
    for path in ("", "ada/", "x", "y", "z"):
        dav.try_login(url=DAV + path, password=GUESS)
    tried = dav.refusals

    page = dav.try_login(browser=dav.browser(), password=GUESS)

    assert page.status_code in (400, 429)
    assert "code" not in page.headers.get("Location", "")
    assert dav.refusals == tried
    assert tried <= 5
    dav.clock.advance(minutes=16)
    assert dav.try_login().status_code == 303


def test_one_addresss_guesses_at_many_mailboxes_are_paused(dav: DavWorld) -> None:
    """C4: limits are per mailbox, per client address and per application."""
    for number in range(25):
        dav.try_login(username=f"user{number}", password=GUESS)

    assert dav.refusals == 20


def test_an_ipv6_client_is_its_network(dav: DavWorld) -> None:
    """C4: whoever has one address of it has them all."""
    for number in range(25):
        browser = dav.browser()
        browser.environ_base["REMOTE_ADDR"] = f"2001:db8:1:2::{number:x}"
        dav.try_login(browser, username=f"user{number}", password=GUESS)

    assert dav.refusals == 20


def test_a_fault_of_the_server_is_no_refusal(dav: DavWorld) -> None:
    real, dav.radicale = dav.radicale, _broken

    for _ in range(7):
        page = dav.try_login()
        assert page.status_code in (400, 502)

    dav.radicale = real
    assert dav.try_login().status_code == 303


def _broken(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("503 Away", [("Content-Type", "text/html")])
    return [b"<html>internal-detail</html>"]


def test_what_an_inner_server_answered_is_not_shown(dav: DavWorld) -> None:
    """C5."""
    dav.radicale = _broken

    page = dav.try_login()

    assert "internal-detail" not in page.text
    assert GUESS not in page.text


@pytest.mark.parametrize(
    "url",
    [
        "http://calendar.example/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://10.0.0.1/",
        "https://192.168.1.1/dav",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://2130706433/",
        "https://metadata.google.internal/",
        "https://calendar.example:22/",
        "https://user:secret-in-url@10.0.0.1/",
        "file:///etc/passwd",
        "gopher://10.0.0.1/",
        "https://",
        "::::",
        "https://[broken/",
    ],
)
def test_addresses_that_we_do_not_connect_to_are_refused_in_words(dav: DavWorld, url: str) -> None:
    """C1, C2: https to public addresses only; nothing is sent."""
    page = dav.try_login(url=url)

    assert page.status_code == 400
    assert "<h1>" in page.text
    assert "could not finish this" not in page.text
    assert PASSWORD not in page.text.replace("sandbox-app", "")
    assert dav.wire.calls == []
    assert dav.count("connections") == 0


def test_a_password_changed_later_disconnects_at_once(dav: DavWorld) -> None:
    """One refused password stops every job of that credential."""
    tokens = dav.connected_by_password()
    dav.work()
    dav.change_password("new-password")
    before = dav.refusals
    dav.clock.advance(hours=2)

    dav.work()

    profile = dav.profile(tokens)
    assert profile["profile_connected"] is False
    assert profile["profile_relink_url"]
    assert dav.refusals == before + 1
    assert [found["summary"] for found in dav.events(dav.renew(tokens))] == ["Dentist"]
    dav.clock.advance(days=2)
    assert dav.work() == 0
    assert dav.refusals == before + 1


def test_a_relink_with_the_new_password_heals(dav: DavWorld) -> None:
    tokens = dav.connected_by_password()
    dav.work()
    profile_id = dav.profile(tokens)["profile_id"]
    dav.change_password("new-password")
    dav.clock.advance(hours=2)
    dav.work()
    browser = dav.browser()
    page = dav.renewing(browser, profile_id)

    typed = {"url": DAV, "username": USER, "password": "new-password"}
    done = browser.get(dav.press(browser, page, **typed).headers["Location"])
    dav.work()

    assert "connected again" in done.text
    healed = dav.profile(tokens)
    assert (healed["profile_id"], healed["profile_connected"]) == (profile_id, True)
    assert [found["summary"] for found in dav.events(dav.renew(tokens))] == ["Dentist"]


def test_a_relink_with_another_login_is_refused(dav: DavWorld) -> None:
    """B7: and what was typed is not kept."""
    tokens = dav.connected_by_password()
    dav.work()
    profile_id = dav.profile(tokens)["profile_id"]
    before = dav.rows("SELECT * FROM connections")
    browser = dav.browser()
    page = dav.renewing(browser, profile_id)

    refused = dav.press(browser, page, url=DAV, username="grace", password="hopper")

    assert refused.status_code == 400
    assert "different account" in refused.text
    assert dav.rows("SELECT * FROM connections") == before


def test_leaving_shreds_the_password_without_asking_the_server(dav: DavWorld) -> None:
    """D3: there is no grant to give back."""
    tokens = dav.connected_by_password()
    dav.work()

    dav.revoke_profile(tokens)
    dav.work()

    assert dav.count("connections") == dav.count("revocations") == 0
    assert dav.work() == 0


def test_google_and_caldav_stay_two_accounts(dav: DavWorld) -> None:
    """B7: nothing that a provider claims joins accounts, an equal address least of all."""
    one = dav.connected_by_password()
    two = dav.connected(ADA)

    assert one.sub != two.sub


def test_the_form_needs_everything(dav: DavWorld) -> None:
    for name in ("url", "username", "password"):
        page = dav.try_login(**{name: ""})
        assert page.status_code == 400
    for name in ("url", "username", "password"):
        page = dav.try_login(**{name: "x" * 5_000})
        assert page.status_code == 400
    assert dav.wire.calls == []
