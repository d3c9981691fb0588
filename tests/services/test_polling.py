"""How often a calendar is looked at: soon after a change, rarely while it rests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from broker.services import polling
from tests.apple_world import AppleWorld
from tests.world import ADA, NOW, World

HOUR = timedelta(hours=1)
FLOOR_S = 300
SPREAD = 0.25


@pytest.fixture
def apple(tmp_path: Path) -> Iterator[AppleWorld]:
    """Ada's iCloud, read once."""
    made = AppleWorld(tmp_path, poll_seconds=FLOOR_S)
    made.connected_to_apple()
    made.work()
    yield made
    made.close()


def home(world: World) -> tuple[int, float]:
    """Give the quiet passes of the fullest calendar, and the seconds until its next poll."""
    ((quiet, due_at),) = world.rows(
        "SELECT c.quiet_passes, strftime('%s', t.due_at) FROM calendars c JOIN tasks t"
        " ON t.subject_id = c.id WHERE t.kind = 'sync_calendar'"
        " ORDER BY (SELECT count(*) FROM events e WHERE e.calendar_id = c.id) DESC LIMIT 1"
    )
    return quiet, int(due_at) - world.clock.now().timestamp()


def quiet_pass(world: World) -> tuple[int, float]:
    """Wait for the next poll of everything, and make it."""
    world.clock.advance(seconds=FLOOR_S * polling.LONGEST * (1 + SPREAD))
    world.work()
    return home(world)


def test_the_wait_grows_by_half_to_six_times_the_floor() -> None:
    waits = [polling.stretch(quiet) for quiet in range(8)]

    assert waits == [1, 1.5, 2.25, 3.375, 5.0625, 6, 6, 6]


def test_counting_quiet_passes_ends_where_it_makes_no_difference() -> None:
    quiet = 0
    for _ in range(1_000):
        quiet = polling.quiet_after(quiet, changed=False)

    assert polling.stretch(quiet) == polling.LONGEST
    assert quiet < 10
    assert polling.quiet_after(quiet, changed=True) == 0


def test_a_resting_calendar_is_polled_less_and_less(apple: AppleWorld) -> None:
    assert home(apple)[0] == 0

    for quiet in range(1, 8):
        found, wait_s = quiet_pass(apple)
        expected_s = FLOOR_S * polling.stretch(quiet)
        assert found == min(quiet, polling.QUIET_ENOUGH)
        assert expected_s * (1 - SPREAD) - 1 <= wait_s <= expected_s * (1 + SPREAD)


def test_any_change_starts_again(apple: AppleWorld) -> None:
    for _ in range(5):
        quiet_pass(apple)
    for name, _, _ in apple.ada.calendars():
        apple.ada.add_event("New", NOW + HOUR, NOW + 2 * HOUR, calendar=name)

    quiet, wait_s = quiet_pass(apple)

    assert quiet == 0
    assert wait_s <= FLOOR_S * (1 + SPREAD)


def test_waits_are_spread(apple: AppleWorld) -> None:
    """A thousand calendars that were connected together do not poll in step."""
    quiet_pass(apple)

    due = apple.rows("SELECT due_at FROM tasks WHERE kind = 'sync_calendar'")

    assert len(set(due)) == len(due) > 1


def test_while_push_works_a_poll_only_makes_sure(world: World) -> None:
    world.connected(ADA)
    world.work()

    _, wait_s = home(world)

    longest_s = world.settings.poll_seconds * polling.LONGEST
    assert longest_s * (1 - SPREAD) - 1 <= wait_s <= longest_s * (1 + SPREAD)
