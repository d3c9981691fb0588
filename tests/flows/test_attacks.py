"""Attacks on the connect flow, its pages and the hooks: what security.md promises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from flask import request, session
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from broker.providers.base import Provider
from broker.providers.google import Google
from tests.world import (
    ADA,
    BROKER,
    GRACE,
    REDIRECT,
    SCOPE,
    World,
    csrf,
    form_action,
    form_targets,
    query_of,
)

PUBLIC = "https://broker.example"
APPLICATIONS_AND_PROVIDERS = ("/oauth/", "/v1/", "/hooks/", "/.well-known/")


@pytest.fixture
def public(tmp_path: Path) -> Iterator[World]:
    """A broker outside local mode, under https."""
    made = World(tmp_path, public_url=PUBLIC, local=False)
    yield made
    made.close()


def stored(world: World) -> tuple[int, ...]:
    """Count what connecting leaves behind."""
    tables = ("connections", "accounts", "profiles", "grants", "authorization_codes", "tasks")
    return tuple(world.count(table) for table in tables)


# -- mix-up and session fixation


def test_a_state_of_one_provider_is_refused_at_the_callback_of_another(world: World) -> None:
    """B1: mix-up."""
    browser = world.browser()
    state = query_of(world.leave(browser))["state"]

    page = browser.get(f"/connect/caldav/callback?state={state}&code=x")

    assert page.status_code == 400
    assert world.calls("/token") == 0
    assert stored(world) == (0,) * 6


class Second(Google):
    """Another provider whose people sign in there; its code must never be taken for Google's."""

    slug = "second"


@pytest.mark.parametrize(("begun", "back"), [("google", "second"), ("second", "google")])
def test_a_state_of_one_oauth_provider_is_refused_at_the_callback_of_another(
    world: World, begun: str, back: str
) -> None:
    """B1: mix-up. The right callback still takes it."""
    assert world.settings.google
    second = Second(world.runtime.http, world.clock, world.settings.google)
    cast(dict[str, Provider], world.runtime.providers)["second"] = second
    browser = world.browser()
    page = world.open(browser)
    start = form_action(page).replace("/cancel", f"/{begun}")
    leaving = browser.post(start, data={"csrf_token": csrf(page)}).headers["Location"]
    assert f"connect%2F{begun}%2Fcallback" in leaving
    state = query_of(leaving)["state"]

    refused = browser.get(f"/connect/{back}/callback?state={state}&code=x")

    assert refused.status_code == 400
    assert world.calls("/token") == 0
    assert stored(world) == (0,) * 6
    browser.get(f"/connect/{begun}/callback?state={state}&code=x")
    assert world.calls("/token") == 1


def test_an_answer_of_another_issuer_is_refused(world: World) -> None:
    """B1, RFC 9207: the code of an attacker's server never goes to Google."""
    browser = world.browser()
    back = world.consent(world.leave(browser))

    code = query_of(back)["code"]
    for issuers in ("iss=https://evil.example", "iss=https://accounts.google.com&iss=evil", "iss="):
        state = query_of(world.leave(browser))["state"]
        page = browser.get(f"/connect/google/callback?state={state}&code={code}&{issuers}")

        assert page.status_code == 400
    assert world.calls("/token") == 0
    assert stored(world) == (0,) * 6


def test_a_callback_in_another_browser_stores_nothing(world: World) -> None:
    """B2: the attacker's link, opened by the victim."""
    attacker, victim = world.browser(), world.browser()
    world.open(victim)
    back = world.consent(world.leave(attacker))

    for browser in (victim, world.browser()):
        page = world.arrive(browser, back)
        assert page.status_code == 400
        assert "lost track of your browser" in page.text
    assert world.calls("/token") == 0
    assert stored(world) == (0,) * 6
    # Whoever began may still finish: a stranger cannot spend their state.
    assert world.arrive(attacker, back).status_code == 303


def test_a_handle_opens_nothing_in_another_browser(world: World) -> None:
    """B2: the address of a page alone is worth nothing."""
    browser, stranger = world.browser(), world.browser()
    page = world.open(browser, provider_name="google")
    own = world.open(stranger, provider_name="google")

    seen = stranger.get(form_action(page))
    pressed = stranger.post(form_action(page), data={"csrf_token": csrf(own)})
    cancelled = stranger.post(
        form_action(page).replace("/google", "/cancel"), data={"csrf_token": csrf(own)}
    )

    assert {seen.status_code, pressed.status_code, cancelled.status_code} == {400}
    assert "Acme" not in seen.text
    # The page has no way on of its own: to begin again here would hand a stranger the state.
    assert "press its button again" in seen.text
    assert "Start again" not in seen.text
    assert browser.get(form_action(page)).status_code == 200


