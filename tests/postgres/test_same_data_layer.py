"""What is promised of tasks and of the copy holds on PostgreSQL as it does on SQLite."""

from __future__ import annotations

import pytest

from tests.flows.test_disconnection import (  # noqa: F401 - the same test, in another world
    test_the_last_access_token_of_a_grant_ends_it_however_old,
)
from tests.flows.test_sync import (  # noqa: F401 - the same tests, in another world
    ada,
    test_a_calendar_that_changes_while_it_is_read_is_read_again,
    test_a_full_read_by_a_worker_that_woke_up_late_writes_nothing,
    test_a_large_removal_is_asked_for_twice_and_then_believed,
    test_a_worker_that_woke_up_late_writes_nothing,
    test_an_aborted_full_read_leaves_no_ghost_and_deletes_nothing_wrongly,
    test_the_window_rolls_on_without_counting_as_a_change,
    test_what_left_the_window_is_forgotten,
)
from tests.services.test_tasks import *  # noqa: F403
from tests.world import World

pytestmark = pytest.mark.postgres


@pytest.fixture
def world(pg_world: World) -> World:
    """A broker on PostgreSQL, where those tests expect one on SQLite."""
    return pg_world
