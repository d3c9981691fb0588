"""Applications are held to their limits, and told when to come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import ADA, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, requests_per_minute=5)
    yield made
    made.close()


def test_token_requests_and_reads_count_together(world: World) -> None:
    tokens = world.connected(ADA)
    for _ in range(3):
        world.clock.advance(seconds=1)
        world.get(tokens, "/v1/account")
    world.renew(tokens)

    refused_read = world.get(tokens, "/v1/account")
    refused_refresh = world.token(grant_type="refresh_token", refresh_token=tokens.refresh)

    assert [429, 429] == [refused_read.status_code, refused_refresh.status_code]
    assert 0 < int(refused_read.headers["Retry-After"]) <= 60
    assert "no-store" == refused_refresh.headers["Cache-Control"]


def test_the_limit_is_over_when_its_minute_is(world: World) -> None:
    tokens = world.connected(ADA)
    for _ in range(6):
        world.get(tokens, "/v1/account")

    world.clock.advance(minutes=1)

    assert 200 == world.get(tokens, "/v1/account").status_code
