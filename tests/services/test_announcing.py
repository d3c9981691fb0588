"""The clock announces what is due: once, however long nobody takes it, and again when lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisGone

from broker import worker
from broker.embedded_redis import EmbeddedRedis
from broker.models import transaction
from broker.queues import BACKLOG, ListQueue, RqQueue
from broker.services import tasks
from broker.services.tasks import Kind
from tests.world import World


@pytest.fixture
def ticking(world: World) -> Iterator[World]:
    with world.app.app_context():
        yield world


def want(world: World, count: int) -> list[str]:
    """Ask for so many tasks now, without announcing them."""
    now = world.clock.now()
    with transaction() as session:
        return [
            tasks.want(session, Kind.SYNC_CALENDAR, f"cal_{number}", now, now)
            for number in range(count)
        ]


def tick_for(world: World, **units: float) -> int:
    """Let the clock tick every ten seconds for so long; gives how many it announced."""
    announced, end = 0, world.clock.now() + timedelta(**units)
    while world.clock.now() < end:
        announced += worker.tick(world.runtime)
        world.clock.advance(seconds=10)
    return announced


def test_what_nobody_takes_is_not_announced_again_and_again(ticking: World) -> None:
    """Workers are away for an hour."""
    want(ticking, 10)

    tick_for(ticking, hours=1)

    assert len(ticking.queue.announced) <= 60
    assert len(set(ticking.queue.announced)) == 10


def test_what_was_lost_is_announced_again_soon(ticking: World) -> None:
    """FLUSHALL."""
    ids = want(ticking, 10)
    tick_for(ticking, minutes=5)
    ticking.queue.announced.clear()

    tick_for(ticking, seconds=40)

    assert sorted(ticking.queue.announced) == sorted(ids)


def test_a_lost_announcement_is_made_again_while_others_wait(ticking: World) -> None:
    first, *_ = want(ticking, 10)
    worker.tick(ticking.runtime)
    ticking.queue.announced.remove(first)

    tick_for(ticking, minutes=11)

    assert first in ticking.queue.announced


def test_a_queue_that_is_full_takes_no_more(ticking: World) -> None:
    want(ticking, BACKLOG + 50)

    announced = tick_for(ticking, minutes=1)

    assert (announced, ticking.queue.waiting()) == (BACKLOG, BACKLOG)
    seen = set(ticking.queue.take())
    tick_for(ticking, minutes=1)
    assert len(seen | set(ticking.queue.take())) == BACKLOG + 50


def test_wanting_what_is_announced_does_not_announce_it_again(ticking: World) -> None:
    """A thousand push messages while the workers are busy."""
    ids = want(ticking, 1)
    worker.tick(ticking.runtime)
    for _ in range(5):
        ticking.clock.advance(seconds=1)
        assert want(ticking, 1) == ids
        assert worker.tick(ticking.runtime) == 0


class Away(ListQueue):
    """A queue whose Redis does not answer."""

    def waiting(self) -> int:
        """Fail."""
        raise RedisGone("away")


def test_nothing_counts_as_announced_while_redis_is_away(ticking: World) -> None:
    want(ticking, 1)

    assert worker.tick(replace(ticking.runtime, queue=Away())) == 0

    assert worker.tick(ticking.runtime) == 1


@pytest.mark.processes
def test_rq_counts_what_waits_and_takes_no_more_than_there_is_room_for(tmp_path: Path) -> None:
    with (
        EmbeddedRedis(tmp_path / "valkey", tmp_path / "redis.sock") as server,
        Redis.from_url(server.url) as redis,
    ):
        queue = RqQueue(redis)
        for _ in range(3):
            queue.announce([f"tsk_{number}" for number in range(400)])

        assert queue.waiting() == BACKLOG
        redis.flushall()
        assert queue.waiting() == 0
