"""What may be asked for twice at once happens once, on both databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import TypeVar

import pytest
from sqlalchemy import select, text, update

from broker.models import Task, db, transaction
from broker.models.base import changed, table_of
from broker.services import dispatch, tasks, work
from broker.services.tasks import Kind
from tests.world import ADA, World, query_of

pytestmark = pytest.mark.postgres

T = TypeVar("T")
THREADS = 8
_TASKS = table_of(Task)


def at_once(world: World, action: Callable[[], T], count: int = THREADS) -> list[T]:
    """Do something in many threads that begin together."""
    barrier = Barrier(count)

    def one(_number: int) -> T:
        with world.app.app_context():
            barrier.wait()
            try:
                return action()
            finally:
                db.session.remove()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def add_tasks(world: World, count: int) -> list[str]:
    """Ask for tasks that end at once, because their subjects do not exist."""
    now = world.clock.now()
    with world.app.app_context(), transaction() as session:
        return [
            tasks.want(session, Kind.SYNC_CALENDAR, f"cal_none_{number}", now, now)
            for number in range(count)
        ]


def test_a_task_is_claimed_by_one(any_world: World) -> None:
    ids = add_tasks(any_world, 40)

    def claim_all() -> list[str]:
        return [i for i in ids if tasks.claim(any_world.runtime, i) is not None]

    claimed = Counter(i for found in at_once(any_world, claim_all) for i in found)

    assert claimed == dict.fromkeys(ids, 1)


def test_tasks_of_a_login_are_claimed_one_at_a_time(any_world: World) -> None:
    """Eight workers, each with another calendar of it, ten times."""
    now = any_world.clock.now()
    with any_world.app.app_context(), transaction() as session:
        ids = [
            tasks.want(session, Kind.SYNC_CALENDAR, f"cal_{number}", now, now, login_id="con_one")
            for number in range(THREADS)
        ]
    for _ in range(10):
        claims = [partial(tasks.claim, any_world.runtime, one) for one in ids]

        leases = at_once(any_world, lambda claims=claims: claims.pop()())

        held = [lease for lease in leases if lease is not None]
        assert len(held) == 1
        over = timedelta(microseconds=-1)
        with any_world.app.app_context():
            tasks.fail(any_world.runtime, held[0], "provider_unavailable", over)


def test_two_clocks_hand_out_a_task_once(any_world: World) -> None:
    ids = add_tasks(any_world, 40)

    handed = at_once(any_world, lambda: dispatch.due(any_world.runtime, limit=10))

    counted = Counter(i for found in handed for i in found)
    assert set(counted.values()) <= {1}
    assert set(counted) <= set(ids)
    assert len(counted) >= 10


def test_a_task_runs_once(any_world: World) -> None:
    ids = add_tasks(any_world, 20)

    ran = at_once(any_world, lambda: [i for i in ids if work.run(any_world.runtime, i)])

    assert Counter(i for found in ran for i in found) == dict.fromkeys(ids, 1)


def test_a_task_wanted_by_many_is_one(any_world: World) -> None:
    now = any_world.clock.now()

    def want() -> str:
        with transaction() as session:
            return tasks.want(session, Kind.LIST_CALENDARS, "con_one", now, now)

    assert len(set(at_once(any_world, want))) == 1


def test_a_code_is_redeemed_once(any_world: World) -> None:
    code = query_of(any_world.connect(ADA))["code"]

    answers = at_once(
        any_world, lambda: any_world.token(grant_type="authorization_code", code=code)
    )

    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: THREADS - 1}


def test_a_refresh_token_rotates_once(any_world: World) -> None:
    """A public client whose requests cross gets the same successor each time."""
    tokens = any_world.connected(ADA)
    with any_world.app.app_context(), transaction() as session:
        session.execute(text("UPDATE applications SET public = true"))
    client_id = any_world.own["client_id"]

    def refresh() -> tuple[int, str]:
        answer = any_world.browser().post(
            "/oauth/token",
            json={
                "client_id": client_id,
                "grant_type": "refresh_token",
                "refresh_token": tokens.refresh,
            },
        )
        return answer.status_code, answer.get_json().get("refresh_token", "")

    answers = Counter(at_once(any_world, refresh))

    assert list(answers.values()) == [THREADS]
    [(status, successor)] = answers
    assert status == 200
    assert successor != tokens.refresh
    assert any_world.count("refresh_tokens") == 2


def test_no_update_is_lost(any_world: World) -> None:
    """Read, then write on the condition that it is still so: 600 increments are 600."""
    task_id = add_tasks(any_world, 1)[0]

    def increment() -> bool:
        with transaction() as session:
            held = session.scalar(select(_TASKS.c.fence).where(_TASKS.c.id == task_id)) or 0
            same = (_TASKS.c.id == task_id) & (_TASKS.c.fence == held)
            return bool(changed(session, update(_TASKS).where(same).values(fence=held + 1)))

    def increment_often() -> int:
        done = 0
        while done < 150:
            done += increment()
        return done

    assert sum(at_once(any_world, increment_often, 4)) == 600
    assert any_world.rows("SELECT fence FROM tasks WHERE id = :id", id=task_id)[0][0] == 600


def test_on_sqlite_reading_first_is_enough(world: World) -> None:
    """`BEGIN IMMEDIATE` lets nobody in between, also where no condition is set."""
    task_id = add_tasks(world, 1)[0]
    own = _TASKS.c.id == task_id

    def increment_often() -> None:
        for _ in range(150):
            with transaction() as session:
                held = session.scalar(select(_TASKS.c.fence).where(own)) or 0
                session.execute(update(_TASKS).where(own).values(fence=held + 1))

    at_once(world, increment_often, 4)

    assert world.rows("SELECT fence FROM tasks WHERE id = :id", id=task_id)[0][0] == 600
