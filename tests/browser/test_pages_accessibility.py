"""The pages in a real browser: for everybody, on every screen, with and without scripts."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import WSGIRequestHandler, make_server

from broker.web.words import REASONS
from tests.browser.showcase import IT_LINK, SCENES, make_app

pytestmark = pytest.mark.browser

SIZES = {"narrow": (320, 640), "phone": (390, 844), "desktop": (1280, 900)}
SCROLLS_SIDEWAYS = "() => document.documentElement.scrollWidth > innerWidth"
HAS_STYLE = "() => getComputedStyle(document.querySelector('.card')).display === 'flow-root'"
SCHEMES = ("light", "dark")
# The structure of a page is the same in every size and scheme, so that all rules run in the
# first of each, and in the others the one that looks at colours.
ALL_RULES = {("phone", "light"), ("desktop", "dark")}
COLOURS = {"runOnly": ["color-contrast"]}
# Only what is wrong leaves the browser: the long list of what is right costs more than finding it.
RUN_AXE = """options => axe.run(options).then(found => found.violations.map(
    violation => [violation.id, violation.nodes.map(node => node.target)]))"""


class Quiet(WSGIRequestHandler):
    """A handler that keeps the test report readable."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@pytest.fixture(scope="module")
def pages() -> Flask:
    return make_app()


