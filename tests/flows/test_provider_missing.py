"""A provider that is no longer configured: everything waits, status says why, nothing loops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.flows.test_sync import titles
from tests.world import ADA, World

DAY = {"start": {"date": "2026-03-10"}, "end": {"date": "2026-03-11"}}


@contextmanager
def without_google(world: World) -> Iterator[None]:
    """Take Google's settings away, as an operator may, and bring them back."""
    whole = world.runtime
    left = {slug: one for slug, one in whole.providers.items() if slug != "google"}
    world.app.extensions["calbroker"] = replace(whole, providers=left)
    try:
        yield
    finally:
        world.app.extensions["calbroker"] = whole


def test_tasks_wait_and_status_says_why(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()
    before = titles(world, tokens)
    kinds = world.rows("SELECT kind, subject_id FROM tasks ORDER BY 1, 2")

    with without_google(world):
        for _ in range(6):
            world.clock.advance(hours=1)
            assert world.work() <= 20
        sync = world.profile(tokens)["profile_sync"]

        assert sync["reason"] == "provider_not_configured"
        assert "not set up" in sync["reason_text"]
        assert titles(world, tokens) == before
        assert world.profile(tokens)["profile_connected"] is True

    assert set(kinds) <= set(world.rows("SELECT kind, subject_id FROM tasks"))
    world.state.person(ADA).create_event(summary="Meanwhile", **DAY)
    world.clock.advance(hours=2)
    world.work()
    assert titles(world, tokens) == sorted([*before, "Meanwhile"])
    assert "reason" not in world.profile(tokens)["profile_sync"]


def test_a_relink_page_says_so_and_does_not_loop(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()
    profile_id = world.profile(tokens)["profile_id"]

    with without_google(world):
        page = world.browser().get(f"/relink/{profile_id}", follow_redirects=True)

    assert page.status_code < 500
    assert "not set up properly" in page.text


def test_a_grant_is_given_back_once_the_provider_is_there_again(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()

    with without_google(world):
        world.revoke_profile(tokens)
        world.work()
        assert world.count("connections") == 0
        assert world.calls("/revoke") == 0

    world.clock.advance(hours=1)
    world.work()
    assert world.calls("/revoke") == 1
    assert world.count("revocations") == 0