@pytest.mark.parametrize("query", ["", "?state=", "?state=x", "?state=%00", "?state=x&code=y"])
def test_a_callback_that_nobody_asked_for_is_refused(world: World, query: str) -> None:
    """B2."""
    page = world.browser().get(f"/connect/google/callback{query}")

    assert page.status_code == 400
    assert world.calls() == 0


def test_a_state_works_once(world: World) -> None:
    """B2: replayed with the same code or with another."""
    browser = world.browser()
    back = world.consent(world.leave(browser))
    assert world.arrive(browser, back).status_code == 303
    before = stored(world)

    again = world.arrive(browser, back)

    assert again.status_code == 400
    assert stored(world) == before


def test_a_code_of_another_login_cannot_be_injected(world: World) -> None:
    """B3: PKCE and nonce bind Google's code to the attempt it was made for."""
    attacker, victim = world.browser(), world.browser()
    stolen = query_of(world.consent(world.leave(attacker), GRACE))["code"]
    state = query_of(world.leave(victim))["state"]

    page = world.arrive(victim, f"/connect/google/callback?state={state}&code={stolen}")

    assert page.status_code == 400
    assert stored(world) == (0,) * 6


def test_the_code_of_one_tab_does_not_serve_the_other(world: World) -> None:
    """B4."""
    browser = world.browser()
    first, second = world.leave(browser), world.leave(browser)
    code = query_of(world.consent(first, GRACE))["code"]

    page = world.arrive(
        browser, f"/connect/google/callback?state={query_of(second)['state']}&code={code}"
    )

    assert page.status_code == 400
    assert stored(world) == (0,) * 6


def test_the_browser_is_bound_by_a_host_cookie(public: World) -> None:
    """B2."""
    asked = {"client_id": public.own["client_id"], "redirect_uri": public.own["redirect_uri"]}

    answer = public.browser().get(
        "/oauth/authorize", query_string=asked | {"response_type": "code", "scope": SCOPE}
    )

    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-calbroker=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


# -- forms


@pytest.mark.parametrize("token", [None, "", "wrong", "foreign"])
@pytest.mark.parametrize("action", ["google", "caldav", "cancel"])
def test_no_form_works_without_its_token(world: World, action: str, token: str | None) -> None:
    """E1."""
    browser = world.browser()
    chooser = world.authorize(browser).headers["Location"]
    browser.get(chooser)
    if token == "foreign":
        token = csrf(world.open(world.browser()))
    data = {"url": "https://dav.test/", "username": "ada", "password": "sandbox"}
    if token is not None:
        data["csrf_token"] = token

    answer = browser.post(f"{chooser}/{action}", data=data)

    assert answer.status_code == 400
    assert "open for too long" in answer.text
    assert "Location" not in answer.headers
    assert stored(world) == (0,) * 6
    assert browser.get(chooser).status_code == 200


def test_every_route_that_changes_something_is_covered_or_brings_its_own_proof(
    world: World,
) -> None:
    """E1: only applications and providers, which carry secrets, are spared the token."""
    posts = {
        rule.rule
        for rule in world.app.url_map.iter_rules()
        if (rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}
    }
    proved = {path for path in posts if path.startswith(APPLICATIONS_AND_PROVIDERS)}

    assert posts - proved == {"/connect/<handle>/cancel", "/connect/<handle>/<slug>"}


# -- open redirects


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/",
        "http://127.0.0.1:5050.evil.example/callback",
        "http://127.0.0.1@evil.example/callback",
        "//evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://127.0.0.1:5050/callback#x",
        "http://127.0.0.1:5050\\@evil.example/callback",
        "",
    ],
)
def test_a_bad_redirect_uri_never_redirects(world: World, uri: str) -> None:
    """A2."""
    answer = world.authorize(world.browser(), redirect_uri=uri)

    assert answer.status_code == 400
    assert "Location" not in answer.headers
    for place in ("https://evil", "http://127", "//evil", "javascript:", "data:"):
        assert f'href="{place}' not in answer.text
        assert f'action="{place}' not in answer.text


def test_an_unknown_client_never_redirects(world: World) -> None:
    """A2."""
    answer = world.authorize(world.browser(), client_id="cli_unknown")

    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert REDIRECT not in answer.text


