"""People, partners and the provider, over HTTP: what happens around the broker."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import requests

from broker.services.applications import LOCAL_CLIENT_ID, LOCAL_SECRET
from sandbox.google import CLIENT_ID, CLIENT_SECRET
from sandbox.google.driver import FULL_ACCESS, PASSWORD
from sandbox.google.seed import ADA, ALAN, CALLBACK, GRACE
from tests.processes.eventually import eventually
from tests.processes.stack import Stack

__all__ = ["ADA", "ALAN", "GRACE", "Google", "Partner", "connect", "connect_by_password"]

SCOPE = "read_account list_calendars read_events read_free_busy"
TIMEOUT_S = 20
_REDIRECTS = (302, 303)


@dataclass
class Partner:
    """An application that holds tokens for one account."""

    stack: Stack
    access: str = field(repr=False)
    refresh: str = field(repr=False)

    def get(self, path: str, **query: str) -> requests.Response:
        """Call the API."""
        return requests.get(
            urljoin(self.stack.layout.broker_url, path),
            params=query or None,
            headers={"Authorization": f"Bearer {self.access}"},
            timeout=TIMEOUT_S,
        )

    def events(self, **query: str) -> list[dict[str, Any]]:
        """Read every page of events."""
        answer = self.get("/v1/events", **({"tzid": "Etc/UTC"} | query))
        found: list[dict[str, Any]] = []
        while True:
            assert answer.status_code == 200, answer.text
            body = answer.json()
            found += body["events"]
            if "next_page" not in body["pages"]:
                return found
            answer = self.get(body["pages"]["next_page"])

    def summaries(self) -> list[str]:
        """List the titles of all events, sorted."""
        return sorted(event["summary"] for event in self.events())

    def calendar_id(self, name: str) -> str:
        """Find a calendar by its name."""
        calendars = self.get("/v1/calendars").json()["calendars"]
        return next(found["calendar_id"] for found in calendars if found["calendar_name"] == name)

    def is_synced(self) -> bool:
        """Tell whether the first sync is over."""
        answer = self.get("/v1/profiles")
        profiles = answer.json().get("profiles", []) if answer.status_code == 200 else []
        return bool(profiles) and not any(p["profile_initial_sync_required"] for p in profiles)


def connect(stack: Stack, person: str, *, by_hand: bool = False) -> Partner:
    """Take a person through every page, from an application and back, and trade the code.

    *by_hand* also goes through the provider's pages, which otherwise consent by themselves.
    """
    browser = requests.Session()
    at_google = _submit(browser, _page(stack, browser, "google")).headers["Location"]
    back = _consent_by_hand(browser, at_google, person) if by_hand else _consent(at_google, person)
    arrived = browser.get(back, allow_redirects=False, timeout=TIMEOUT_S)
    assert arrived.status_code in _REDIRECTS, arrived.text
    return _traded(stack, arrived)


def connect_by_password(stack: Stack, provider: str, **typed: str) -> Partner:
    """Take a person through our pages, to a provider whose password they type, and back."""
    browser = requests.Session()
    return _traded(stack, _submit(browser, _page(stack, browser, provider), **typed))


def _page(stack: Stack, browser: requests.Session, provider: str) -> requests.Response:
    query = {
        "response_type": "code",
        "client_id": LOCAL_CLIENT_ID,
        "redirect_uri": f"{stack.layout.sandbox_url}/callback",
        "scope": SCOPE,
        "state": "partner-state",
        "provider_name": provider,
    }
    url = f"{stack.layout.broker_url}/oauth/authorize?{urlencode(query)}"
    return browser.get(url, timeout=TIMEOUT_S)


def _traded(stack: Stack, arrived: requests.Response) -> Partner:
    body = _token(
        stack,
        grant_type="authorization_code",
        code=_query(arrived.headers["Location"])["code"],
        redirect_uri=f"{stack.layout.sandbox_url}/callback",
    )
    return Partner(stack, body["access_token"], body["refresh_token"])


def _token(stack: Stack, **fields: str) -> dict[str, Any]:
    client = {"client_id": LOCAL_CLIENT_ID, "client_secret": LOCAL_SECRET}
    url = f"{stack.layout.broker_url}/oauth/token"
    answer = requests.post(url, json=client | fields, timeout=TIMEOUT_S)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _consent(url: str, person: str) -> str:
    answer = requests.get(f"{url}&_auto={person}", allow_redirects=False, timeout=TIMEOUT_S)
    assert answer.status_code in _REDIRECTS, answer.text
    return answer.headers["Location"]


def _consent_by_hand(browser: requests.Session, url: str, person: str) -> str:
    page = browser.get(url, timeout=TIMEOUT_S)
    page = browser.post(page.url, {"email": person, "password": PASSWORD}, timeout=TIMEOUT_S)
    answer = _submit(browser, page, grant_all="1")
    return answer.headers["Location"]


def _submit(browser: requests.Session, page: requests.Response, **fields: str) -> requests.Response:
    """Send the first form of a page with its hidden fields, and stop at the redirect."""
    form = re.search(r"<form([^>]*)>(.*?)</form>", page.text, re.DOTALL)
    assert form, page.text[:2000]
    action = re.search(r'action="([^"]*)"', form[1])
    hidden: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form[2]):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if 'type="hidden"' in tag and name and value:
            hidden[name[1]] = html.unescape(value[1])
    target = urljoin(page.url, html.unescape(action[1])) if action else page.url
    answer = browser.post(target, hidden | fields, allow_redirects=False, timeout=TIMEOUT_S)
    assert answer.status_code in _REDIRECTS, answer.text[:2000]
    return answer


class Google:
    """The provider as one person sees it, and its switches."""

    def __init__(self, stack: Stack, person: str) -> None:
        self._sandbox = stack.layout.sandbox_url
        self._google = f"{self._sandbox}/google"
        self.person = person
        redirect_uri = f"http://127.0.0.1:5000{CALLBACK}"
        query = {
            "client_id": CLIENT_ID,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": FULL_ACCESS,
            "access_type": "offline",
            "state": "a-test",
        }
        code = _query(_consent(f"{self._google}/o/oauth2/v2/auth?{urlencode(query)}", person))
        form = {
            "grant_type": "authorization_code",
            "code": code["code"],
            "redirect_uri": redirect_uri,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }
        answer = requests.post(f"{self._google}/token", form, timeout=TIMEOUT_S)
        self._headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def seed(self, events: int) -> None:
        """Add generated events to the primary calendar, past all faults."""
        body = {"person": self.person, "events": events}
        answer = requests.post(f"{self._google}/seed", json=body, timeout=60)
        assert answer.status_code == 200, answer.text

    def fault(self, fault: str, **options: object) -> None:
        """Switch a fault on for this person."""
        body = {"provider": "google", "person": self.person, "fault": fault} | options
        answer = requests.post(f"{self._sandbox}/scenarios", json=body, timeout=TIMEOUT_S)
        assert answer.status_code == 200, answer.text

    def slow_call(self, seconds: float, do: Callable[[], object]) -> None:
        """Make the next call of this person's last so long, do what leads to it, and await it."""
        self.fault("slow", seconds=seconds, times=1)
        do()
        eventually(lambda: not self.active_faults(), within_s=20, what="the slow call")

    def clear_faults(self) -> None:
        """Switch every fault off, for everybody."""
        requests.delete(f"{self._sandbox}/scenarios", timeout=TIMEOUT_S)

    def calls(self, path: str) -> int:
        """Count the answered calls whose method and path are *path*, as in `POST /token`."""
        state = requests.get(f"{self._google}/__state", timeout=TIMEOUT_S).json()
        return int(state["calls"].get(path, 0))

    def all_calls(self) -> int:
        """Count the answered calls of the Calendar API."""
        calls = requests.get(f"{self._google}/__state", timeout=TIMEOUT_S).json()["calls"]
        return sum(count for path, count in calls.items() if "/calendar/v3/" in path)

    def active_faults(self) -> list[str]:
        """List the faults that are on."""
        active = requests.get(f"{self._sandbox}/scenarios", timeout=TIMEOUT_S).json()["active"]
        return [fault["fault"] for fault in active]

    def channels(self) -> int:
        """Count the push channels that are open for this person."""
        state = requests.get(f"{self._google}/__state", timeout=TIMEOUT_S).json()
        return sum(channel["person"] == self.person for channel in state["channels"])

    def create(self, summary: str, day: str, time: str = "09:00") -> str:
        """Add an event of half an hour to the primary calendar; gives its id."""
        hour, minute = (int(part) for part in time.split(":"))
        end = f"{hour:02}:{minute + 29:02}"
        body = {
            "summary": summary,
            "start": {"dateTime": f"{day}T{time}:00Z"},
            "end": {"dateTime": f"{day}T{end}:00Z"},
        }
        answer = requests.post(
            f"{self._google}/calendar/v3/calendars/primary/events",
            json=body,
            headers=self._headers,
            timeout=TIMEOUT_S,
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def listing(self, **query: str) -> list[dict[str, Any]]:
        """List the primary calendar as the provider has it."""
        items: list[dict[str, Any]] = []
        page: dict[str, str] = {}
        while True:
            answer = requests.get(
                f"{self._google}/calendar/v3/calendars/primary/events",
                params={"maxResults": "2500"} | query | page,
                headers=self._headers,
                timeout=60,
            ).json()
            items += answer["items"]
            if "nextPageToken" not in answer:
                return items
            page = {"pageToken": answer["nextPageToken"]}


def _query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
