"""Pages: each event once, in order, and an end in any case."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from broker.models import Occurrence
from broker.models.base import table_of
from broker.services.reading import EVENTS_PER_PAGE
from broker.services.reading_statements import MERGED
from tests.web.api_world import NOW, Person, Shelf, World, make_world

BASE = int(NOW.timestamp())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


@pytest.fixture
def maria(world: World) -> Person:
    return world.person()


@pytest.fixture
def shelves(world: World, maria: Person) -> list[Shelf]:
    return [world.calendar(maria.login) for _ in range(3)]


def row(shelf: Shelf, number: int, start: int) -> dict[str, Any]:
    return {
        "calendar_id": shelf.id,
        "uid": number.to_bytes(12),
        "event_key": bytes(16),
        "start_at": start,
        "end_at": start + 60,
        "all_day": False,
        "busy": "busy",
        "changed_at": BASE,
        "deleted": False,
    }


def fill(world: World, shelves: list[Shelf], starts: list[int]) -> None:
    """Make one event per start, in turn in each calendar; the starts may repeat."""
    rows = [row(shelves[n % len(shelves)], n, BASE + start) for n, start in enumerate(starts)]
    with world.writing() as session:
        session.execute(delete(table_of(Occurrence)))
        if rows:
            session.execute(insert(table_of(Occurrence)), rows)


def drop(world: World, *, from_start: int = 0) -> None:
    with world.writing() as session:
        session.execute(delete(Occurrence).where(Occurrence.start_at >= BASE + from_start))


def first_page(person: Person) -> Any:
    return person.get("/v1/events", tzid="Etc/UTC").json


# Few different starts, so that many events begin at once; and sizes around whole pages.
SIZES = st.sampled_from([0, 1, 99, 100, 101, 199, 200, 201, 333])


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(size=SIZES, spread=st.integers(1, 5000), seed=st.randoms(use_true_random=False))
def test_each_event_is_listed_once_and_in_order(
    world: World, maria: Person, shelves: list[Shelf], size: int, spread: int, seed: Any
) -> None:
    starts = [seed.randrange(spread) for _ in range(size)]
    fill(world, shelves, starts)

    pages = list(maria.walk("events"))

    events = [event for page in pages for event in page]
    assert len({event["event_uid"] for event in events}) == len(events) == size
    assert [event["start"] for event in events] == sorted(event["start"] for event in events)
    assert len(pages) == max(1, -(-size // EVENTS_PER_PAGE))


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(size=SIZES, kept=st.integers(0, 400), after=st.integers(1, 3))
def test_walk_ends_when_events_vanish_and_lists_nothing_twice(
    world: World, maria: Person, shelves: list[Shelf], size: int, kept: int, after: int
) -> None:
    fill(world, shelves, list(range(size)))
    promised = first_page(maria)["pages"]["total"]

    pages = []
    for number, page in enumerate(maria.walk("events"), 1):
        pages.append(page)
        if number == after:
            drop(world, from_start=kept)
        assert number <= promised

    uids = [event["event_uid"] for page in pages for event in page]
    assert len(set(uids)) == len(uids)
    assert len(uids) >= min(size, kept)
    assert len(pages) == promised


def test_pages_are_fetched_in_any_order_and_again(
    world: World, maria: Person, shelves: list[Shelf]
) -> None:
    fill(world, shelves, list(range(250)))
    second = first_page(maria)["pages"]["next_page"]
    third = maria.get(second).json["pages"]["next_page"]

    last, middle, again = (maria.get(address).json for address in (third, second, second))

    assert middle["events"] == again["events"]
    assert (len(middle["events"]), len(last["events"])) == (100, 50)
    assert (middle["pages"]["current"], last["pages"]["current"]) == (2, 3)


def test_last_page_has_no_link_and_every_other_has(
    world: World, maria: Person, shelves: list[Shelf]
) -> None:
    fill(world, shelves, list(range(101)))

    first = first_page(maria)["pages"]
    last = maria.get(first["next_page"]).json["pages"]

    assert (first["current"], first["total"]) == (1, 2)
    assert last == {"current": 2, "total": 2}


def test_parameters_on_a_page_address_are_ignored(
    world: World, maria: Person, shelves: list[Shelf]
) -> None:
    fill(world, shelves, list(range(101)))
    following = first_page(maria)["pages"]["next_page"]

    answer = maria.get(following, tzid="nonsense", only_managed="true")

    assert len(answer.json["events"]) == 1


def test_promised_pages_come_empty_when_everything_vanished(
    world: World, maria: Person, shelves: list[Shelf]
) -> None:
    fill(world, shelves, list(range(250)))
    second = first_page(maria)["pages"]["next_page"]
    drop(world)

    middle = maria.get(second).json
    last = maria.get(middle["pages"]["next_page"]).json

    assert (middle["events"], middle["pages"]["current"], middle["pages"]["total"]) == ([], 2, 3)
    assert last == {"pages": {"current": 3, "total": 3}, "events": []}


def test_pages_are_added_when_events_appear(
    world: World, maria: Person, shelves: list[Shelf]
) -> None:
    fill(world, shelves, list(range(150)))
    second = first_page(maria)["pages"]["next_page"]
    world.rows([], [row(shelves[0], 1000 + n, BASE + 120) for n in range(60)])

    middle = maria.get(second).json
    last = maria.get(middle["pages"]["next_page"]).json

    assert middle["pages"]["total"] == 3
    assert (len(middle["events"]), len(last["events"])) == (100, 10)
    assert "next_page" not in last["pages"]


def test_number_of_pages_follows_what_is_there(
    world: World, maria: Person, shelves: list[Shelf]
) -> None:
    totals = []
    for size in (250, 101, 450, 450):
        fill(world, shelves, list(range(size)))
        totals.append(first_page(maria)["pages"]["total"])

    assert totals == [3, 2, 5, 5]


def test_number_of_pages_is_that_of_the_query(
    world: World, maria: Person, shelves: list[Shelf]
) -> None:
    fill(world, shelves, list(range(450)))
    one = {"calendar_ids[]": maria.calendar_id(shelves[0])}

    asked = [{}, one, {"last_modified": "2030-01-01"}, {"include_deleted": "true"}, {}]
    pages = [maria.get("/v1/events", tzid="Etc/UTC", **more).json["pages"] for more in asked]

    assert [page["total"] for page in pages] == [5, 2, 1, 5, 5]


def test_query_of_a_listing_holds_for_its_later_pages(
    world: World, maria: Person, shelves: list[Shelf]
) -> None:
    fill(world, shelves, list(range(450)))
    wanted = maria.calendar_id(shelves[0])

    events = maria.events(**{"calendar_ids[]": wanted}, localized_times="true")

    assert {event["calendar_id"] for event in events} == {wanted}
    assert len(events) == 150
    assert all(event["start"]["tzid"] == "Etc/UTC" for event in events)


@pytest.mark.parametrize("count", [1, MERGED, MERGED + 1])
def test_calendars_are_listed_together_however_many(
    world: World, maria: Person, count: int
) -> None:
    many = [world.calendar(maria.login) for _ in range(count)]
    fill(world, many, [7 * n % 50 for n in range(250)])

    pages = list(maria.walk("events"))

    starts = [event["start"] for page in pages for event in page]
    assert [len(page) for page in pages] == [100, 100, 50]
    assert starts == sorted(starts)


def test_all_fifty_calendars_asked_for_fit_into_a_short_address(
    world: World, maria: Person, shelves: list[Shelf]
) -> None:
    many = [world.calendar(maria.login) for _ in range(50)]
    fill(world, many, list(range(101)))

    wanted = [maria.calendar_id(shelf) for shelf in many]
    answer = maria.get("/v1/events", tzid="Etc/UTC", **{"calendar_ids[]": wanted}).json

    assert len(answer["pages"]["next_page"]) < 1000
    assert len(maria.get(answer["pages"]["next_page"]).json["events"]) == 1


@pytest.mark.parametrize("change", ["cut", "flip", "other", "empty", "long", "odd"])
def test_garbled_page_is_unknown(
    world: World, maria: Person, shelves: list[Shelf], change: str
) -> None:
    fill(world, shelves, list(range(101)))
    address = first_page(maria)["pages"]["next_page"]
    root, _, token = address.rpartition("/")
    garbled = {
        "cut": f"{root}/{token[:-4]}",
        "flip": f"{root}/{token[:30]}{'A' if token[30] != 'A' else 'B'}{token[31:]}",
        "other": address.replace("/events/", "/free_busy/"),
        "empty": f"{root}/AA",
        "long": f"{root}/{'A' * 5000}",
        "odd": f"{root}/\u00fc.!*",
    }[change]

    answer = maria.get(garbled)

    assert answer.status_code == 404
    assert answer.json == {"error": "not_found"}
