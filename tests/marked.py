"""Marked secrets, sent through every flow on good days and bad."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.flows.test_connect_caldav import DavWorld
from tests.world import ADA, GRACE, Tokens, query_of

TITLE, PLACE, TEXT = "MarkedTitle", "MarkedPlace", "MarkedDescription"
GUEST, GUEST_NAME = "marked.guest@elsewhere.test", "Marked Guest"
WRONG = "marked-wrong-password"
PARTNER_STATE = "marked-partner-state"
PEOPLE = (ADA, GRACE, "Lovelace", "Hopper, Grace", "Grace Hopper")
SHORTEST = 8


class Collector:
    """Walks the flows and remembers everything that nobody else may see."""

    def __init__(self, world: DavWorld) -> None:
        self.world = world
        self.secrets = {TITLE, PLACE, TEXT, GUEST, GUEST_NAME, WRONG, PARTNER_STATE, *PEOPLE}
        self._listen()

    def run(self) -> set[str]:
        """Walk everything; gives the secrets."""
        world = self.world
        self._event()
        tokens = self._connect(ADA)
        self._connect(GRACE)
        password = self._typed_login()
        world.work()
        self._event()
        world.work()
        for held in (tokens, password):
            assert world.events(world.renew(held))
            world.get(world.renew(held), "/v1/userinfo")
            world.get(held, "/v1/events", tzid="nonsense", marked=TITLE)
        self._bad_requests(tokens)
        self._bad_days()
        self._ends(tokens)
        self.secrets |= self._at_google() | {world.own["client_secret"]}
        return {secret for secret in self.secrets if len(secret) >= SHORTEST}

    def _listen(self) -> None:
        """Remember what we send to Google: codes, verifiers, tokens, its client secret."""
        inner = self.world.google.app

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            self.secrets.add(environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer "))
            if environ["PATH_INFO"] in ("/token", "/revoke"):
                body = environ["wsgi.input"].read()
                environ["wsgi.input"] = BytesIO(body)
                form = parse_qs(body.decode())
                names = ("code", "code_verifier", "refresh_token", "token", "client_secret")
                self.secrets |= {form[name][0] for name in names if name in form}
            return inner(environ, start_response)

        self.world.google.app = app

    def _event(self) -> None:
        self.world.state.person(ADA).create_event(
            summary=TITLE,
            description=TEXT,
            location=PLACE,
            attendees=[{"email": GUEST, "displayName": GUEST_NAME}],
            start={"dateTime": "2026-03-12T09:00:00Z"},
            end={"dateTime": "2026-03-12T09:30:00Z"},
        )

    def _connect(self, person: str) -> Tokens:
        world = self.world
        browser = world.browser()
        url = world.leave(browser, state=PARTNER_STATE)
        asked = query_of(url)
        self.secrets |= {asked["state"], asked["nonce"]}
        cookie = browser.get_cookie("calbroker", domain="127.0.0.1")
        assert cookie is not None
        self.secrets.add(cookie.value)
        back = world.consent(url, person)
        self.secrets.add(query_of(back)["code"])
        home = world.arrive(browser, back).headers["Location"]
        self.secrets.add(query_of(home)["code"])
        return self._noted(world.exchange(home))

    def _noted(self, tokens: Tokens) -> Tokens:
        self.secrets |= {tokens.access, tokens.refresh}
        return tokens

    def _typed_login(self) -> Tokens:
        """Connect by password after a wrong guess."""
        world, right = self.world, "marked-right-password"
        world.try_login(password=WRONG)
        world.change_password(right)
        self.secrets.add(right)
        answer = world.try_login(password=right)
        return self._noted(world.exchange(answer.headers["Location"]))

    def _bad_requests(self, tokens: Tokens) -> None:
        world, browser = self.world, self.world.browser()
        world.token(grant_type="authorization_code", code=WRONG)
        world.token(grant_type="refresh_token", refresh_token=tokens.access)
        world.token(grant_type="refresh_token", refresh_token=tokens.refresh, client_secret=WRONG)
        browser.get("/v1/events", headers={"Authorization": f"Bearer {WRONG}"})
        browser.get(f"/connect/google/callback?state={WRONG}&code={WRONG}")
        browser.post("/oauth/token", data=f'{{"code": "{WRONG}"', content_type="application/json")
        world.authorize(browser, redirect_uri=f"https://evil.test/{WRONG}", state=PARTNER_STATE)
        back = world.consent(world.leave(browser))
        world.arrive(world.browser(), back)
        world.faults.set(ADA, "invalid_client", times=1)
        world.arrive(browser, back)
        world.try_login(url=f"https://user:{WRONG}@10.0.0.1/")

    def _bad_days(self) -> None:
        world = self.world
        for fault in ("server_error_500", "invalid_json", "throttled_429", "truncated_body"):
            world.faults.set(None, fault)
            self._later()
            world.faults.clear()
        world.state.expire_sync_tokens()
        self._later()
        address, headers = world.delivered[-1]
        forged = {**headers, "X-Goog-Channel-Token": WRONG}
        world.browser().post(urlsplit(address).path, headers=forged)
        world.change_password("marked-third-password")
        world.faults.set(GRACE, "revoked_grant")
        self._later()
        world.faults.clear()
        self._unexpected()

    def _later(self) -> None:
        self.world.clock.advance(hours=2)
        self.world.work()

    def _unexpected(self) -> None:
        """Let something fail that no class of ours describes."""
        inner = self.world.google.app

        def broken(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            raise RuntimeError(f"{TITLE} {environ.get('HTTP_AUTHORIZATION', '')}")

        self.world.google.app = broken
        self.world.clock.advance(hours=2)
        for _ in range(8):
            try:
                self.world.work()
            except RuntimeError:
                continue
        self.world.google.app = inner
        self._later()

    def _ends(self, tokens: Tokens) -> None:
        """Relink with the wrong login and with the right one."""
        world = self.world
        profile = world.profile(tokens)["profile_id"]
        world.relink(profile, GRACE)
        world.relink(profile, ADA)
        world.work()

    def _at_google(self) -> set[str]:
        held = self.world.state.world
        channels = {channel.token or "" for channel in held.channels.values()}
        return {*held.access_tokens, *held.refresh_tokens, *held.codes, *channels}
