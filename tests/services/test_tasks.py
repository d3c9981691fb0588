"""Tasks: the database is the queue of record, and one worker at a time holds a row."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from broker.errors import LeaseLost
from broker.models import Task, reading, transaction
from broker.services import dispatch, tasks, work
from broker.services.runtime import Runtime
from broker.services.tasks import Kind, Lease
from tests.world import World

SUBJECT = "broker"


class Desk:
    """The tasks of a world, each call in a transaction of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.runtime: Runtime = world.runtime

    @property
    def now(self) -> datetime:
        """The world's time."""
        return self.world.clock.now()

    def want(self, *, kind: Kind = Kind.CLEAN_UP, **ahead: float) -> str:
        """Ask for the task, now or so far ahead."""
        with transaction() as session:
            return tasks.want(session, kind, SUBJECT, self.now, self.now + timedelta(**ahead))

    def want_of(self, login_id: str | None, calendar_id: str, **ahead: float) -> str:
        """Ask for a task that uses a login."""
        due_at = self.now + timedelta(**ahead)
        kind = Kind.SYNC_CALENDAR
        with transaction() as session:
            return tasks.want(session, kind, calendar_id, self.now, due_at, login_id=login_id)

    def claim(self, task_id: str) -> Lease:
        """Take a task that must be free."""
        lease = tasks.claim(self.runtime, task_id)
        assert lease is not None
        return lease

    def hold(self, lease: Lease) -> None:
        """Begin a step."""
        with transaction() as session:
            tasks.hold(session, lease, self.now)

    def finish(self, lease: Lease, **ahead: float) -> None:
        """End well, for good or until so far ahead."""
        following = self.now + timedelta(**ahead) if ahead else None
        with transaction() as session:
            tasks.finish(session, lease, following)

    @property
    def due_at(self) -> datetime:
        """When the only task is due."""
        found = reading().scalar(select(Task.due_at))
        reading().rollback()
        assert found is not None
        return found

    def row(self) -> Any:
        """Read the only task."""
        found = self.world.rows(
            "SELECT due_at, lease_until, fence, attempts, reason, wanted_at FROM tasks"
        )
        assert len(found) <= 1
        return found[0] if found else None


@pytest.fixture
def desk(world: World) -> Any:
    with world.app.app_context():
        yield Desk(world)


def test_wanting_twice_is_one_task(desk: Desk) -> None:
    assert desk.want() == desk.want()


def test_a_task_is_moved_forward_and_never_back(desk: Desk) -> None:
    task_id = desk.want(hours=2)

    desk.want(hours=5)
    assert tasks.claim(desk.runtime, task_id) is None
    desk.want(hours=1)
    desk.world.clock.advance(hours=1)

    assert tasks.claim(desk.runtime, task_id) is not None


def test_a_wait_that_the_provider_asked_for_is_not_cut_short(desk: Desk) -> None:
    lease = desk.claim(desk.want())
    tasks.fail(desk.runtime, lease, "rate_limited", timedelta(minutes=10))

    task_id = desk.want()

    assert tasks.claim(desk.runtime, task_id) is None
    desk.world.clock.advance(minutes=10)
    assert tasks.claim(desk.runtime, task_id) is not None


def test_another_wait_is_cut_short_when_somebody_asks(desk: Desk) -> None:
    lease = desk.claim(desk.want())
    tasks.fail(desk.runtime, lease, "provider_unavailable", timedelta(minutes=10))

    assert tasks.claim(desk.runtime, desk.want()) is not None


def test_only_one_claims(desk: Desk) -> None:
    task_id = desk.want()
    desk.claim(task_id)

    assert tasks.claim(desk.runtime, task_id) is None


def test_what_is_not_due_or_unknown_cannot_be_claimed(desk: Desk) -> None:
    assert tasks.claim(desk.runtime, desk.want(seconds=1)) is None
    assert tasks.claim(desk.runtime, "tsk_unknown") is None


def test_a_lease_that_ran_out_passes_on_and_the_fence_rises(desk: Desk) -> None:
    task_id = desk.want()
    first = desk.claim(task_id)
    desk.world.clock.advance(seconds=10)

    second = desk.claim(task_id)

    assert second.fence == first.fence + 1
    assert second.attempts == first.attempts + 1
    with pytest.raises(LeaseLost):
        desk.hold(first)
    assert tasks.renew(desk.runtime, first) is False
    assert tasks.renew(desk.runtime, second) is True


