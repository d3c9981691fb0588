"""Transactions that cross on PostgreSQL: one is stopped half way until the other waits for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event, current_thread
from typing import Any

import pytest
from sqlalchemy import event

from broker.errors import AuthorizationLost
from broker.models import db
from broker.services import disconnect, tasks, work
from tests.processes.eventually import eventually
from tests.world import ADA, Tokens, World

pytestmark = pytest.mark.postgres
LOCKED_FIRST = "FOR NO KEY UPDATE"
FULL_DAY = {"start": {"date": "2026-03-10"}, "end": {"date": "2026-03-11"}}


class Crossing:
    """Runs one action up to a statement, then another until it waits or ends, then both."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.stopped, self.go = Event(), Event()
        self.names: dict[str, str] = {}
        self.pids: dict[str, int] = {}

    def run(
        self, first: Callable[[], Any], second: Callable[[], Any], *, stop_after: str
    ) -> tuple[Any, Any]:
        """Give what both gave. *stop_after* is part of the statement that *first* stops after."""
        with self._watching(stop_after), ThreadPoolExecutor(2) as pool:
            try:
                one = pool.submit(self._in_app, "first", first)
                eventually(lambda: self.stopped.is_set() or one.done(), within_s=60)
                assert self.stopped.is_set(), one.result()
                two = pool.submit(self._in_app, "second", second)
                eventually(lambda: two.done() or self._waits("second"), within_s=60)
            finally:
                self.go.set()
            return _result(one), _result(two)

    def _in_app(self, name: str, action: Callable[[], Any]) -> Any:
        self.names[current_thread().name] = name
        with self.world.app.app_context():
            try:
                return action()
            finally:
                db.session.remove()

    @contextmanager
    def _watching(self, stop_after: str) -> Iterator[None]:
        def note(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            name = self.names.get(current_thread().name)
            if name is not None:
                self.pids[name] = connection.connection.dbapi_connection.info.backend_pid

        def stop(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            name = self.names.get(current_thread().name)
            if name == "first" and stop_after in statement and not self.stopped.is_set():
                self.stopped.set()
                assert self.go.wait(60)

        with self.world.app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        event.listen(engine, "after_cursor_execute", stop)
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", note)
            event.remove(engine, "after_cursor_execute", stop)

    def _waits(self, name: str) -> bool:
        query = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = :pid"
        rows = self.world.rows(query, pid=self.pids.get(name, 0))
        return bool(rows) and rows[0][0] == "Lock"


def _result(future: Future[Any]) -> Any:
    return future.result(60)


@pytest.fixture
def crossing(pg_world: World) -> Crossing:
    return Crossing(pg_world)


def only(world: World, statement: str) -> Any:
    """Read one value of one row."""
    ((value,),) = world.rows(statement)
    return value


def arriving(world: World, **params: str) -> Callable[[], Any]:
    """Take a person to where the provider sends them back; gives the last step."""
    browser = world.browser()
    back = world.consent(world.leave(browser, **params), ADA)
    return lambda: world.arrive(browser, back)


def syncing(world: World) -> Callable[[], Any]:
    """Make one calendar's sync due, with a change to find; gives the task."""
    world.faults.set(ADA, "lost_push")
    world.state.person(ADA).create_event(summary="Later", **FULL_DAY)
    task_id = only(
        world,
        "SELECT t.id FROM tasks t JOIN calendars c ON c.id = t.subject_id"
        " WHERE t.kind = 'sync_calendar' AND c.\"primary\"",
    )
    return lambda: work.run(world.runtime, task_id)


def refused(world: World, _tokens: Tokens) -> Callable[[], Any]:
    ((connection_id, version),) = world.rows("SELECT id, credential_version FROM connections")
    task_id = only(world, "SELECT id FROM tasks WHERE kind = 'list_calendars'")
    error = AuthorizationLost("google", "calendars", 401)
    error.credential_version = version
    with world.app.app_context():
        lease = tasks.claim(world.runtime, task_id)
    assert lease is not None
    return lambda: disconnect.mark_disconnected(world.runtime, lease, connection_id, error)


def reconnected(world: World, _tokens: Tokens) -> Callable[[], Any]:
    back = arriving(world)
    return lambda: back().status_code


def left(world: World, tokens: Tokens) -> Callable[[], Any]:
    return lambda: world.revoke(tokens).status_code


def profile_revoked(world: World, tokens: Tokens) -> Callable[[], Any]:
    return lambda: world.revoke_profile(tokens).status_code


@pytest.mark.parametrize("other", [refused, reconnected, left, profile_revoked])
def test_a_sync_and_what_ends_a_connection_do_not_wait_for_each_other(
    pg_world: World, crossing: Crossing, other: Callable[[World, Tokens], Callable[[], Any]]
) -> None:
    """The task and the connection are locked in one order by everybody."""
    tokens = pg_world.connected(ADA)
    pg_world.work()
    pg_world.clock.advance(hours=2)
    sync, going = syncing(pg_world), other(pg_world, pg_world.renew(tokens))

    ran, status = crossing.run(sync, going, stop_after="our_fence")

    assert ran is True
    assert status in (None, 200, 202, 303)


def test_a_relink_and_a_listing_do_not_wait_for_each_other(
    pg_world: World, crossing: Crossing
) -> None:
    pg_world.connected(ADA)
    pg_world.work()
    pg_world.clock.advance(hours=2)
    task_id = only(pg_world, "SELECT id FROM tasks WHERE kind = 'list_calendars'")
    back = arriving(pg_world)

    _, arrived = crossing.run(
        lambda: work.run(pg_world.runtime, task_id), back, stop_after="our_fence"
    )

    assert arrived.status_code == 303


def test_two_applications_that_leave_together_end_the_connection(
    pg_world: World, crossing: Crossing
) -> None:
    """D3: neither still counts the other."""
    one, two = pg_world.connected(ADA), pg_world.connected_to(pg_world.partner())
    pg_world.work()

    answers = crossing.run(
        lambda: pg_world.revoke_profile(one).status_code,
        lambda: pg_world.revoke_profile(two).status_code,
        stop_after="SELECT count(*)",
    )

    pg_world.work()
    assert answers == (202, 202)
    assert (pg_world.count("profiles"), pg_world.count("connections")) == (0, 0)
    assert pg_world.calls("/revoke") == 1


def test_a_profile_revoked_twice_at_once_is_revoked_once(
    pg_world: World, crossing: Crossing
) -> None:
    tokens = pg_world.connected(ADA)
    pg_world.work()
    path = f"/v1/profiles/{pg_world.profile(tokens)['profile_id']}/revoke"
    headers = pg_world.renew(tokens).headers

    def revoke() -> int:
        return pg_world.browser().post(path, headers=headers).status_code

    assert crossing.run(revoke, revoke, stop_after="DELETE FROM profiles") == (202, 404)


def test_two_grants_that_end_together_leave_an_unused_connection(
    pg_world: World, crossing: Crossing
) -> None:
    one, two = pg_world.connected(ADA), pg_world.connected_to(pg_world.partner())
    pg_world.work()

    crossing.run(
        lambda: pg_world.revoke(one),
        lambda: pg_world.revoke(two),
        stop_after="FROM profiles JOIN grants",
    )

    assert only(pg_world, "SELECT unused_since FROM connections") is not None
    assert pg_world.work() == 0


def test_an_application_that_arrives_while_the_last_one_leaves_is_kept(
    pg_world: World, crossing: Crossing
) -> None:
    """D3: the connection is ended by whoever is the last, and nobody else."""
    tokens = pg_world.connected(ADA)
    pg_world.work()
    other = pg_world.partner()
    back = arriving(pg_world, client_id=other["client_id"], redirect_uri=other["redirect_uri"])

    arrived, revoked = crossing.run(
        back, lambda: pg_world.revoke_profile(tokens), stop_after="UPDATE connections"
    )

    assert revoked.status_code == 202
    pg_world.work()
    held = pg_world.exchange(arrived.headers["Location"], **other)
    assert pg_world.profile(held)["profile_connected"] is True
    assert pg_world.events(held)
    assert pg_world.calls("/revoke") == 0


def test_two_first_connects_of_one_login_are_one_connection(
    pg_world: World, crossing: Crossing
) -> None:
    other = pg_world.partner()
    one = arriving(pg_world)
    two = arriving(pg_world, client_id=other["client_id"], redirect_uri=other["redirect_uri"])

    answers = crossing.run(one, two, stop_after="INSERT INTO connections")

    assert Counter(answer.status_code for answer in answers) == {303: 2}
    assert (pg_world.count("connections"), pg_world.count("profiles")) == (1, 2)
    assert only(pg_world, "SELECT credential_version FROM connections") == 2


def test_a_grant_given_and_revoked_while_a_profile_is_taken_away(
    crossing: Crossing, pg_world: World
) -> None:
    """Three transactions: the grant is not among those that the first knew of when it locked."""
    tokens = pg_world.connected(ADA)
    pg_world.work()
    profile_id = pg_world.profile(tokens)["profile_id"]
    pg_world.revoke(tokens)
    arrive = arriving(pg_world)
    given: list[Tokens] = []

    def give(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        first = crossing.names.get(current_thread().name) == "first"
        if first and not given and LOCKED_FIRST in statement:
            with ThreadPoolExecutor(1) as pool:
                back = pool.submit(crossing._in_app, "giver", arrive).result(60)
                uri = back.headers["Location"]
                given.append(pool.submit(pg_world.exchange, uri).result(60))

    taken_away = partial(
        disconnect.revoke_profile, pg_world.runtime, account_id=tokens.sub, profile_id=profile_id
    )
    with pg_world.app.app_context():
        engine = db.engine
    event.listen(engine, "after_cursor_execute", give)
    _, second = crossing.run(
        taken_away, lambda: pg_world.revoke(given[0]), stop_after="FROM connections"
    )
    event.remove(engine, "after_cursor_execute", give)

    assert second.status_code == 200
    assert pg_world.count("profiles") == 0
    assert pg_world.rows("SELECT count(*) FROM grants WHERE revoked_at IS NULL") == [(0,)]


@pytest.mark.parametrize("again", [False, True])
def test_a_push_message_that_crosses_the_last_application_leaving(
    crossing: Crossing, pg_world: World, again: bool
) -> None:
    """It starts nothing that was left; what comes back meanwhile is read in any case."""
    tokens = pg_world.connected(ADA)
    pg_world.work()
    pg_world.state.person(ADA).create_event(summary="Pushed", **FULL_DAY)
    pg_world.work()
    address, headers = pg_world.delivered[-1]
    arrive = arriving(pg_world)

    def leave() -> None:
        assert pg_world.revoke(tokens).status_code == 200
        if again:
            assert arrive().status_code == 303

    answer, _ = crossing.run(
        lambda: pg_world._deliver(address, headers), leave, stop_after="FROM subscriptions"
    )

    assert answer == (204 if again else 404)
    kinds = {kind for (kind,) in pg_world.rows("SELECT kind FROM tasks")}
    assert ("sync_calendar" in kinds) is again