def test_other_errors_go_to_the_application(world: World) -> None:
    """A2, A7."""
    answer = world.authorize(world.browser(), response_type="token")

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(REDIRECT + "?")
    found = query_of(answer.headers["Location"])
    assert found["error"] == "unsupported_response_type"
    assert (found["state"], found["iss"]) == ("partner-state", BROKER)


# -- headers and hosts


def _pages(world: World, browser: FlaskClient) -> dict[str, TestResponse]:
    """Open a page of every kind."""
    chooser = world.open(browser)
    google = world.open(browser, provider_name="google")
    return {
        "chooser": chooser,
        "google": google,
        "caldav": world.open(browser, provider_name="caldav"),
        "bad client": world.authorize(browser, client_id="x"),
        "attempt over": browser.get("/connect/unknown"),
        "callback": browser.get("/connect/google/callback?state=x"),
        "not found": browser.get("/nowhere"),
        "no form token": browser.post(form_action(google)),
        "wrong method": browser.post("/connect/unknown"),
        "unknown profile": browser.get("/relink/pro_unknown"),
    }


def test_every_page_is_framed_by_security_headers(public: World) -> None:
    """A8, E1."""
    for name, page in _pages(public, public.browser()).items():
        headers = page.headers
        policy = headers["Content-Security-Policy"]

        assert page.mimetype == "text/html", name
        assert "unsafe" not in policy, name
        assert "default-src 'none'" in policy, name
        assert "frame-ancestors 'none'" in policy, name
        assert "base-uri 'none'" in policy, name
        assert headers["X-Content-Type-Options"] == "nosniff", name
        assert headers["Referrer-Policy"] == "no-referrer", name
        assert "no-store" in headers["Cache-Control"], name
        assert headers["Strict-Transport-Security"].startswith("max-age="), name
        assert "geolocation=()" in headers["Permissions-Policy"], name
        assert "Server" not in headers, name


def test_forms_lead_elsewhere_by_redirect_only_while_connecting(public: World) -> None:
    """E1: by scheme, since CSP level 3 names neither `[::1]` nor where applications lead on to."""
    connecting = {"chooser", "google", "caldav", "no form token"}

    for name, page in _pages(public, public.browser()).items():
        assert form_targets(page) == ["'self'"] + ["http:"] * (name in connecting), name


@pytest.mark.parametrize("path", ["/v1/account", "/oauth/token", "/v1/nothing", "/health"])
def test_no_answer_is_taken_for_what_it_is_not(public: World, path: str) -> None:
    """E1: nor is the next question asked in the clear."""
    headers = public.browser().get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Strict-Transport-Security"].startswith("max-age=")


@pytest.mark.parametrize("path", ["/v1/account", "/oauth/token", "/hooks/google/sub_1", "/health"])
def test_what_is_not_for_people_takes_no_cookie_and_gives_none(world: World, path: str) -> None:
    browser = world.browser()
    world.open(browser)
    kept = browser.get_cookie("calbroker", "127.0.0.1")
    assert kept is not None

    with browser:
        answer = browser.get(path)

        assert list(session.keys()) == []
    assert "Set-Cookie" not in answer.headers


def test_redirects_with_codes_are_not_kept(world: World) -> None:
    """A8: a code in a Location header stays out of caches and referrers."""
    browser = world.browser()

    answer = world.arrive(browser, world.consent(world.leave(browser)))

    assert answer.status_code == 303
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer.headers["Cache-Control"]


def test_another_host_name_is_refused(public: World) -> None:
    """E3: no link of ours ever leads to a host that somebody merely named."""
    client = public.browser()

    refused = client.get("/oauth/authorize", base_url="https://evil.example")
    probe = client.get("/health", base_url="http://10.0.0.7:8000")

    assert refused.status_code == 400
    assert "evil.example" not in refused.text
    assert probe.status_code != 400


def test_forwarded_headers_mean_nothing_unless_proxies_are_trusted(public: World) -> None:
    """E3."""
    client = public.browser()
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "192.0.2.1"}

    answer = client.get("/nowhere", headers=forged)
    lying = client.get(
        "/nowhere", base_url="https://evil.example", headers={"X-Forwarded-Host": PUBLIC[8:]}
    )

    assert answer.status_code == 404
    assert "evil.example" not in answer.text
    assert lying.status_code == 400


