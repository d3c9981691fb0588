"""Addresses that anyone can send, with whatever in them: never a failure (security.md E4).

PostgreSQL refuses a NUL in a text; SQLite takes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.environment import database_url
from tests.postgres.cluster import Cluster
from tests.postgres.conftest import MIGRATED
from tests.world import World

PLACES = (
    "/hooks/google/{}",
    "/hooks/{}/sub_1",
    "/relink/{}",
    "/connect/{}",
    "/connect/{}/google",
    "/connect/{}/restart",
    "/connect/{}/callback",
    "/connect/{}/connected",
    "/connect/google/callback?state={}",
    "/connect/google/callback?state=x&iss={}&code={}",
    "/oauth/authorize?client_id={}",
    "/oauth/authorize?client_id=sandbox-app&redirect_uri={}",
    "/v1/events/pages/{}",
    "/v1/profiles/{}/revoke",
    "/static/{}",
    "/{}",
)
ODD = st.text(st.characters(codec="utf-8"), min_size=1) | st.sampled_from(["\0", "a\0b", "\r\n"])


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """One broker for all of the module on each database: whatever is refused leaves no row."""
    changes = {}
    cluster: Cluster | None = None
    if request.param == "postgresql":
        cluster = request.getfixturevalue("cluster")
        changes = {"database_url": database_url(cluster.url(MIGRATED))}
    made = World(tmp_path_factory.mktemp("odd"), **changes)
    yield made
    made.close()
    if cluster:
        cluster.empty(MIGRATED)


@pytest.fixture
def any_world(shared: World) -> World:
    """The shared broker, which counts the refused logins of each test from nothing."""
    shared.redis.values.clear()
    return shared


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd=ODD)
def test_no_address_makes_us_fail(any_world: World, place: str, odd: str) -> None:
    path = place.replace("{}", quote(odd, safe=""))

    for method in ("GET", "POST"):
        answer = any_world.browser().open(path, method=method)
        assert answer.status_code < 500, (method, path)


@pytest.mark.parametrize("odd", ["%00", "a%00", "%0a", "%ff", "%e2%80%ae", "a%20b"])
@pytest.mark.parametrize("place", [place for place in PLACES[:7] if "?" not in place])
def test_a_name_that_cannot_be_one_of_ours_is_no_page(
    any_world: World, place: str, odd: str
) -> None:
    path = place.replace("{}", odd)
    answer = any_world.browser().open(path, method="POST" if "hooks" in path else "GET")

    assert answer.status_code == 404


@pytest.mark.parametrize("odd", ["\0", "a\0b", "\ud800", "\u202e", "é" * 2000])
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/token/revoke", "/oauth/introspect"])
def test_no_body_makes_us_fail(any_world: World, path: str, odd: str) -> None:
    for name in ("client_id", "client_secret", "code", "refresh_token", "redirect_uri", "token"):
        body = {"grant_type": "authorization_code", "code": "x", **any_world.own, name: odd}
        for sent in ({"json": body}, {"data": body}) if odd.isprintable() else ({"json": body},):
            answer = any_world.browser().post(path, **sent)
            assert answer.status_code < 500, (name, sent)
