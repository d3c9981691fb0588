"""A broker in a hundred lines: just enough of the wire for the partner application."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, request
from flask.typing import ResponseReturnValue

URL = "http://broker.test"
ACCESS, REFRESH = "access-token-one-secret", "refresh-token-secret"


class FakeBroker:
    """Answers as the broker does; tests change the attributes to change the answers."""

    def __init__(self) -> None:
        self.code = "the-code"
        self.challenge = ""
        self.live_token = ACCESS
        self.sub = "acc_1"
        self.refusal: tuple[str, int] | None = None
        self.missing: dict[str, int] = {}
        self.profile: dict[str, Any] = {
            "profile_id": "pro_1",
            "profile_name": "ada@calbroker.test",
            "provider_name": "google",
            "provider_service": "gsuite",
            "profile_connected": True,
            "profile_initial_sync_required": False,
        }
        self.events: list[list[dict[str, Any]]] = [[]]
        self.exchanged: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.revoked: list[str] = []
        self.queries: list[dict[str, str]] = []
        self.app = self._app()

    def _app(self) -> Flask:
        app = Flask("fake_broker")
        app.before_request(self._note)
        app.post("/oauth/token")(self.token)
        app.post("/oauth/token/revoke")(self.revoke)
        app.post("/v1/profiles/<profile_id>/revoke")(self.revoke_profile)
        for path, answer in (
            ("/v1/userinfo", self.userinfo),
            ("/v1/profiles", lambda: {"profiles": [self.profile]}),
            ("/v1/calendars", self.calendars),
            ("/v1/events", lambda: self.page(1)),
            ("/v1/events/pages/<int:number>", self.page),
            ("/v1/free_busy", self.free_busy),
        ):
            app.add_url_rule(path, path, answer)
        return app

    def _note(self) -> ResponseReturnValue | None:
        self.calls.append(f"{request.method} {request.path}")
        if request.path in self.missing:
            return {"error": "no"}, self.missing[request.path]
        if request.path.startswith("/v1/"):
            if request.headers["Authorization"] != f"Bearer {self.live_token}":
                return {}, 401
        return None

    def token(self) -> ResponseReturnValue:
        body = request.get_json()
        self.exchanged.append(body)
        if self.refusal:
            return {"error": self.refusal[0]}, self.refusal[1]
        if body["grant_type"] == "authorization_code":
            digest = hashlib.sha256(body["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if (body["code"], challenge) != (self.code, self.challenge):
                return {"error": "invalid_grant"}, 400
        else:
            self.live_token = f"access-token-{len(self.exchanged)}-secret"
        return {
            "token_type": "bearer",
            "access_token": self.live_token,
            "refresh_token": REFRESH,
            "expires_in": 3600,
            "scope": "read_events",
            "sub": self.sub,
            "linking_profile": self.profile,
        }

    def revoke(self) -> ResponseReturnValue:
        self.revoked.append(request.get_json()["token"])
        return ""

    def revoke_profile(self, profile_id: str) -> ResponseReturnValue:
        self.revoked.append(profile_id)
        return "", 202

    def userinfo(self) -> ResponseReturnValue:
        return {
            "sub": "acc_1",
            "email": "ada@calbroker.test",
            "name": "Ada Lovelace",
            "zoneinfo": "Europe/Berlin",
            "cronofy.data": {"profiles": [self.profile]},
        }

    def calendars(self) -> ResponseReturnValue:
        calendar = {
            "calendar_id": "cal_1",
            "calendar_name": "Work & play",
            "profile_name": "ada@calbroker.test",
            "calendar_primary": True,
            "calendar_readonly": False,
            "calendar_deleted": False,
        }
        return {"calendars": [calendar]}

    def page(self, number: int) -> ResponseReturnValue:
        self.queries.append(request.args.to_dict())
        pages: dict[str, Any] = {"current": number, "total": len(self.events)}
        if number < len(self.events):
            pages["next_page"] = f"{URL}/v1/events/pages/{number + 1}"
        return {"pages": pages, "events": self.events[number - 1]}

    def free_busy(self) -> ResponseReturnValue:
        start = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
        block = {
            "calendar_id": "cal_1",
            "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "end": f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
            "free_busy_status": "tentative",
        }
        return {"pages": {"current": 1, "total": 1}, "free_busy": [block]}


def event(summary: str, start: str, end: str, **fields: Any) -> dict[str, Any]:
    """Make an event as the API gives it."""
    return {"calendar_id": "cal_1", "summary": summary, "start": start, "end": end, **fields}