def test_a_trusted_proxy_names_the_host(tmp_path: Path) -> None:
    """E3: counted from our side, so that what a client adds in front is not believed."""
    world = World(tmp_path, public_url=PUBLIC, local=False, trusted_proxies=1)

    def ask(hosts: str) -> TestResponse:
        headers = {"X-Forwarded-Host": hosts, "X-Forwarded-Proto": "https"}
        return world.browser().get("/nowhere", base_url="http://10.0.0.7", headers=headers)

    good, forged = ask("evil.example, broker.example"), ask("broker.example, evil.example")
    world.close()

    assert (good.status_code, forged.status_code) == (404, 400)


# -- bounds


def test_oversized_bodies_are_refused_clearly(world: World) -> None:
    """E4."""
    big = b"x" * (2 * 1024 * 1024)
    browser = world.browser()
    page = world.open(browser, provider_name="google")

    for path in ("/oauth/token", "/oauth/token/revoke", form_action(page)):
        answer = world.browser().post(path, data=big, content_type="application/json")
        assert answer.status_code in (400, 401, 413), path
    form = browser.post(form_action(page), data={"csrf_token": csrf(page), "x": "y" * 2_000_000})
    assert form.status_code in (400, 413)
    assert "Location" not in form.headers


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/token/revoke"])
def test_deep_json_is_refused_clearly(world: World, path: str) -> None:
    """E4."""
    for body in (b"[" * 100_000, b'{"a":' * 100_000, b'{"a": ' + b"9" * 10_000 + b"}", b"\xff"):
        answer = world.browser().post(path, data=body, content_type="application/json")
        assert 400 <= answer.status_code < 500
        assert "error" in json.loads(answer.data)


@pytest.mark.parametrize("name", ["state", "scope", "provider_name", "locale", "link_token"])
def test_endless_parameters_are_refused_or_ignored(world: World, name: str) -> None:
    """E4."""
    answer = world.authorize(world.browser(), **{name: "x" * 100_000})

    assert answer.status_code in (303, 400, 414)
    assert world.count("connect_attempts") <= 1


# -- hooks


def hook(world: World) -> tuple[str, dict[str, str]]:
    """Give the address and headers of a genuine wake-up for the primary calendar."""
    world.state.person(ADA).create_event(
        summary="Wake", start={"date": "2026-03-10"}, end={"date": "2026-03-11"}
    )
    address, headers = next(
        sent for sent in reversed(world.delivered) if sent[1]["X-Goog-Resource-State"] == "exists"
    )
    return address.removeprefix(BROKER), headers


@pytest.fixture
def hooked(world: World) -> World:
    """A world with Ada connected, and push open."""
    world.connected(ADA)
    world.work()
    return world


def test_a_genuine_message_causes_an_early_sync(hooked: World) -> None:
    """F2."""
    path, headers = hook(hooked)
    hooked.work()

    answer = hooked.browser().post(path, headers=headers)

    assert answer.status_code == 204
    assert hooked.work() == 1


@pytest.mark.parametrize(
    "forged",
    [
        {"X-Goog-Channel-Token": "wrong"},
        {"X-Goog-Channel-Token": ""},
        {"X-Goog-Channel-Token": None},
        {"X-Goog-Resource-ID": "other"},
        {"X-Goog-Resource-ID": None},
        {"X-Goog-Channel-ID": "other"},
    ],
)
def test_a_forged_message_changes_nothing(hooked: World, forged: dict[str, str | None]) -> None:
    """F2: unknown id, wrong secret, other resource."""
    path, headers = hook(hooked)
    hooked.work()
    changed = {**headers, **forged}

    answer = hooked.browser().post(
        path, headers={name: value for name, value in changed.items() if value is not None}
    )

    assert answer.status_code == 404
    assert hooked.queue.take() == []
    assert hooked.work() == 0


