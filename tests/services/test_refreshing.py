"""Who waits for another's refresh of a credential."""

from __future__ import annotations

from datetime import timedelta

import pytest

from broker.errors import LoginPaused, RefreshPending
from broker.models import db
from broker.services import connections, credentials
from tests.world import ADA, World


@pytest.fixture
def connection_id(world: World) -> str:
    """A connection whose access token has to be renewed."""
    world.connected(ADA)
    world.work()
    world.clock.advance(hours=2)
    return str(world.rows("SELECT id FROM connections")[0][0])


def test_a_dead_refresher_does_not_hold_up_a_worker(
    world: World, connection_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits only reads, and gives up after seconds: the worker has other work."""
    with world.app.app_context():
        connection, _ = credentials._read(world.runtime, connection_id)
        assert credentials._begin_refresh(connection, world.clock.now())
        began = world.clock.now()
        monkeypatch.setattr(credentials, "_begin_refresh", None)

        with pytest.raises(RefreshPending) as raised:
            credentials.client(world.runtime, connection_id)

    assert raised.value.retry_after == credentials.PATIENCE
    assert (world.clock.now() - began).total_seconds() < 6


def test_a_paused_login_is_not_even_refreshed(world: World, connection_id: str) -> None:
    """Until the last of the dates that its provider has named."""
    asked = world.calls()
    with world.app.app_context():
        for minutes in (1, 5, 2):
            connections.pause(connection_id, world.clock.now() + timedelta(minutes=minutes))
        world.clock.advance(minutes=4)

        with pytest.raises(LoginPaused) as raised:
            credentials.client(world.runtime, connection_id)

        assert raised.value.retry_after == timedelta(minutes=1)
        assert world.calls() == asked
        world.clock.advance(minutes=1)
        assert credentials.client(world.runtime, connection_id)


def test_a_dead_refresher_is_replaced_in_time(world: World, connection_id: str) -> None:
    with world.app.app_context():
        connection, _ = credentials._read(world.runtime, connection_id)
        assert credentials._begin_refresh(connection, world.clock.now())
        db.session.remove()

    for _ in range(10):
        world.work()
        world.clock.advance(seconds=10)

    rows = world.rows("SELECT disconnected_reason, credential_version FROM connections")
    assert rows == [(None, 2)]
