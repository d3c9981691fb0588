"""A calendar of thousands of rules keeps nobody from writing, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import event

from broker.domain import Busy, Changes, EventContent, Moment, RemoteEvent, window_at
from broker.errors import CopyOvertaken
from broker.models import db, reading, transaction
from broker.services import connections
from broker.sync.apply import Copy
from broker.sync.steps import ROWS_PER_STEP, Step
from tests.cost import Meter
from tests.flows.test_sync import ADA, quietly, small_pages, timed
from tests.world import Tokens, World

# Costs a good part of a second to expand, and gives one occurrence.
HOSTILE = "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=2"
DAILY = "RRULE:FREQ=DAILY"
COSTLY = "RRULE:FREQ=DAILY;INTERVAL=1"
# A line that is read and not used, long enough to spend a twelfth of what a pass may spend.
LONG = "EXRULE:" + "X" * 700_000
DAYS = 201  # from the tenth of March to the window's end
START = datetime(2026, 3, 10, 9, tzinfo=UTC)


@pytest.fixture
def ada(world: World) -> Tokens:
    """Ada, connected and synced."""
    tokens = world.connected(ADA)
    world.work()
    quietly(world)
    return tokens


def add_series(world: World, count: int, rule: str = DAILY) -> None:
    """Add series that begin on the tenth of March."""
    person = world.state.person(ADA)
    for number in range(count):
        fields = timed(f"Series {number}", START.isoformat())
        person.create_event(**fields, recurrence=[rule])


def let_costly_rules_be_long(world: World) -> None:
    """Let Google add the long line to every rule that is COSTLY."""
    google = world.google.app

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        def unsized(status: str, headers: list[tuple[str, str]]) -> Any:
            return start_response(status, [one for one in headers if one[0] != "Content-Length"])

        body = b"".join(google(environ, unsized))
        return [body.replace(f'"{COSTLY}"'.encode(), f'"{COSTLY}", "{LONG}"'.encode())]

    world.google.app = app


def dates(world: World) -> list[Any]:
    """Read the occurrences of the copy that are not removed."""
    return world.rows("SELECT uid, start_at FROM occurrences WHERE NOT deleted ORDER BY uid")


@contextmanager
def writes_counted(world: World, meter: Meter | None = None) -> Iterator[list[tuple[int, int]]]:
    """Note of each writing transaction what it cost by a running meter, and its rows."""
    found: list[tuple[int, int]] = []
    meter = meter or Meter()
    state: dict[str, Any] = {"rows": 0}

    def begun(_connection: Any) -> None:
        state.update(at=meter.calls, rows=0)

    def executed(_c: Any, _cursor: Any, text: str, values: Any, _ctx: Any, many: bool) -> None:
        if text.startswith(("INSERT", "UPDATE", "DELETE")):
            state["rows"] += len(values) if many else 1

    def ended(_connection: Any) -> None:
        if state["rows"]:
            found.append((meter.calls - state["at"], state["rows"]))

    with world.app.app_context():
        engine = db.engine
    handlers = {
        "begin": begun,
        "after_cursor_execute": executed,
        "commit": ended,
        "rollback": ended,
    }
    for name, handler in handlers.items():
        event.listen(engine, name, handler)
    try:
        yield found
    finally:
        for name, handler in handlers.items():
            event.remove(engine, name, handler)


def copy_of(world: World, **changes: Any) -> Copy:
    """Give the copy of the calendar that holds most events."""
    ((calendar_id, _),) = world.rows(
        "SELECT calendar_id, count(*) FROM events GROUP BY calendar_id ORDER BY 2 DESC LIMIT 1"
    )
    found = connections.of_calendar(calendar_id)
    assert found is not None
    vault, now = world.runtime.vault, world.clock.now()
    key = connections.data_key(vault, found[1])
    return Copy(vault, key, calendar_id, window_at(now), now, **changes)


def write(copy: Copy, steps: Iterable[Any]) -> None:
    """Write steps as a service does."""
    for step in steps:
        with transaction() as session:
            copy.write(session, step, generation=1)


def test_no_transaction_writes_more_than_a_step(world: World, ada: Tokens) -> None:
    add_series(world, 60)
    world.clock.advance(hours=1)

    with writes_counted(world) as written:
        world.work()
        world.clock.advance(days=2)
        world.work()

    assert len(dates(world)) > 60 * 150
    assert max(rows for _, rows in written) <= 2 * ROWS_PER_STEP + 10


def test_a_hostile_calendar_is_expanded_outside_of_transactions(world: World, ada: Tokens) -> None:
    add_series(world, 4, HOSTILE)
    world.clock.advance(hours=1)

    with Meter() as meter, writes_counted(world, meter) as written:
        world.work()

    assert max(calls for calls, _ in written) < meter.calls / 4


def test_what_a_pass_may_not_expand_is_done_later(world: World, ada: Tokens) -> None:
    before = len(dates(world))
    add_series(world, 12, COSTLY)
    add_series(world, 3)
    let_costly_rules_be_long(world)
    small_pages(world, 1)
    world.clock.advance(hours=1)

    world.work()

    first = dates(world)
    assert before + 12 * DAYS == len(first)
    assert world.profile(ada)["profile_sync"]["reason"] == "series_waiting"
    world.clock.advance(minutes=1)
    since = int(world.clock.now().timestamp())
    world.work()
    after = dates(world)
    assert before + 15 * DAYS == len(after)
    assert set(first) < set(after)
    changed = world.rows("SELECT count(*) FROM occurrences WHERE changed_at >= :at", at=since)
    assert changed == [(3 * DAYS,)]
    assert "reason" not in world.profile(ada)["profile_sync"]
    world.state.expire_sync_tokens()
    world.clock.advance(hours=1)
    world.work()
    assert dates(world) == after


def remote(name: str, at: datetime, **changes: Any) -> RemoteEvent:
    """Give an hour's event."""
    start, end = Moment(at, "UTC"), Moment(at + timedelta(hours=1), "UTC")
    return RemoteEvent(remote_id=name, etag=str(changes), start=start, end=end, **changes)