def test_messages_for_nobody_are_not_found(hooked: World) -> None:
    """F2."""
    path, headers = hook(hooked)
    hooked.work()
    unknown = "/hooks/google/4b0d3d5e-0000-4000-8000-000000000000"
    aimed = {**headers, "X-Goog-Channel-ID": unknown.rpartition("/")[2]}
    browser = hooked.browser()

    answers = [
        browser.post(unknown, headers=aimed),
        browser.post(path.replace("google", "caldav"), headers=headers),
        browser.post(path.replace("google", "nobody"), headers=headers),
        browser.post(path),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert browser.get(path).status_code == 405
    assert hooked.work() == 0


def test_an_oversized_message_is_refused(hooked: World) -> None:
    """E4, F2."""
    path, headers = hook(hooked)
    hooked.work()

    answer = hooked.browser().post(path, headers=headers, data=b"x" * 70_000)

    assert answer.status_code == 413
    assert hooked.work() == 0


def test_a_flood_of_messages_merges_into_one_sync(hooked: World) -> None:
    """F2: replays cost a row update each and one sync in all."""
    path, headers = hook(hooked)
    hooked.work()
    before = hooked.calls("/events", method="GET")

    for _ in range(50):
        assert hooked.browser().post(path, headers=headers).status_code == 204

    assert hooked.work() == 1
    assert hooked.calls("/events", method="GET") == before + 1


def test_messages_after_the_end_start_nothing(world: World) -> None:
    """F2: a channel that outlives its use wakes nobody up."""
    tokens = world.connected(ADA)
    world.work()
    path, headers = hook(world)
    world.work()
    assert world.revoke(tokens).status_code == 200

    answer = world.browser().post(path, headers=headers)

    assert answer.status_code in (204, 404)
    assert world.queue.take() == []
    assert world.work() == 0


# -- relinking


@pytest.fixture
def refused(hooked: World) -> World:
    """A world in which Google no longer accepts Ada's grant."""
    hooked.faults.set(ADA, "revoked_grant")
    hooked.clock.advance(hours=2)
    hooked.work()
    hooked.faults.clear()
    return hooked


def test_relinking_another_login_is_refused_and_changes_nothing(refused: World) -> None:
    """B7, product-behaviour 1.14."""
    (profile,) = refused.rows("SELECT id FROM profiles")
    before = refused.rows("SELECT * FROM connections"), stored(refused)

    page = refused.relink(profile[0], GRACE)

    assert "That was a different account" in page.text
    assert not [grant for grant in refused.state.world.grants.values() if grant.email == GRACE]
    assert (refused.rows("SELECT * FROM connections"), stored(refused)) == before


def test_a_relink_link_tells_a_stranger_next_to_nothing(refused: World) -> None:
    """Whoever finds the link sees a masked address."""
    (profile,) = refused.rows("SELECT id FROM profiles")
    browser = refused.browser()

    page = refused.renewing(browser, profile[0])

    assert page.status_code == 200
    assert ADA not in page.text
    assert "a…@calbroker.test" in page.text


def test_the_way_to_google_for_a_relink_does_not_give_the_address_away(refused: World) -> None:
    """The mask would be worth nothing if the next link carried the whole address."""
    (profile,) = refused.rows("SELECT id FROM profiles")
    browser = refused.browser()
    page = refused.renewing(browser, profile[0])

    leaving = refused.press(browser, page)

    assert ADA not in leaving.headers["Location"]
    assert "ada%40" not in leaving.headers["Location"]


def test_a_relink_is_bound_to_its_browser_and_its_provider(refused: World) -> None:
    """B1, B2."""
    (profile,) = refused.rows("SELECT id FROM profiles")
    browser = refused.browser()
    where = refused.begin(browser, f"/relink/{profile[0]}").headers["Location"]

    other = browser.get(where.replace("/google", "/caldav"))
    typed = {"csrf_token": csrf(browser.get(where)), "url": "dav.test", "username": "ada"}
    posted = browser.post(where.replace("/google", "/caldav"), data=typed | {"password": "x"})
    stranger = refused.browser().get(where)

    for answer in (other, posted):
        assert browser.get(answer.headers["Location"]).headers["Location"] == where
    assert stranger.status_code == 400


def test_an_unknown_profile_cannot_be_relinked(world: World) -> None:
    answer = world.browser().get("/relink/pro_nobody")

    assert answer.status_code == 404
    assert world.count("connect_attempts") == 0


def test_scopes_beyond_the_applications_own_are_not_granted(world: World) -> None:
    """A9."""
    partner = world.partner(scope="read_account")
    asked = {name: partner[name] for name in ("client_id", "redirect_uri")}

    answer = world.authorize(world.browser(), **asked, scope=SCOPE)

    assert query_of(answer.headers["Location"])["error"] == "invalid_scope"


def test_the_next_page_is_https_even_where_tls_ends_before_us(tmp_path: Path) -> None:
    """Clients follow it with their token; a proxy that is not counted must not make it http."""
    world = World(tmp_path, public_url="https://broker.example", local=False)
    seen: list[str] = []
    world.app.add_url_rule("/seen", view_func=lambda: seen.append(request.host_url) or "")

    world.app.test_client().get("/seen", base_url="http://broker.example")

    world.close()
    assert seen == ["https://broker.example/"]