def test_a_renewed_lease_does_not_run_out(desk: Desk) -> None:
    task_id = desk.want()
    lease = desk.claim(task_id)
    for _ in range(5):
        desk.world.clock.advance(seconds=6)
        assert tasks.renew(desk.runtime, lease)

    assert tasks.claim(desk.runtime, task_id) is None


@pytest.mark.parametrize("how", ["finished", "failed"])
def test_a_renewal_that_comes_late_does_not_take_back_what_has_ended(desk: Desk, how: str) -> None:
    """The thread that renews may run between the end of the work and its own."""
    task_id = desk.want()
    lease = desk.claim(task_id)
    if how == "finished":
        desk.finish(lease, hours=1)
    else:
        tasks.fail(desk.runtime, lease, "provider_unavailable", timedelta(hours=1))

    assert tasks.renew(desk.runtime, lease) is False

    desk.want()
    desk.world.clock.advance(hours=1)
    assert desk.row().lease_until is None
    assert tasks.claim(desk.runtime, task_id) is not None


def test_whoever_lost_the_lease_neither_finishes_nor_fails(desk: Desk) -> None:
    task_id = desk.want()
    lost = desk.claim(task_id)
    desk.world.clock.advance(seconds=10)
    held = desk.claim(task_id)

    desk.finish(lost, hours=1)
    tasks.fail(desk.runtime, lost, "provider_unavailable", timedelta(hours=1))

    desk.hold(held)
    assert desk.row().reason is None


def test_a_dropped_task_is_nobodys(desk: Desk) -> None:
    lease = desk.claim(desk.want())
    with transaction() as session:
        tasks.drop(session, (Kind.CLEAN_UP,), [SUBJECT])

    with pytest.raises(LeaseLost):
        desk.hold(lease)
    desk.finish(lease, hours=1)
    assert desk.row() is None


def test_done_for_good_is_gone(desk: Desk) -> None:
    desk.finish(desk.claim(desk.want()))

    assert desk.row() is None


def test_done_for_now_comes_back(desk: Desk) -> None:
    task_id = desk.want()
    desk.finish(desk.claim(task_id), hours=1)

    assert tasks.claim(desk.runtime, task_id) is None
    desk.world.clock.advance(hours=1)
    again = desk.claim(task_id)
    assert again.attempts == 1


@pytest.mark.parametrize("ahead", [{}, {"hours": 1}])
def test_a_task_wanted_while_it_runs_runs_again(desk: Desk, ahead: dict[str, float]) -> None:
    task_id = desk.want()
    lease = desk.claim(task_id)
    desk.want()

    desk.finish(lease, **ahead)

    assert tasks.claim(desk.runtime, task_id) is not None


def test_failures_wait_longer_each_time_up_to_an_hour(desk: Desk) -> None:
    task_id = desk.want()
    waits = []
    for _ in range(14):
        tasks.fail(desk.runtime, desk.claim(task_id), "provider_unavailable")
        wait = desk.due_at - desk.now
        desk.world.clock.advance(seconds=wait.total_seconds() - 1)
        assert tasks.claim(desk.runtime, task_id) is None
        desk.world.clock.advance(seconds=1)
        waits.append(wait)

    assert timedelta(seconds=3) <= waits[0] <= timedelta(seconds=7)
    assert waits[6] > waits[2] > waits[0]
    assert max(waits) <= timedelta(minutes=76)


def test_backoff_stays_within_its_bounds_after_any_number_of_failures() -> None:
    for attempts in (0, 1, 5, 20, 10_000):
        assert timedelta(seconds=3) < tasks.backoff(attempts) <= timedelta(hours=1.25)


def test_the_clock_hands_a_task_out_once(desk: Desk) -> None:
    task_id = desk.want()

    assert dispatch.anything_due(desk.runtime)
    assert dispatch.due(desk.runtime) == [task_id]
    assert dispatch.due(desk.runtime) == []
    assert not dispatch.anything_due(desk.runtime)


def test_a_lost_message_is_sent_again(desk: Desk) -> None:
    task_id = desk.want()
    dispatch.due(desk.runtime)

    desk.world.clock.advance(seconds=30)

    assert dispatch.due(desk.runtime) == [task_id]


def test_a_running_task_is_not_handed_out(desk: Desk) -> None:
    desk.claim(desk.want())

    assert dispatch.due(desk.runtime) == []


