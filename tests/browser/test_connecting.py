"""Somebody connects a company's Exchange in a real browser, and the published SDK reads it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page
from pycronofy.client import Client
from werkzeug.serving import make_server
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from sandbox.exchange.seed import ADA, GRACE, PASSWORD
from tests.browser.test_pages_accessibility import Quiet
from tests.flows.test_connect_exchange import Office
from tests.world import REDIRECT, SCOPE, query_of

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A broker that listens where its public address says, and a company's Exchange."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        made = Office(tmp_path_factory.mktemp("office"), public_url=f"http://127.0.0.1:{port}")
        server = make_server(
            "127.0.0.1",
            port,
            made.app,
            threaded=True,
            request_handler=Quiet,
            fd=listener.fileno(),
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join()
        made.close()


@pytest.fixture(scope="module")
def callback() -> Iterator[str]:
    """The callback of an application that leads its people on to another origin of its own."""

    @Request.application
    def application(asked: Request) -> Response:
        onward = asked.url.replace("127.0.0.1", "localhost").replace("/callback", "/done")
        return redirect(onward) if asked.path == "/callback" else Response("back in the shop")

    server = make_server("127.0.0.1", 0, application, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/callback"
    server.shutdown()
    thread.join()


@contextmanager
def form(
    office: Office, browser: Browser, *, scripts: bool, redirect_uri: str = REDIRECT
) -> Iterator[Page]:
    """Open the form for Exchange, as an application sends people to it."""
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    page.route(f"{REDIRECT}**", lambda route: route.fulfill(body="back at the application"))
    asked = {
        "response_type": "code",
        "client_id": office.own["client_id"],
        "redirect_uri": redirect_uri,
        "scope": SCOPE,
        "provider_name": "exchange",
    }
    page.goto(f"{office.settings.public_url}/oauth/authorize?{urlencode(asked)}")
    yield page
    context.close()


def connect(page: Page, email: str) -> str:
    """Type address and password, and press the button; gives the address back at the end."""
    page.get_by_label("E-mail address at work").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    with page.expect_request(f"{REDIRECT}**") as back:
        page.get_by_role("button", name="Connect calendar").click(no_wait_after=True)
    page.get_by_text("back at the application").wait_for()
    return str(back.value.url)


def test_address_and_password_are_enough_and_the_sdk_reads_the_calendar(
    office: Office, browser: Browser
) -> None:
    with form(office, browser, scripts=True) as page:
        uri = connect(page, ADA)
    sdk = Client(client_id=office.own["client_id"], client_secret=office.own["client_secret"])
    sdk.request_handler.base_url = sdk.request_handler.app_base_url = office.settings.public_url

    sdk.get_authorization_from_code(query_of(uri)["code"], redirect_uri=REDIRECT)
    office.work()

    (profile,) = sdk.list_profiles()
    assert ("exchange", ADA) == (profile["provider_name"], profile["profile_name"])
    assert "Calendar" in {found["calendar_name"] for found in sdk.list_calendars()}
    read = sdk.read_events(tzid="Etc/UTC")
    assert "Dentist" in {event["summary"] for event in read}


def test_without_scripts_a_page_waits_and_leads_on_by_itself(
    office: Office, browser: Browser
) -> None:
    answers: list[tuple[str, int]] = []
    with form(office, browser, scripts=False) as page:
        page.on("response", lambda came: answers.append((came.request.method, came.status)))
        uri = connect(page, GRACE)

    # The form was answered by a page and not by the way back, which came after it by itself.
    assert [("POST", 200)] == [answer for answer in answers if answer[0] == "POST"]
    assert query_of(uri)["code"]


def test_an_application_may_lead_its_people_on_to_another_origin(
    office: Office, browser: Browser, callback: str
) -> None:
    """Browsers hold each redirect after a form against the policy of the page it was on."""
    with form(office, browser, scripts=True, redirect_uri=callback) as page:
        page.get_by_role("button", name="Back to Acme Scheduling").click(no_wait_after=True)
        page.get_by_text("back in the shop").wait_for()

        assert query_of(page.url)["error"] == "access_denied"
