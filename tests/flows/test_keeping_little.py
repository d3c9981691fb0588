"""What nobody needs any more goes, and nobody can make us keep much."""

from __future__ import annotations

from broker.services import housekeeping
from tests.flows.test_sync import ADA, TEAM, later, quietly, titles
from tests.world import World


def _list(world: World, *, deleted: bool) -> None:
    """Take Ada's team calendar off her list at Google, or put it back."""
    entry = world.state.world.lists[ADA][TEAM]
    with world.state.transaction():
        entry.deleted = deleted
        world.state.put_entry(ADA, entry)


def _gone(world: World) -> tuple[int, int]:
    """Count the events and occurrences of calendars that were removed."""
    query = "SELECT count(*) FROM {} JOIN calendars ON id = calendar_id WHERE deleted_at NOTNULL"
    found = [world.rows(query.format(table))[0][0] for table in ("events", "occurrences")]
    return found[0], found[1]


def test_the_copy_of_a_removed_calendar_is_kept_for_sixty_days(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()
    quietly(world)
    with world.app.app_context():
        housekeeping.ensure(world.runtime)
    _list(world, deleted=True)
    later(world, hours=2)
    held = _gone(world)
    assert min(held) > 0

    later(world, days=58)
    later(world, hours=2)
    assert _gone(world)[0] == held[0]
    later(world, days=2)
    later(world, hours=2)

    assert _gone(world) == (0, 0)
    assert world.count("events") > 0
    assert world.profile(tokens)["profile_connected"] is True


def test_a_calendar_that_comes_back_later_is_read_anew(world: World) -> None:
    """Its cursor went with its copy: what had not changed since would be missing."""
    tokens = world.connected(ADA)
    world.work()
    quietly(world)
    with world.app.app_context():
        housekeeping.ensure(world.runtime)
    before = titles(world, tokens, **{"from": "2026-03-01", "to": "2026-07-01"})
    _list(world, deleted=True)
    later(world, hours=2)
    for _ in range(4):
        later(world, days=20)
    assert _gone(world) == (0, 0)

    _list(world, deleted=False)
    later(world, hours=2)
    later(world, hours=2)

    period = {"from": "2026-04-20", "to": "2026-07-01"}
    assert set(titles(world, tokens, **period)) <= set(before)
    team = "SELECT count(*) FROM events JOIN calendars ON id = calendar_id WHERE deleted_at IS NULL"
    assert world.rows(team) == [(world.count("events"),)]
    assert world.rows("SELECT count(*) FROM calendars WHERE deleted_at NOTNULL") == [(0,)]


def test_one_browser_cannot_open_attempts_without_end(world: World) -> None:
    browser = world.browser()

    answers = [world.authorize(browser).status_code for _ in range(70)]

    assert answers.count(303) == 60
    assert set(answers[60:]) == {429}
    page = world.authorize(browser)
    assert 0 < int(page.headers["Retry-After"]) <= 600
    assert "Many connections were begun here just now" in page.text
    assert 'class="main" href="/oauth/authorize?' in page.text
    assert world.authorize(world.browser()).status_code == 303
    assert world.count("connect_attempts") == 61
    world.clock.advance(minutes=10)
    assert world.authorize(browser).status_code == 303


def test_one_address_cannot_open_attempts_without_end(world: World) -> None:
    """Whoever throws its cookie away is a new browser each time."""
    answers = [world.authorize(world.browser()).status_code for _ in range(310)]

    assert answers.count(303) == 300
    assert answers[-1] == 429
