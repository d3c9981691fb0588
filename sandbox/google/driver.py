"""A person at a browser, for scenarios and tests: passes the pages and collects the tokens."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask
from werkzeug.test import TestResponse

from .scopes import PREFIX
from .seed import CALLBACK, CLIENT_ID, CLIENT_SECRET

AUTHORIZE = "/o/oauth2/v2/auth"
REDIRECT_URI = f"http://127.0.0.1:5000{CALLBACK}"
FULL_ACCESS = f"openid email {PREFIX}calendar"

PASSWORD = "sandbox"

_TICKET = re.compile(r'name="ticket" value="([^"]+)"')


class Visitor:
    """Drives the app in process; cookies are kept."""

    def __init__(self, app: Flask) -> None:
        """Open a fresh browser."""
        self.client = app.test_client()

    def query(self, **changes: Any) -> dict[str, Any]:
        """Return a sound authorization request, changed as asked; None leaves a field out."""
        query = {
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "scope": FULL_ACCESS,
            "access_type": "offline",
            "prompt": "consent select_account",
            "state": "some-state",
        }
        return {k: v for k, v in (query | changes).items() if v is not None}

    def open(self, **changes: Any) -> TestResponse:
        """Arrive at the authorization page."""
        return self._on(self.client.get(AUTHORIZE, query_string=self.query(**changes)))

    def sign_in(self, email: str, password: str = PASSWORD, **changes: Any) -> TestResponse:
        """Send the sign-in form."""
        form = {"email": email, "password": password}
        query = self.query(**changes)
        return self._on(self.client.post(AUTHORIZE, query_string=query, data=form))

    def _on(self, answer: TestResponse) -> TestResponse:
        """Follow a redirect from one of these pages to the next."""
        here = (answer.location or "").startswith("?")
        return self.client.get(AUTHORIZE + answer.location) if here else answer

    def decide(self, page: TestResponse, form: dict[str, Any], **changes: Any) -> TestResponse:
        """Send the consent form of a page with the boxes and the button in `form`."""
        found = _TICKET.search(page.text)
        ticket = found[1] if found else ""
        return self.client.post(
            AUTHORIZE, query_string=self.query(**changes), data={"ticket": ticket, **form}
        )

    def auto(self, email: str, **changes: Any) -> dict[str, str]:
        """Pass without pages; return the parameters of the callback."""
        return callback(self.open(_auto=email, **changes))

    def exchange(self, code: str, /, **changes: Any) -> TestResponse:
        """Trade a code for tokens."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
        return self._token(form | changes)

    def refresh(self, refresh_token: str, /, **changes: Any) -> TestResponse:
        """Trade a refresh token for an access token."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._token(form | changes)

    def _token(self, form: dict[str, Any]) -> TestResponse:
        client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        return self.client.post("/token", data=client | form)

    def tokens(self, email: str, scope: str = FULL_ACCESS, **changes: Any) -> dict[str, Any]:
        """Connect a person and return the token answer."""
        code = self.auto(email, scope=scope, **changes)["code"]
        return dict(self.exchange(code).get_json())


class ApiUser:
    """Calls the Calendar API in process with a bearer token."""

    def __init__(self, app: Flask, access_token: str) -> None:
        """Take the token; every call carries it."""
        self.client = app.test_client()
        self.headers = {"Authorization": f"Bearer {access_token}"}

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        """Send a request below `/calendar/v3`."""
        headers = self.headers | options.pop("headers", {})
        return self.client.open(f"/calendar/v3{path}", method=method, headers=headers, **options)

    def get(self, path: str, **query: Any) -> TestResponse:
        """Send a GET with query parameters."""
        return self.call("GET", path, query_string=query)

    def events(self, calendar: str = "primary", **query: Any) -> tuple[list[Any], str | None]:
        """List events through all pages; return them with the sync token."""
        items: list[Any] = []
        page: dict[str, Any] = {}
        while True:
            answer = self.get(f"/calendars/{calendar}/events", **query, **page).get_json()
            items += answer["items"]
            if "nextPageToken" not in answer:
                return items, answer.get("nextSyncToken")
            page = {"pageToken": answer["nextPageToken"]}


def callback(answer: TestResponse) -> dict[str, str]:
    """Return the parameters that a redirect carries to the client."""
    query = urlsplit(answer.headers.get("Location", "")).query
    return {name: values[0] for name, values in parse_qs(query).items()}


def connect(app: Flask, email: str, scope: str = FULL_ACCESS) -> ApiUser:
    """Connect a person with everything that is asked and return a caller of the API."""
    return ApiUser(app, Visitor(app).tokens(email, scope)["access_token"])