def test_what_is_postponed_shows_no_event_that_is_gone(world: World, ada: Tokens) -> None:
    """The rest of the series may wait; and when its turn comes the occurrence is back."""
    master = remote("s", START, recurrence=(DAILY,))
    moved = remote("x", START + timedelta(hours=5), series_id="s", original_start=master.start)
    with world.app.app_context():
        before = dates(world)
        copy = copy_of(world)
        write(copy, copy.page_steps(reading(), Changes((master, moved)), 1))
        assert len(dates(world)) == len(before) + DAYS

        copy = copy_of(world, work_left=0)
        again = remote("s", START, recurrence=(DAILY,), busy=Busy.FREE)
        write(copy, copy.page_steps(reading(), Changes((again,), whole_series=True), 1))
        assert copy.is_behind
        assert len(dates(world)) == len(before) + DAYS - 1

        copy = copy_of(world)
        write(copy, copy.roll_steps(reading()))
        assert not copy.is_behind
        assert len(dates(world)) == len(before) + DAYS
        copy = copy_of(world)
        assert list(copy.roll_steps(reading())) == []


def test_an_event_that_only_has_another_etag_is_no_change(world: World, ada: Tokens) -> None:
    """A reminder was dismissed: nobody is told, and nothing is written but the etag."""

    def said(etag: str, updated: str, summary: str = "Talk") -> tuple[RemoteEvent, RemoteEvent]:
        content = EventContent(summary=summary, updated_at=updated)
        master = remote("s", START, recurrence=(DAILY,), content=content)
        moved = remote(
            "x", START + timedelta(hours=5), series_id="s", original_start=master.start,
            content=EventContent(summary="Moved", updated_at=updated),
        )  # fmt: skip
        return replace(master, etag=etag), replace(moved, etag=etag)

    def apply(*events: RemoteEvent, complete: bool = False) -> list[Step]:
        page = Changes(events, whole_series=True, complete=complete)
        copy, steps = copy_of(world), []
        for step in copy.page_steps(reading(), page, 7):
            steps.append(step)
            write(copy, [step])
        return steps

    rows = "SELECT etag, expanded_to, generation, sealed FROM events WHERE generation = 7"
    with world.app.app_context():
        apply(*said("1", "2026-03-10T09:00:00Z"))
        before = world.rows("SELECT * FROM occurrences ORDER BY uid")
        reach = [row[1] for row in world.rows(rows)]
        world.clock.advance(hours=1)

        (step,) = apply(*said("2", "2026-03-10T10:00:00Z"))
        assert 2 == step.size == len(step.renewed)
        assert before == world.rows("SELECT * FROM occurrences ORDER BY uid")
        found = world.rows(rows)
        assert ["2", "2"] == [row[0] for row in found] and reach == [row[1] for row in found]
        # What is stored is what was said last, and is not looked at again.
        assert [2] == [len(one.seen) for one in apply(*said("2", ""), complete=True)]

        (*_, step) = apply(*said("3", "2026-03-10T11:00:00Z", "Other"))
        assert 1 == len(step.events) and DAYS - 1 == len(step.writes)


def test_a_family_too_large_for_one_step_is_written_events_last(world: World, ada: Tokens) -> None:
    """Whoever is interrupted has stored no etag of an event whose occurrences are missing."""
    master = remote("s", START, recurrence=(DAILY,))
    many = [
        remote(f"x{n}", START + timedelta(days=n, hours=1), series_id="s",
               original_start=Moment(START + timedelta(days=n), "UTC"))
        for n in range(2 * ROWS_PER_STEP)
    ]  # fmt: skip
    with world.app.app_context():
        copy = copy_of(world)
        steps = []
        for step in copy.page_steps(reading(), Changes((master, *many)), 1):
            steps.append(step)
            write(copy, [step])

    assert all(step.size <= ROWS_PER_STEP for step in steps)
    kinds = ["events" if step.events else "occurrences" for step in steps if not step.expanded]
    assert kinds == sorted(kinds, reverse=True)
    assert kinds.count("events") == 3


def test_a_plan_that_was_overtaken_is_not_written(world: World, ada: Tokens) -> None:
    """Two workers, one calendar: a roll and a sync may cross."""
    add_series(world, 3)
    world.clock.advance(hours=1)
    world.work()
    with world.app.app_context():
        world.clock.advance(hours=12)
        world.clock.advance(days=1)
        copy = copy_of(world)
        (step,) = copy.roll_steps(reading())
        add_series(world, 1)
        world.work()
        before = dates(world)

        with pytest.raises(CopyOvertaken), transaction() as session:
            copy.write(session, step)

    assert dates(world) == before
