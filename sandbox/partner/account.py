"""One visitor's authorized account: tokens that are refreshed once, and everything it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from . import agenda
from .broker import Broker, Refused
from .store import Store

DAYS = 14


class AuthorizeAgain(Exception):
    """The broker no longer honours our refresh token: only the person can help."""


@dataclass
class Overview:
    """What arrived, part by part; *problems* says for each missing part why."""

    userinfo: dict[str, Any] = field(default_factory=dict)
    calendars: list[dict[str, Any]] = field(default_factory=list)
    days: list[agenda.Day] = field(default_factory=list)
    blocks: list[agenda.Block] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def profiles(self) -> list[dict[str, Any]]:
        """The connected services."""
        return list(self.userinfo.get("cronofy.data", {}).get("profiles", []))

    @property
    def first_sync_pending(self) -> bool:
        """Whether events are still on their way."""
        return any(profile.get("profile_initial_sync_required") for profile in self.profiles)

    @property
    def zone(self) -> ZoneInfo:
        """The person's time zone, as the broker knows it."""
        try:
            return ZoneInfo(self.userinfo.get("zoneinfo") or "Etc/UTC")
        except (KeyError, ValueError):
            return ZoneInfo("Etc/UTC")


class Account:
    """The account that *visitor*'s browser authorized."""

    def __init__(self, broker: Broker, store: Store, visitor: str) -> None:
        """Work with the tokens that the store holds for the visitor."""
        self._broker = broker
        self._store = store
        self._visitor = visitor

    @property
    def tokens(self) -> dict[str, Any]:
        """The tokens. Raises AuthorizeAgain when there are none."""
        tokens = self._store.tokens(self._visitor)
        if tokens is None:
            raise AuthorizeAgain
        return tokens

    def keep(self, answer: dict[str, Any]) -> None:
        """Remember the tokens of a token answer; what it leaves out stays as it was."""
        known = self._store.tokens(self._visitor) or {}
        if answer["sub"] != known.get("sub"):
            known = {}
        now = datetime.now(UTC)
        expires_at = now + timedelta(seconds=int(answer["expires_in"]))
        self._store.keep_tokens(
            self._visitor,
            {**known, **answer, "got_at": now.isoformat(), "expires_at": expires_at.isoformat()},
        )

    def refresh(self) -> None:
        """Get a new access token. Raises AuthorizeAgain, and then the tokens are forgotten."""
        try:
            self.keep(self._broker.refresh(self.tokens["refresh_token"]))
        except Refused as refusal:
            if refusal.error != "invalid_grant":
                raise
            self._store.forget(self._visitor)
            raise AuthorizeAgain from refusal

    def call(self, send: Callable[[str], Any]) -> Any:
        """Send a request with the access token; after a 401 refresh and send it once more."""
        try:
            return send(self.tokens["access_token"])
        except Refused as refusal:
            if refusal.status != 401:
                raise
        self.refresh()
        return send(self.tokens["access_token"])

    def overview(self) -> Overview:
        """Read everything that the page shows."""
        seen = Overview()
        broker = self._broker
        seen.userinfo = self._part(
            seen, "profile", lambda token: broker.get("/v1/userinfo", token), {}
        )
        seen.calendars = self._part(
            seen, "calendars", lambda token: broker.get("/v1/calendars", token)["calendars"], []
        )
        today = datetime.now(seen.zone).date()
        params = {
            "tzid": str(seen.zone),
            "from": today.isoformat(),
            "to": (today + timedelta(days=DAYS)).isoformat(),
            "include_managed": "true",
        }
        names = {c["calendar_id"]: c["calendar_name"] for c in seen.calendars}
        events = self._part(
            seen, "events", lambda token: broker.pages("/v1/events", "events", token, params), []
        )
        seen.days = agenda.days(events, names, seen.zone, today)
        blocks = self._part(
            seen,
            "free_busy",
            lambda token: broker.pages("/v1/free_busy", "free_busy", token, params),
            [],
        )
        seen.blocks = agenda.blocks(blocks, names, seen.zone)
        return seen

    def disconnect(self) -> None:
        """Give every connected service back, end the grant, and forget the tokens."""
        try:
            profiles = self.call(lambda token: self._broker.get("/v1/profiles", token))["profiles"]
            for profile in profiles:
                self.call(partial(self._give_back, profile["profile_id"]))
            self._broker.revoke(self.tokens["refresh_token"])
        except AuthorizeAgain:
            return
        self._store.forget(self._visitor)

    def _give_back(self, profile_id: str, token: str) -> None:
        try:
            self._broker.revoke_profile(profile_id, token)
        except Refused as refusal:
            # It went in the meantime, which is what was wanted.
            if refusal.status != 404:
                raise

    def _part(self, seen: Overview, part: str, send: Callable[[str], Any], nothing: Any) -> Any:
        try:
            return self.call(send)
        except Refused as refusal:
            seen.problems[part] = _explain(refusal)
            return nothing


def _explain(refusal: Refused) -> str:
    if refusal.status == 403:
        return "You did not give Acme this permission."
    if refusal.status == 429:
        return "Acme asked too often. Read again in a moment."
    if refusal.status >= 500:
        return f"Calbroker has a problem just now ({refusal.status}). Read again in a moment."
    return f"Calbroker refused: {refusal}."
