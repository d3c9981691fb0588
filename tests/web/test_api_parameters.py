"""What callers may write, and what they are told when it makes no sense."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.web.api_world import Person, World, make_world

LISTINGS = ("events", "free_busy")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


@pytest.fixture
def maria(world: World) -> Person:
    person = world.person()
    world.event(world.calendar(person.login), "2026-03-10T13:00", "2026-03-10T14:30")
    return person


def refused(person: Person, listing: str, **query: Any) -> dict[str, list[str]]:
    """Give the keys of what a call is refused for, by field."""
    answer = person.get(f"/v1/{listing}", **query)
    assert answer.status_code == 422, answer.json
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json.keys() == {"errors"}
    entries = answer.json["errors"].items()
    assert all(item.keys() == {"key", "description"} for _, items in entries for item in items)
    return {name: [item["key"] for item in items] for name, items in entries}


@pytest.mark.parametrize("listing", LISTINGS)
@pytest.mark.parametrize("query", [{}, {"tzid": ""}])
def test_tzid_is_required(maria: Person, listing: str, query: dict[str, str]) -> None:
    assert refused(maria, listing, **query) == {"tzid": ["errors.required"]}
    answer = maria.get(f"/v1/{listing}").json
    assert answer["errors"]["tzid"][0]["description"] == "tzid must be specified"


@pytest.mark.parametrize(
    "tzid",
    [
        "Mars/Base",
        "W. Europe Standard Time",
        "../../etc/passwd",
        "Europe",
        "a\x00b",
        "/",
        "localtime",
        "right/Europe/Zurich",
    ],
)
def test_unknown_zone(maria: Person, tzid: str) -> None:
    assert refused(maria, "events", tzid=tzid) == {"tzid": ["errors.tzid_unrecognized"]}


NONSENSE = (
    "yesterday",
    "2026-02-30",
    "2026-13-01",
    "2026-03-01T25:00:00Z",
    "2026-03-01T10:00:60Z",
    "2026-03-01T10:00:00.5Z",
    "2026-03-01T10:00:00",
    "2026-03-01T10:00:00+01:00",
    "2026-03-01T10:00Z",
    "\u0662\u0660\u0662\u0666-03-01",
    "20260301",
    "1772323200",
)


@pytest.mark.parametrize("name", ["from_", "to", "last_modified"])
def test_times_that_make_no_sense(maria: Person, name: str) -> None:
    for value in NONSENSE:
        problems = refused(maria, "events", tzid="Etc/UTC", **{name: value})
        assert problems == {name.rstrip("_"): ["errors.invalid_format"]}, value


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-10",
        "2026-03-10T00:00:00Z",
        "2026-03-10 00:00:00Z",
        "2026-03-10T00:00:00+00:00",
        "2026-03-10T00:00:00.000Z",
    ],
)
def test_forms_of_a_time(maria: Person, value: str) -> None:
    assert len(maria.events(from_=value, to="2026-03-11")) == 1
    assert maria.events(to=value) == []
    assert len(maria.free_busy(from_=value)) == 1


def test_plus_that_was_not_escaped_is_understood(maria: Person) -> None:
    path = "/v1/events?tzid=Etc/UTC&from=2026-03-10T00:00:00+00:00"

    assert len(maria.get(path).json["events"]) == 1


@pytest.mark.parametrize("listing", LISTINGS)
def test_end_before_start(maria: Person, listing: str) -> None:
    query = {"tzid": "Etc/UTC", "from_": "2026-03-11", "to": "2026-03-10"}

    assert refused(maria, listing, **query) == {"to": ["errors.invalid_time_pair"]}


def test_one_bound_alone_may_lie_outside_the_window(maria: Person) -> None:
    assert maria.events(from_="2030-01-01") == []
    assert maria.events(to="2020-01-01") == []


def test_bounds_just_outside_the_window_are_cut(world: World, maria: Person) -> None:
    """The window ends on 27 September; single events are kept beyond it."""
    shelf = world.calendar(maria.login)
    world.event(shelf, "2026-09-27T10:00", "2026-09-27T11:00")

    for last in ("2026-09-28", "2026-09-27T12:00:00Z", "2026-12-01"):
        assert len(maria.events(to=last)) == 1
    assert maria.events(from_="2026-09-27", to="2026-09-28", tzid="Pacific/Auckland") == []


@pytest.mark.parametrize(
    ("since", "listed"), [("2026-03-09", 1), ("0001-01-01", 1), ("2026-03-10", 0)]
)
def test_last_modified_may_be_a_date(maria: Person, since: str, listed: int) -> None:
    for tzid in ("Asia/Tokyo", "America/Los_Angeles"):
        assert len(maria.events(last_modified=since, tzid=tzid)) == listed


def test_all_problems_are_told_at_once(maria: Person) -> None:
    problems = refused(maria, "events", from_="x", include_deleted="perhaps")

    assert problems == {
        "tzid": ["errors.required"],
        "from": ["errors.invalid_format"],
        "include_deleted": ["errors.invalid_format"],
    }


@pytest.mark.parametrize("value", ["true", "True", "TRUE", "1"])
def test_ways_to_say_yes(world: World, maria: Person, value: str) -> None:
    assert maria.events(only_managed=value) == []


@pytest.mark.parametrize("value", ["false", "False", "0", ""])
def test_ways_to_say_no(world: World, maria: Person, value: str) -> None:
    assert len(maria.events(only_managed=value)) == 1


def test_empty_and_unknown_parameters_count_as_absent(maria: Person) -> None:
    empty = {"from_": "", "to": "", "last_modified": "", "calendar_ids[]": "", "include_geo": ""}

    assert len(maria.events(**empty, profile_id="x", include_managed="True")) == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"tzid": "E" * 300}, "tzid"),
        ({"tzid": "Etc/UTC", "from_": "2" * 300}, "from"),
        ({"tzid": "Etc/UTC", "calendar_ids[]": ["cal_x"] * 201}, "calendar_ids"),
        ({"tzid": "Etc/UTC", "calendar_ids[]": "c" * 300}, "calendar_ids"),
    ],
)
def test_lengths_are_bounded(maria: Person, query: dict[str, Any], field: str) -> None:
    assert refused(maria, "events", **query) == {field: ["errors.invalid_format"]}


@pytest.mark.parametrize("content_type", [None, "application/json", "text/odd", "\x7f/;;="])
def test_bodies_of_reads_do_not_matter(maria: Person, content_type: str | None) -> None:
    """cronofy-csharp sends the odd encoding with plain bodies; it is not ours to decode."""
    headers = maria.headers | {"Content-Encoding": "gzip;q=1.0,deflate;q=0.6,identity;q=0.3"}
    if content_type is not None:
        headers["Content-Type"] = content_type

    for body in (b"", b"{}", b"[]", b"not json", b"\x00\xff"):
        answer = maria.http.get("/v1/account", data=body, headers=headers)
        assert answer.status_code == 200, body


@pytest.mark.parametrize("name", ["account", "userinfo", "profiles", "calendars", *LISTINGS])
def test_trailing_slash_is_no_redirect(maria: Person, name: str) -> None:
    assert maria.get(f"/v1/{name}/", tzid="Etc/UTC").status_code == 200


def test_next_page_keeps_the_host_that_was_asked(world: World, maria: Person) -> None:
    shelf = world.calendar(maria.login)
    for number in range(100):
        world.event(shelf, 1_773_150_000 + number, 1_773_150_060 + number)

    pages = maria.http.get(
        "/v1/events?tzid=Etc/UTC", headers=maria.headers, base_url="https://api.broker.example:8443"
    ).json["pages"]

    assert pages["next_page"].startswith("https://api.broker.example:8443/v1/events/pages/")
    assert "?" not in pages["next_page"]
