"""Work that takes long and gets on is left alone; work that is stuck is given up, and seen."""

from __future__ import annotations

import gc
import signal
from datetime import timedelta
from threading import Event

import pytest

from broker import worker
from broker.models import transaction
from broker.pulse import STUCK_AFTER, Pulse, Stuck, given_up_after
from broker.services import dispatch, health, tasks, work
from broker.services.tasks import Kind
from tests.flows.test_sync import quietly, small_pages, timed
from tests.world import ADA, World


def test_work_that_gets_on_has_its_time_anew() -> None:
    with given_up_after(timedelta(minutes=10)) as get_on:
        signal.setitimer(signal.ITIMER_REAL, 5)

        get_on()

        left, _ = signal.getitimer(signal.ITIMER_REAL)
    assert 590 < left <= 600
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_work_that_is_stuck_is_given_up() -> None:
    with pytest.raises(Stuck), given_up_after(timedelta(minutes=10)):
        signal.raise_signal(signal.SIGALRM)


def test_a_long_read_gets_on_with_every_page(world: World) -> None:
    world.connected(ADA)
    world.work()
    quietly(world)
    for number in range(20):
        world.state.person(ADA).create_event(**timed(f"{number}", "2026-03-12T09:00:00+00:00"))
    small_pages(world, 2)
    world.state.expire_sync_tokens()
    world.clock.advance(hours=1)
    steps: list[int] = []

    with world.app.app_context():
        due = dispatch.due(world.runtime)
        for task_id in due:
            work.run(world.runtime, task_id, lambda: steps.append(1))

    assert len(steps) > len(due) + 20


def test_holding_on_is_not_getting_on(world: World) -> None:
    """The thread that renews the lease goes on while the work is stuck."""
    steps: list[int] = []
    with world.app.app_context():
        now = world.clock.now()
        with transaction() as session:
            task_id = tasks.want(session, Kind.CLEAN_UP, "broker", now, now)
        lease = tasks.claim(world.runtime, task_id, lambda: steps.append(1))
        assert lease is not None

        assert tasks.renew(world.runtime, lease)
        assert steps == []
        with transaction() as session:
            tasks.hold(session, lease, now)
    assert steps == [1]


def test_health_sees_a_loop_that_is_stuck(world: World) -> None:
    """The heart beats for the loop that does the work, not for the process around it."""
    pulse, stop = Pulse(world.clock), Event()
    stop.set()

    def beat() -> str:
        worker._beat(world.app, world.runtime, "worker", stop, pulse)
        with world.app.app_context():
            return health.check(world.runtime)["worker"]

    assert beat() == "ok"
    world.clock.advance(seconds=STUCK_AFTER.total_seconds() - 1)
    assert beat() == "ok"
    world.clock.advance(minutes=2)
    assert beat() == "not seen lately"
    pulse.beat()
    assert beat() == "ok"


def test_what_the_program_is_made_of_is_no_concern_of_the_garbage_collector() -> None:
    before = len(gc.get_objects())
    try:
        worker.settle()

        assert len(gc.get_objects()) < before / 10
    finally:
        gc.unfreeze()
