"""Renewing and giving back what was granted at Google: only a clear no costs a connection."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from broker.errors import (
    AuthorizationLost,
    ConfigurationRefused,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
)
from broker.logins import OAuthCredential
from tests.providers.test_google import GRACE, NOW, SETTINGS, World
from tests.providers.test_google_oauth import AUTH, Canned

HELD = OAuthCredential("old-access", "1//old-refresh", NOW, frozenset({"openid", "kept"}))
MISCONFIGURED = ["invalid_client", "unauthorized_client", "deleted_client"]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def canned() -> Canned:
    return Canned()


def test_refresh_keeps_the_refresh_token(world: World) -> None:
    held = world.connect().credential
    world.clock.advance(hours=2)

    fresh = world.provider.refresh(held)

    assert held.refresh_token == fresh.refresh_token
    assert held.access_token != fresh.access_token
    assert held.scopes == fresh.scopes
    assert NOW + timedelta(hours=2, seconds=3599) == fresh.expires_at


def test_refresh_takes_a_new_refresh_token(world: World) -> None:
    held = world.connect().credential
    world.faults.set(GRACE, "rotate_refresh", 1)

    fresh = world.provider.refresh(held)

    assert held.refresh_token != fresh.refresh_token
    world.provider.refresh(fresh)
    with pytest.raises(AuthorizationLost):
        world.provider.refresh(held)


def test_refresh_after_the_person_took_it_back(world: World) -> None:
    held = world.connect().credential
    world.provider.revoke(held)

    with pytest.raises(AuthorizationLost):
        world.provider.refresh(held)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": "invalid_grant"}, AuthorizationLost),
        (400, {"error": "invalid_grant", "error_subtype": "invalid_rapt"}, AuthorizationLost),
        (400, {"error": "admin_policy_enforced"}, AuthorizationLost),
        *[(401, {"error": error}, ConfigurationRefused) for error in MISCONFIGURED],
        (429, {"error": "rate_limit_exceeded"}, RateLimited),
        (429, b"", RateLimited),
        (403, {"error": "org_internal"}, ProviderUnavailable),
        (400, {"error": "surprise"}, ProviderUnavailable),
        (400, b"<html>Bad Request</html>", ProviderUnavailable),
        (401, b"", ProviderUnavailable),
        (500, {"error": "internal_failure"}, ProviderUnavailable),
        (503, {"error": "invalid_grant"}, ProviderUnavailable),
        (200, b"<html>Sign in to the network</html>", ProviderUnavailable),
        (200, b'{"access_to', ProviderUnavailable),
        (200, b"\xff\xfe", ProviderUnavailable),
        (200, {"access_token": ""}, ProviderUnavailable),
        (200, ["list"], ProviderUnavailable),
    ],
)
def test_refused_refresh_costs_a_connection_only_when_clear(
    canned: Canned, status: int, body: Any, expected: type[ProviderError]
) -> None:
    canned.says(status, body)

    with pytest.raises(ProviderError) as refused:
        canned.provider.refresh(HELD)

    assert expected is type(refused.value)


@pytest.mark.parametrize("status", [429, 503])
def test_refresh_is_told_to_wait(canned: Canned, status: int) -> None:
    canned.says(status, {}, **{"Retry-After": "30"})

    with pytest.raises(RateLimited) as refused:
        canned.provider.refresh(HELD)

    assert timedelta(seconds=30) == refused.value.retry_after


@pytest.mark.parametrize("expires_in", [3599, "3599", 3599.0])
def test_life_of_a_token_may_be_text(canned: Canned, expires_in: object) -> None:
    canned.says(200, {"access_token": "new", "expires_in": expires_in})

    fresh = canned.provider.refresh(HELD)

    assert NOW + timedelta(seconds=3599) == fresh.expires_at
    assert (HELD.refresh_token, HELD.scopes) == (fresh.refresh_token, fresh.scopes)


@pytest.mark.parametrize("expires_in", [-5, 10**30, "1e300", "nan", "inf"])
def test_absurd_life_of_a_token_is_bounded(canned: Canned, expires_in: object) -> None:
    canned.says(200, {"access_token": "new", "expires_in": expires_in})

    fresh = canned.provider.refresh(HELD)

    assert NOW <= fresh.expires_at <= NOW + timedelta(days=366)


def test_refresh_tells_the_scopes_anew(canned: Canned) -> None:
    canned.says(200, {"access_token": "new", "scope": f"openid {AUTH}userinfo.email"})

    assert {"openid", "email"} == canned.provider.refresh(HELD).scopes


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, {}), (204, b""), (400, {"error": "invalid_token"})],
)
def test_revoking_what_is_gone_is_a_success(canned: Canned, status: int, body: Any) -> None:
    canned.says(status, body)

    canned.provider.revoke(HELD)

    assert [{"token": HELD.refresh_token}] == canned.forms


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": "surprise"}, ProviderUnavailable),
        (429, {}, RateLimited),
        (503, b"", ProviderUnavailable),
    ],
)
def test_failed_revocation_is_told(
    canned: Canned, status: int, body: Any, expected: type[ProviderError]
) -> None:
    canned.says(status, body)

    with pytest.raises(expected):
        canned.provider.revoke(HELD)


def test_errors_hold_no_secret(canned: Canned) -> None:
    canned.says(400, {"error": "surprise", "error_description": "1//old-refresh"})

    with pytest.raises(ProviderError) as refused:
        canned.provider.refresh(HELD)

    shown = f"{refused.value!r} {refused.value} {refused.value.__dict__}"
    for secret in (HELD.refresh_token, HELD.access_token, SETTINGS.client_secret):
        assert secret not in shown
