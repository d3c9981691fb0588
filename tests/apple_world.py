"""A world with iCloud's stand-in in it, on its entry and partition hosts."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import TestResponse

from broker.settings import AppleSettings
from sandbox import icloud
from sandbox.icloud import Call
from sandbox.icloud.state import PersonHandle
from tests.world import NOW, Tokens, World
from tests.wsgi_adapter import WsgiAdapter

ENTRY = "http://127.0.0.1:5050/icloud/"
PARTITION = "http://localhost:5050/icloud/"
APPLE_ADA = "ada@icloud.calbroker.test"
APPLE_GRACE = "grace@icloud.calbroker.test"
APP_PASSWORD = "abcd-efgh-ijkl-mnop"
WRONG = "qqqq-wwww-eeee-rrrr"


class AppleWorld(World):
    """A broker, Google and iCloud."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.icloud_app = icloud.create_app(now=self._now)
        nothing = DispatcherMiddleware(_not_found, {"/icloud": self.icloud_app.wsgi_app})
        self.icloud = WsgiAdapter(nothing)
        changes.setdefault("apple", AppleSettings(ENTRY))
        super().__init__(folder, mounts={ENTRY: self.icloud, PARTITION: self.icloud}, **changes)

    def _now(self) -> datetime:
        """Tell the world's time; it begins while the stand-in is being seeded."""
        return self.clock.now() if hasattr(self, "clock") else NOW

    @property
    def ada(self) -> PersonHandle:
        """Ada at iCloud, past every check of the server."""
        state: icloud.ICloudState = self.icloud_app.extensions["icloud"]
        return state.person(APPLE_ADA)

    @property
    def icloud_faults(self) -> icloud.Faults:
        """The switches of iCloud's stand-in."""
        found: icloud.Faults = self.icloud_app.extensions["faults"]
        return found

    @property
    def icloud_calls(self) -> list[Call]:
        """What iCloud's stand-in has answered, oldest first."""
        return list(self.icloud_app.extensions["calls"])

    def refused(self) -> int:
        """Count the logins that iCloud refused."""
        return sum(call.status in (401, 403) for call in self.icloud_calls)

    def try_apple(self, browser: FlaskClient | None = None, **typed: str) -> TestResponse:
        """Send the form, with what is right unless told otherwise."""
        browser = browser or self.browser()
        page = self.open(browser, provider_name="apple")
        return self.press(browser, page, **{"email": APPLE_ADA, "app_code": APP_PASSWORD} | typed)

    def connected_to_apple(self, **typed: str) -> Tokens:
        """Take a person all the way."""
        answer = self.try_apple(**typed)
        assert answer.status_code == 303, answer.text
        return self.exchange(answer.headers["Location"])


def _not_found(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("404 Not Found", [])
    return [b""]