def test_the_oldest_comes_first_and_no_more_than_asked(desk: Desk) -> None:
    with transaction() as session:
        for number in range(5):
            due = desk.now - timedelta(minutes=number)
            tasks.want(session, Kind.SYNC_CALENDAR, f"cal_{number}", desk.now, due)

    first = dispatch.due(desk.runtime, limit=2)

    rows = desk.world.rows("SELECT id, subject_id FROM tasks")
    assert [dict(map(tuple, rows))[task_id] for task_id in first] == ["cal_4", "cal_3"]


def test_the_last_step_may_hold_and_finish_as_one(desk: Desk) -> None:
    lease = desk.claim(desk.want())

    with transaction() as session:
        tasks.conclude(session.connection(), lease, desk.now + timedelta(hours=1))

    assert desk.row().attempts == 0
    assert desk.row().lease_until is None
    assert desk.due_at == desk.now + timedelta(hours=1)


@pytest.mark.parametrize("how", ["claimed", "finished", "dropped"])
def test_whoever_lost_the_lease_concludes_nothing(desk: Desk, how: str) -> None:
    """Not even what the step had written before."""
    task_id = desk.want()
    lost = desk.claim(task_id)
    if how == "claimed":
        desk.world.clock.advance(seconds=10)
        desk.claim(task_id)
    elif how == "finished":
        desk.finish(lost, hours=2)
    else:
        with transaction() as session:
            tasks.drop(session, [Kind.CLEAN_UP], [SUBJECT])
    before = desk.row()

    with pytest.raises(LeaseLost), transaction() as session:
        other_id = tasks.want(session, Kind.RETIRE, "con_other", desk.now, desk.now)
        tasks.conclude(session.connection(), lost, desk.now + timedelta(hours=1))

    assert desk.row() == before
    assert tasks.claim(desk.runtime, other_id) is None


@pytest.mark.parametrize(("logins", "cross"), [("LL", False), ("LM", True), ((None, None), True)])
def test_tasks_of_a_login_take_turns(
    desk: Desk, logins: tuple[str | None, ...], cross: bool
) -> None:
    first, second = (desk.want_of(login, f"cal_{n}") for n, login in enumerate(logins))
    held = desk.claim(first)

    found = tasks.claim(desk.runtime, second)

    assert (found is not None) == cross
    desk.finish(held, hours=1)
    assert (tasks.claim(desk.runtime, second) is not None) != cross


@pytest.mark.parametrize("how", ["finished", "failed", "dropped"])
def test_whoever_waits_begins_when_the_one_before_has_ended(desk: Desk, how: str) -> None:
    """The one that waits longest; and the queue, which it was in, keeps it back no longer."""
    first, *waiting = [desk.want_of("L", f"cal_{n}", seconds=n - 3) for n in range(4)]
    assert dispatch.due(desk.runtime) == [first, *waiting]
    held = desk.claim(first)
    assert [tasks.claim(desk.runtime, one) for one in waiting] == [None] * 3
    assert dispatch.due(desk.runtime) == []

    if how == "finished":
        desk.finish(held, hours=1)
    elif how == "failed":
        tasks.fail(desk.runtime, held, "provider_unavailable", timedelta(hours=1))
    else:
        with transaction() as session:
            tasks.drop(session, (Kind.SYNC_CALENDAR,), ["cal_0"])

    assert dispatch.next_in_turn(desk.runtime, held) == [waiting[0]]
    assert dispatch.due(desk.runtime) == waiting


def test_a_login_whose_worker_died_goes_on_with_its_task(desk: Desk) -> None:
    first, second = (desk.want_of("L", f"cal_{n}", seconds=-n) for n in range(2))
    desk.claim(first)
    desk.world.clock.advance(seconds=10)

    assert tasks.claim(desk.runtime, second) is None
    assert dispatch.due(desk.runtime) == [first]
    desk.finish(desk.claim(first), hours=1)
    desk.claim(second)


def test_nobody_waits_for_a_task_without_a_login(desk: Desk) -> None:
    desk.want_of(None, "cal_1")
    held = desk.claim(desk.want_of(None, "cal_2"))

    assert dispatch.next_in_turn(desk.runtime, held) == []


def test_whoever_ends_a_task_makes_the_next_of_its_login_begin(desk: Desk) -> None:
    """Their calendars are gone, so there is nothing to do."""
    first, second = (desk.want_of("L", f"cal_{n}") for n in range(2))

    assert work.run(desk.runtime, first)

    assert desk.world.queue.take() == [second]
