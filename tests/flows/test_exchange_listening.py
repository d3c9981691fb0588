"""The broker listens to Exchange: changes come at once, and one login has one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from broker.listener import Listener
from broker.models import at_once
from broker.services import dispatch, listening, polling
from broker.services.tasks import Kind
from sandbox.exchange.seed import ADA, GRACE
from tests.flows.test_connect_exchange import Office
from tests.processes.eventually import eventually
from tests.world import NOW, Tokens

SOON = NOW + timedelta(days=1)


class Heard(Office):
    """A company whose Exchange the broker listens to."""

    def __init__(self, folder: Path, most: int = 5) -> None:
        super().__init__(folder, listen_streams=most)
        self.listener = self.another()

    def another(self) -> Listener:
        """Begin one more clock."""
        return Listener(self.app, self.runtime, self.settings.listen_streams)

    def close(self) -> None:
        """Stop listening first."""
        self.listener.close()
        super().close()

    def stop(self) -> None:
        """Stop listening, and wait for whoever takes longer than the clock would."""
        self.listener.close()
        self.until(self.ended)

    def attend(self, listener: Listener | None = None) -> None:
        """Let a round of the clock go by."""
        with self.app.app_context():
            (listener or self.listener).attend()

    @property
    def lines(self) -> int:
        """Count the answers that Exchange holds open."""
        return sum(self.remote.state.streams.values())

    def until(self, look: Callable[[], Any]) -> Any:
        """Wait for another thread."""
        return eventually(look, within_s=20)

    def settle(self, **typed: str) -> Tokens:
        """Take somebody all the way, until the broker listens and nothing is left to do."""
        tokens = self.connected_by_password(**typed)
        self.work()
        before = self.lines
        self.attend()
        self.until(lambda: self.lines > before)
        self.until(self.queue.waiting)
        self.work()
        return tokens

    def add(self, summary: str) -> None:
        """Let Ada add an event to her own calendar."""
        self.remote.ada.add_event(summary, SOON, SOON + timedelta(hours=1))

    def titles(self, tokens: Tokens) -> set[str]:
        """Give what the application reads."""
        return {event["summary"] for event in self.events(self.renew(tokens))}

    def task(self) -> tuple[Any, ...]:
        """Give when the only task to listen is due, and why it waits."""
        ((due_at, lease_until, reason),) = self.rows(
            "SELECT strftime('%s', due_at), lease_until, reason FROM tasks WHERE kind = 'listen'"
        )
        return int(due_at) - self.clock.now().timestamp(), lease_until, reason

    def ended(self) -> bool:
        """Tell whether no thread listens any more."""
        return not any(post.thread.is_alive() for post in self.listener._posts.values())


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Heard]:
    made = Heard(tmp_path)
    yield made
    made.close()


def test_a_change_comes_without_a_poll(office: Heard) -> None:
    tokens = office.settle()

    office.add("Tea")
    office.until(office.queue.waiting)

    assert office.work() == 1
    assert "Tea" in office.titles(tokens)


def test_while_it_is_listened_to_a_poll_only_makes_sure(office: Heard) -> None:
    office.settle()

    rows = office.rows("SELECT strftime('%s', due_at) FROM tasks WHERE kind = 'sync_calendar'")

    waits = [int(row[0]) - office.clock.now().timestamp() for row in rows]
    assert min(waits) >= office.settings.poll_seconds * polling.LONGEST * 0.75 - 1


def test_without_the_setting_nobody_listens(tmp_path: Path) -> None:
    office = Heard(tmp_path, most=0)
    try:
        office.connected_by_password()
        office.work()
        office.attend()

        assert office.rows("SELECT * FROM tasks WHERE kind = 'listen'") == []
        assert office.lines == 0
    finally:
        office.close()


def test_switching_it_off_forgets_who_was_listened_to(office: Heard) -> None:
    office.settle()
    office.stop()

    office.attend(Listener(office.app, office.runtime, 0))

    assert office.rows("SELECT * FROM tasks WHERE kind = 'listen'") == []


def test_switching_it_on_finds_who_is_connected(office: Heard) -> None:
    office.connected_by_password()
    with office.app.app_context():
        listening.forget()

    office.attend()

    assert office.until(lambda: office.lines) == 1


def test_two_clocks_have_one_line_for_a_login(office: Heard) -> None:
    office.settle()
    other = office.another()
    try:
        for _ in range(3):
            office.clock.advance(seconds=4)
            office.attend()
            office.attend(other)

        assert office.lines == 1
        assert not other._posts
    finally:
        other.close()


def test_workers_and_the_queue_leave_it_alone(office: Heard) -> None:
    office.connected_by_password()

    with office.app.app_context():
        due = dispatch.due(office.runtime)

    kinds = {row[0] for row in office.rows("SELECT DISTINCT kind FROM tasks")}
    named = office.rows("SELECT id FROM tasks WHERE kind = 'listen'")
    assert Kind.LISTEN.value in kinds
    assert named[0][0] not in {*due, *office.queue.announced}


def test_no_more_lines_than_the_setting_allows(tmp_path: Path) -> None:
    office = Heard(tmp_path, most=1)
    try:
        office.settle()
        office.connected_by_password(email=GRACE)
        office.attend()
        office.attend()

        assert office.lines == 1
        assert len(office.listener._posts) == 1
    finally:
        office.close()


def test_a_stop_ends_every_line_and_another_clock_goes_on(office: Heard) -> None:
    tokens = office.settle()

    office.stop()

    assert office.task()[:2] == (0.0, None)
    office.add("Meanwhile")
    office.listener = office.another()
    office.attend()
    office.until(office.queue.waiting)
    office.work()
    assert "Meanwhile" in office.titles(tokens)


def test_a_lost_line_is_made_anew_and_everything_is_read_once(office: Heard) -> None:
    tokens = office.settle()
    office.remote.faults.set(ADA, "stream_cut", 1)
    office.until(office.ended)
    office.add("Missed")
    wait_s, lease, reason = office.task()
    assert 0 < wait_s <= 7 and lease is None and reason == "provider_unavailable"
    assert "reason" not in office.profile(tokens)["profile_sync"]

    office.clock.advance(seconds=8)
    office.attend()
    office.until(office.queue.waiting)
    office.work()

    assert "Missed" in office.titles(tokens)


def test_a_line_that_breaks_again_and_again_is_tried_less_and_less(office: Heard) -> None:
    office.connected_by_password()
    waits = []
    for _ in range(5):
        office.remote.faults.set(ADA, "stream_cut", 1)
        office.attend()
        office.until(lambda: office.listener._posts)
        office.until(office.ended)
        waits.append(office.task()[0])
        office.clock.advance(seconds=waits[-1] + 1)

    assert waits[-1] > waits[0] * 6


def test_a_refused_password_ends_everything_at_once(office: Heard) -> None:
    """C4: refused once, by whoever came first, and never sent again."""
    tokens = office.settle()
    office.stop()
    office.refuse("password_changed")
    before = office.refusals

    office.listener = office.another()
    office.attend()
    office.until(office.ended)

    assert office.refusals == before + 1
    profile = office.profile(tokens)
    assert profile["profile_connected"] is False
    office.clock.advance(hours=7)
    office.attend()
    office.work()
    assert office.refusals == before + 1
    assert office.rows("SELECT * FROM tasks WHERE kind = 'listen'") == []


def test_a_connection_that_ends_ends_its_line(office: Heard) -> None:
    tokens = office.settle()
    assert office.revoke(tokens).status_code == 200

    office.clock.advance(seconds=4)
    office.attend()

    office.until(office.ended)
    office.clock.advance(minutes=1)
    office.attend()
    assert office.ended()


def test_a_new_calendar_is_listened_to_as_well(office: Heard) -> None:
    tokens = office.settle()
    made = office.remote.ada.add_calendar("Garden")
    office.clock.advance(hours=2)
    office.work()
    office.attend()
    office.until(office.ended)
    office.attend()
    office.until(office.queue.waiting)
    office.work()

    office.remote.ada.add_event("Roses", SOON, SOON + timedelta(hours=1), made.number)
    office.until(office.queue.waiting)
    office.work()

    assert "Roses" in office.titles(tokens)


def test_a_server_that_is_too_old_is_asked_once_a_day(office: Heard) -> None:
    office.refuse("version", style="Exchange2010")
    tokens = office.connected_by_password()
    office.work()

    office.attend()
    office.until(office.ended)

    wait_s, lease, reason = office.task()
    assert wait_s > 20 * 3600 and lease is None and reason is None
    assert "reason" not in office.profile(tokens)["profile_sync"]


def test_a_full_mailbox_of_lines_leaves_the_rest_of_it_alone(office: Heard) -> None:
    """HangingConnectionLimit: other programs of the person's may have taken them all."""
    tokens = office.connected_by_password()
    office.work()
    with office.remote.state.lock:
        office.remote.state.streams[ADA] = 10

    office.attend()
    office.until(office.ended)

    assert office.task()[0] > 40 * 60
    office.add("Tea")
    office.clock.advance(minutes=30)
    office.work()
    assert "Tea" in office.titles(tokens)


def test_a_wait_that_exchange_asks_for_is_kept(office: Heard) -> None:
    office.connected_by_password()
    office.work()
    office.refuse("busy", seconds=600)
    office.clock.advance(minutes=30)
    office.work()
    asked = len(office.remote.calls)

    office.attend()
    office.until(office.ended)

    assert len(office.remote.calls) == asked
    assert office.task()[0] > 60


def test_a_database_that_is_away_is_for_the_next_round(
    office: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    office.settle()
    rename = "ALTER TABLE {} RENAME TO {}"
    with office.app.app_context(), at_once() as database:
        database.execute(text(rename.format("tasks", "away")))

    office.clock.advance(seconds=4)
    office.attend()

    assert "listener missed a round" in caplog.text
    with office.app.app_context(), at_once() as database:
        database.execute(text(rename.format("away", "tasks")))
    office.clock.advance(seconds=4)
    office.attend()
    assert office.lines == len(office.listener._posts) == 1
