"""A refusal concerns one version of a credential, and a task that cannot work ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from broker.errors import AuthorizationLost, CalendarGone, ProviderUnavailable
from broker.models import db
from broker.services import credentials, disconnect, tasks, work
from broker.services.tasks import Kind, Lease
from tests.apple_world import AppleWorld
from tests.world import ADA, World

CALENDAR_TASK = "SELECT id FROM tasks WHERE kind = 'sync_calendar' LIMIT 1"


@pytest.fixture
def connection_id(world: World) -> str:
    """A connection whose tasks are all due."""
    world.connected(ADA)
    world.work()
    world.clock.advance(hours=2)
    return str(world.rows("SELECT id FROM connections")[0][0])


def claimed(world: World) -> Lease:
    with world.app.app_context():
        lease = tasks.claim(world.runtime, world.rows(CALENDAR_TASK)[0][0])
    assert lease is not None
    return lease


def write(world: World, statement: str) -> None:
    with world.app.app_context(), db.engine.begin() as connection:
        connection.execute(text(statement))


def state(world: World) -> tuple[Any, ...]:
    return tuple(world.rows("SELECT disconnected_reason, credential_version FROM connections")[0])


def test_the_second_refusal_leaves_a_newer_login_alone(tmp_path: Path) -> None:
    """The person types the password again while the one before is being refused, twice."""
    apple = AppleWorld(tmp_path)
    apple.connected_to_apple()
    apple.work()
    apple.clock.advance(hours=2)
    ((connection_id,),) = apple.rows("SELECT id FROM connections")
    asked: list[int] = []

    def action(_client: object) -> None:
        asked.append(state(apple)[1])
        write(apple, "UPDATE connections SET credential_version = credential_version + 1")
        raise AuthorizationLost("apple", "events", 401)

    lease = claimed(apple)
    with apple.app.app_context():
        with pytest.raises(AuthorizationLost) as raised:
            credentials.with_client(apple.runtime, connection_id, action)
        disconnect.mark_disconnected(apple.runtime, lease, connection_id, raised.value)

    assert len(asked) == 2
    assert raised.value.credential_version == asked[1]
    assert state(apple) == (None, asked[1] + 1)
    (task,) = apple.rows("SELECT due_at, lease_until FROM tasks WHERE id = :id", id=lease.task_id)
    assert task[1] is None
    assert apple.work() > 0
    assert state(apple)[0] is None
    apple.close()


def test_a_token_that_was_just_issued_and_is_refused_is_no_lost_login(
    world: World, connection_id: str
) -> None:
    def action(_client: object) -> None:
        raise AuthorizationLost("google", "events", 401)

    with world.app.app_context(), pytest.raises(ProviderUnavailable) as raised:
        credentials.with_client(world.runtime, connection_id, action)

    assert (raised.value.operation, raised.value.status) == ("events", 401)


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE connections SET disconnected_reason = 'authorization_lost'",
        "DELETE FROM connections",
    ],
)
@pytest.mark.parametrize("kind", [Kind.LIST_CALENDARS, Kind.SUBSCRIBE])
def test_a_task_without_a_connection_that_works_ends(
    world: World, connection_id: str, ending: str, kind: Kind
) -> None:
    """It must not be claimed again and again for ever."""
    write(world, ending)
    query = "SELECT id FROM tasks WHERE kind = :kind LIMIT 1"
    task_id = world.rows(query, kind=kind.value)[0][0]
    world.clock.advance(days=4)

    with world.app.app_context():
        assert work.run(world.runtime, task_id)

    assert world.rows("SELECT 1 FROM tasks WHERE id = :id", id=task_id) == []


def gone(_runtime: object, _lease: Lease) -> None:
    raise CalendarGone("google", "events", 404)


def listings(world: World) -> list[Any]:
    """Find the listing that was asked for just now, if it was."""
    return world.rows(
        "SELECT 1 FROM tasks WHERE kind = 'list_calendars'"
        " AND CAST(strftime('%s', wanted_at) AS INTEGER) = :now",
        now=int(world.clock.now().timestamp()),
    )


@pytest.mark.parametrize(
    ("ending", "count"),
    [
        ("UPDATE connections SET unused_since = '2026-03-09 10:00:00'", 0),
        ("UPDATE connections SET disconnected_reason = 'authorization_lost'", 0),
        ("UPDATE tasks SET fence = fence + 1", 0),
        ("UPDATE connections SET reason = NULL", 1),
    ],
)
def test_a_calendar_that_is_gone_wakes_no_connection_that_was_left(
    world: World,
    connection_id: str,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
    count: int,
) -> None:
    def ended_meanwhile(runtime: object, lease: Lease) -> None:
        write(world, ending)
        gone(runtime, lease)

    monkeypatch.setitem(work._RUNNERS, Kind.SYNC_CALENDAR, ended_meanwhile)

    with world.app.app_context():
        assert work.run(world.runtime, world.rows(CALENDAR_TASK)[0][0])

    assert len(listings(world)) == count