@pytest.fixture(scope="module")
def site(pages: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, pages, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def wide_page(browser: Browser) -> Iterator[Page]:
    """One page for all of the looking, because opening them is what takes the time."""
    with opened(browser, "desktop") as page:
        yield page


@contextmanager
def opened(browser: Browser, size: str = "phone", **options: object) -> Iterator[Page]:
    """Open a page; whatever it complains about on its console is an error."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: (
            complaints.append(said.text)
            if said.type == "error" and "status of 400" not in said.text
            else None
        ),
    )
    yield page
    context.close()
    assert complaints == []


def each_of(paths: Iterable[str], page: Page, site: str, pages: Flask) -> Iterator[str]:
    """Show one page after the other, for what is the same however a page got there.

    Each is written into the place of the one before, with its styles and scripts and under the
    same policy: a quarter of what it costs to go there.
    """
    client = pages.test_client()
    page.goto(f"{site}/scene/home")
    for path in paths:
        page.set_content(client.get(path, headers={"Accept-Language": "en-US"}).text)
        assert page.evaluate(HAS_STYLE), path
        yield path


def focused(page: Page) -> str:
    """Name what has the focus: its id, or else its text."""
    return str(
        page.evaluate(
            "() => { const e = document.activeElement;"
            " return e === document.body ? '' : e.id || e.textContent.trim().split('\\n')[0]; }"
        )
    )


def tab_order(page: Page) -> list[str]:
    page.evaluate("() => document.activeElement.blur()")
    found: list[str] = []
    for _ in range(30):
        page.keyboard.press("Tab")
        name = focused(page)
        if not name or name in found:
            break
        found.append(name)
    return found


def findings(page: Page, options: dict[str, list[str]] | None = None) -> list[str]:
    """Ask axe, which must be on the page already, for what is wrong."""
    return [f"{rule} at {targets}" for rule, targets in page.evaluate(RUN_AXE, options or {})]


def test_axe_is_awake(browser: Browser) -> None:
    with opened(browser) as page:
        page.set_content("<p style='color:#eee;background:#fff'>Hard to read</p>")
        page.evaluate(Axe().axe_script)

        assert any(found.startswith("color-contrast at") for found in findings(page))
        assert any(found.startswith("color-contrast at") for found in findings(page, COLOURS))


@pytest.mark.parametrize("locale", ["en", "ar"])
@pytest.mark.parametrize("scene", SCENES)
def test_every_page_is_for_everybody(site: str, wide_page: Page, scene: str, locale: str) -> None:
    """No finding of axe, and nothing to scroll sideways, in every size and scheme."""
    page = wide_page
    page.goto(f"{site}/scene/{scene}?locale={locale}")
    page.evaluate(Axe().axe_script)

    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        assert not page.evaluate(SCROLLS_SIDEWAYS), size
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            options = None if (size, scheme) in ALL_RULES else COLOURS
            assert findings(page, options) == [], (size, scheme)


def test_the_longest_words_fit_the_narrowest_screen(
    site: str, pages: Flask, browser: Browser
) -> None:
    paths = [f"/scene/{scene}" for scene in SCENES] + [f"/reason/{code}" for code in REASONS]
    with opened(browser, "narrow") as page:
        for path in each_of([f"{path}?locale=de" for path in paths], page, site, pages):
            assert page.locator("html").get_attribute("lang") == "de"
            assert not page.evaluate(SCROLLS_SIDEWAYS), path


def test_every_control_is_big_enough_to_touch(site: str, pages: Flask, browser: Browser) -> None:
    small = """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), summary')]
        .filter(e => !e.closest('p, .agree span, .notice, .aid li') && e.getClientRects().length)
        .map(e => e.id === 'agree' ? e.closest('label') : e)
        .filter(e => e.getBoundingClientRect().height < 44)
        .map(e => e.outerHTML)"""

    with opened(browser) as page:
        for path in each_of([f"/scene/{scene}" for scene in SCENES], page, site, pages):
            assert page.evaluate(small) == [], path


def test_forced_colours_and_large_text_leave_nothing_out(site: str, browser: Browser) -> None:
    with opened(browser, forced_colors="active") as page:
        for scene in ("chooser", "password-empty", "problem-admin"):
            page.goto(f"{site}/scene/{scene}?locale=de")
            page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
            assert not page.evaluate(SCROLLS_SIDEWAYS), scene
            page.evaluate(Axe().axe_script)
            assert findings(page) == []


def test_the_card_begins_at_the_same_height_on_every_page(
    site: str, pages: Flask, browser: Browser
) -> None:
    with opened(browser, "desktop") as page:
        tops = set()
        for _ in each_of([f"/scene/{scene}" for scene in SCENES], page, site, pages):
            tops.add(page.evaluate("() => document.querySelector('.card').offsetTop"))

    assert len(tops) == 1


@pytest.mark.parametrize("locale", ["en", "ar"])
def test_the_keyboard_goes_through_a_form_in_reading_order(
    site: str, browser: Browser, locale: str
) -> None:
    with opened(browser) as page:
        page.goto(f"{site}/scene/password?locale={locale}")
        order = tab_order(page)

    assert order[:3] == ["url", "username", "password"]
    assert "agree" in order[4:]
    if locale == "en":
        assert order[3:] == [
            "Show",
            "Where do I find these?",
            "agree",
            "terms of service",
            "privacy policy",
            "Connect calendar",
            "Choose another calendar",
            "Back to Acme Scheduling",
            "Privacy",
            "Terms",
            "Help",
            "Deutsch",
            "العربية",
        ]


def test_the_keyboard_goes_through_the_chooser(site: str, browser: Browser) -> None:
    with opened(browser) as page:
        page.goto(f"{site}/scene/chooser")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineWidth")
        page.keyboard.press("Enter")
        page.wait_for_url("**/scene/apple")

    assert outline == "2px"


@pytest.mark.parametrize("scripts", [True, False])
def test_the_focus_goes_to_the_first_error(site: str, browser: Browser, scripts: bool) -> None:
    with opened(browser, java_script_enabled=scripts) as page:
        page.goto(f"{site}/scene/password-one")

        expect(page.locator("#username")).to_be_focused()


def test_everything_works_without_scripts(site: str, browser: Browser) -> None:
    with opened(browser, java_script_enabled=False) as page:
        page.goto(f"{site}/scene/chooser?locale=en")
        page.get_by_role("link", name="Other calendar (CalDAV)").click()
        assert page.get_by_role("button", name="Show password").count() == 0
        page.get_by_label("Server address or e-mail").fill("dav.example")
        page.get_by_label("User name").fill("ada")
        page.get_by_label("I agree").check()
        page.get_by_role("button", name="Connect calendar").click()

        assert page.title().startswith("Type your password. · ")
        assert page.get_by_label("Server address or e-mail").input_value() == "dav.example"

        page.get_by_text("Where do I find these?").click()
        assert page.get_by_text("want an app password here").is_visible()
        page.get_by_role("button", name="Back to Acme Scheduling").click()
        assert page.text_content("body") == "cancelled"


def test_a_password_can_be_shown_and_hidden(site: str, browser: Browser) -> None:
    with opened(browser) as page:
        page.goto(f"{site}/scene/password")
        field = page.locator("#password")
        page.get_by_role("button", name="Show password").click()
        assert field.get_attribute("type") == "text"
        page.get_by_role("button", name="Hide password").click()
        assert field.get_attribute("type") == "password"


def test_the_button_says_what_is_happening_and_is_sent_once(site: str, browser: Browser) -> None:
    with opened(browser) as page:
        page.goto(f"{site}/scene/link")
        button = page.locator("button.main")
        # Keeps the page here, and counts what would have been sent.
        page.evaluate(
            """() => { window.sent = 0; document.querySelector('button.main').form
            .addEventListener('submit', event => {
                window.sent += event.defaultPrevented ? 0 : 1; event.preventDefault(); }); }"""
        )
        button.click()
        button.click(force=True)

        assert button.text_content() == "Opening Google…"
        assert page.evaluate("() => window.sent") == 1


def test_facts_can_be_copied(site: str, browser: Browser) -> None:
    with opened(browser, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto(f"{site}/scene/problem-admin")
        page.get_by_role("button", name="Copy").click()
        page.get_by_role("button", name="Copied").wait_for()
        copied = page.evaluate("() => navigator.clipboard.readText()")

    lines = copied.splitlines()
    assert lines[0].startswith("In the Google Admin console")
    assert "Code: admin_policy_enforced" in lines


def test_the_doctors_text_can_be_copied_whole(site: str, browser: Browser) -> None:
    with opened(browser, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto(f"{site}/scene/password-failed-tls")
        page.get_by_role("button", name="Copy the link").click()
        page.get_by_role("button", name="Copied").wait_for()
        link = page.evaluate("() => navigator.clipboard.readText()")
        page.get_by_role("button", name="Copy", exact=True).click()
        page.get_by_role("button", name="Copied").nth(1).wait_for()
        copied = page.evaluate("() => navigator.clipboard.readText()").splitlines()

    assert link == IT_LINK.url
    assert copied[0].startswith("A calendar could not be connected.")
    assert copied[1].startswith("The certificate that the server shows does not bear the name")
    assert copied[2] == "Code: K7Q2-9F3M"
    assert "TLS: failed · calendars.dav-hosting.example" in copied
    assert copied[-1] == "Calendars: not tried"


@pytest.mark.parametrize("scripts", [True, False])
def test_the_step_that_failed_is_there_with_and_without_scripts(
    site: str, browser: Browser, scripts: bool
) -> None:
    with opened(browser, java_script_enabled=scripts) as page:
        page.goto(f"{site}/scene/password-failed-tls")
        assert page.get_by_text("Stopped at step 4 of 7: Checking its certificate").is_visible()
        assert page.get_by_text("not tried", exact=True).first.is_visible()

        page.goto(f"{site}/scene/password-failed-login")
        assert not page.get_by_text("not tried", exact=True).first.is_visible()
        page.get_by_text("Stopped at step 6 of 7: Signing in").click()
        assert page.get_by_text("not tried", exact=True).first.is_visible()


def test_the_form_for_icloud_works_without_scripts(site: str, browser: Browser) -> None:
    with opened(browser, java_script_enabled=False) as page:
        page.goto(f"{site}/scene/chooser?locale=en")
        page.get_by_role("link", name="iCloud").click()
        assert page.get_by_text("Sign-In and Security").is_visible()
        page.get_by_label("E-mail address of your Apple Account").fill("ada@icloud.com")
        page.get_by_label("I agree").check()
        page.get_by_role("button", name="Connect calendar").click()

        assert page.title().startswith("Paste or type the app-specific password. · ")
        expect(page.locator("#app_code")).to_be_focused()
        assert page.locator("#email").input_value() == "ada@icloud.com"


@pytest.mark.parametrize(
    ("typed", "warned"),
    [
        ("correct horse battery staple", True),
        ("hunter2", True),
        ("abcd-efgh-ijkl-mnop", False),
        (" ABCD EFGH\u00a0IJKL\u2011mnop\u200b ", False),
        ("abcdefghijklmnop", False),
        ("", False),
    ],
)
def test_another_password_is_warned_of_before_it_is_sent(
    site: str, browser: Browser, typed: str, warned: bool
) -> None:
    with opened(browser) as page:
        page.goto(f"{site}/scene/apple")
        page.locator("#app_code").fill("x")
        page.locator("#app_code").fill(typed)
        page.locator("#email").focus()

        expected = re.compile("does not look like" if warned else "^$")
        expect(page.locator("[data-warns-of]")).to_have_text(expected)


@pytest.mark.parametrize(("first", "then"), [("hunter", ""), ("hunter", "abcd-efgh-ijkl-mnop")])
def test_no_press_of_the_button_is_lost(site: str, browser: Browser, first: str, then: str) -> None:
    """A warning that comes or goes between pressing and letting go would move the button away."""
    with opened(browser) as page:
        page.set_viewport_size({"width": 390, "height": 2000})
        page.goto(f"{site}/scene/apple")
        page.evaluate(
            "document.addEventListener('submit', function (e) { e.preventDefault();"
            " document.title = 'sent'; })"
        )
        page.locator("#app_code").fill(first)
        if then:
            page.locator("#email").focus()
            page.locator("#app_code").fill(then)

        page.locator("button.main").click()

        expect(page).to_have_title("sent")


def test_a_printed_page_is_a_letter(site: str, browser: Browser) -> None:
    with opened(browser, color_scheme="dark") as page:
        page.goto(f"{site}/scene/problem-admin")
        page.emulate_media(media="print")

        assert not page.locator(".main").is_visible()
        assert page.locator("#facts").is_visible()
        expect(page.locator("h1")).to_have_css("color", "rgb(0, 0, 0)")
