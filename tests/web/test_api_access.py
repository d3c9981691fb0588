"""Who may call what: tokens, scopes, and the ids of others (security.md A9, A10)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from broker.models import Profile, reading
from broker.oauth_server import scopes
from tests.web.api_world import Person, Shelf, World, make_world

ACCOUNT = "/v1/account"
USERINFO = "/v1/userinfo"
PROFILES = "/v1/profiles"
CALENDARS = "/v1/calendars"
EVENTS = "/v1/events?tzid=Etc/UTC"
OWN_EVENTS = "/v1/events?tzid=Etc/UTC&only_managed=true"
FREE_BUSY = "/v1/free_busy?tzid=Etc/UTC"
ROUTES = (ACCOUNT, USERINFO, PROFILES, CALENDARS, EVENTS, OWN_EVENTS, FREE_BUSY)

EVERYBODYS = {ACCOUNT, USERINFO, PROFILES, OWN_EVENTS}
MAY: dict[str, set[str]] = {
    "read_account": EVERYBODYS,
    "list_calendars": EVERYBODYS | {CALENDARS},
    "create_calendar": EVERYBODYS | {CALENDARS},
    "read_events": EVERYBODYS | {CALENDARS, EVENTS, FREE_BUSY},
    "read_free_busy": EVERYBODYS | {CALENDARS, FREE_BUSY},
    "create_event": EVERYBODYS | {CALENDARS},
    "delete_event": EVERYBODYS | {CALENDARS},
    "event_reminders": EVERYBODYS | {CALENDARS},
    "change_participation_status": EVERYBODYS | {CALENDARS},
    "free_busy": EVERYBODYS | {CALENDARS, FREE_BUSY},
    "free_busy_write": EVERYBODYS | {CALENDARS, FREE_BUSY},
    "read_only": set(ROUTES),
    "write_only": EVERYBODYS | {CALENDARS},
    "read_write": set(ROUTES),
    "nonsense": EVERYBODYS,
}
# What comes later answers 501, but only to those who will be allowed to call it.
LATER: dict[tuple[str, str], str | None] = {
    ("POST", "/v1/calendars"): "create_calendar",
    ("POST", "/v1/calendars/cal_x/events"): "create_event",
    ("DELETE", "/v1/calendars/cal_x/events"): "delete_event",
    ("DELETE", "/v1/events"): "delete_event",
    ("POST", "/v1/calendars/cal_x/events/evt_x/participation_status"): (
        "change_participation_status"
    ),
    ("POST", "/v1/batch"): None,
    ("POST", "/v1/channels"): None,
    ("GET", "/v1/channels"): None,
    ("DELETE", "/v1/channels/chn_x"): None,
    ("POST", "/v1/link_tokens"): None,
}
MAY_WRITE: dict[str, set[str]] = {
    "create_calendar": {"create_calendar"},
    "create_event": {"create_event"},
    "delete_event": {"delete_event"},
    "change_participation_status": {"change_participation_status"},
    "free_busy_write": {"create_event", "delete_event"},
    "write_only": {"create_event", "delete_event"},
    "read_write": {"create_event", "delete_event", "change_participation_status"},
}
NAMED = {CALENDARS: "list_calendars", EVENTS: "read_events", FREE_BUSY: "read_free_busy"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


@pytest.fixture
def maria(world: World) -> Person:
    return world.person()


def test_every_scope_is_in_the_table() -> None:
    assert set(scopes.KNOWN) | {"nonsense"} == MAY.keys()


@pytest.mark.parametrize("scope", MAY)
def test_each_route_with_each_single_scope(world: World, maria: Person, scope: str) -> None:
    for route in ROUTES:
        answer = maria.get(route, scope=scope)
        if route in MAY[scope]:
            assert answer.status_code == 200, route
            continue
        assert answer.status_code == 403, route
        assert answer.json["error"] == "insufficient_scope"
        assert answer.json["scope"] == NAMED[route]
        assert f'scope="{NAMED[route]}"' in answer.headers["WWW-Authenticate"]
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("scope", MAY)
def test_each_later_route_with_each_single_scope(world: World, maria: Person, scope: str) -> None:
    world.grant(maria.token, scope)

    for (method, path), needed in LATER.items():
        answer = maria.http.open(path, method=method, headers=maria.headers, json={})
        if needed is None or needed in MAY_WRITE.get(scope, set()):
            assert answer.status_code == 501, path
            continue
        assert (answer.status_code, answer.json["scope"]) == (403, needed), path


@pytest.mark.parametrize("scope", MAY)
def test_any_scope_may_take_a_profile_away(world: World, maria: Person, scope: str) -> None:
    world.person(login=maria.login)
    world.grant(maria.token, scope)

    answer = maria.http.post(f"/v1/profiles/{maria.profile_id}/revoke", headers=maria.headers)

    assert answer.status_code == 202


def test_every_route_of_the_api_is_in_a_table(world: World) -> None:
    """One that is added without a line here is one that nobody tried."""
    tried = {("GET", path.partition("?")[0]) for path in ROUTES} | set(LATER)
    tried |= {("POST", "/v1/profiles/x/revoke")}
    tried |= {("GET", f"/v1/{listing}/pages/x") for listing in ("events", "free_busy")}
    matched = set()
    urls = world.app.url_map.bind("")
    for method, path in tried:
        rule, _ = urls.match(path, method, return_rule=True)
        matched.add((method, rule.rule))

    routes = {
        (method, rule.rule)
        for rule in world.app.url_map.iter_rules()
        if rule.rule.startswith("/v1/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert routes == matched


@pytest.mark.parametrize("listing", ["events", "free_busy"])
def test_scope_is_checked_again_on_each_page(world: World, maria: Person, listing: str) -> None:
    following = _second_page(world, maria, listing)

    assert maria.get(following).status_code == 200
    assert maria.get(following, scope="write_only").status_code == 403


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer None",
        "Bearer undefined",
        "Bearer \u00fcnknown",
        "Basic bWFyaWE6c2VjcmV0",
        "token-0",
    ],
)
def test_no_good_token_is_401(maria: Person, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}

    for route in (*ROUTES, "/v1/events/pages/x", "/v1/free_busy/pages/x"):
        answer = maria.http.get(route, headers=headers)
        assert answer.status_code == 401, route
        assert answer.json == {"error": "invalid_token"}
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.headers["Cache-Control"] == "no-store"
    for route in ("/v1/profiles/x/revoke", "/v1/batch", "/v1/calendars/x/events"):
        assert maria.http.post(route, headers=headers).status_code == 401


def test_scheme_is_written_in_any_case(maria: Person) -> None:
    answer = maria.http.get(ACCOUNT, headers={"Authorization": f"bEARER {maria.token}"})

    assert answer.status_code == 200


class TestTwoApplications:
    """Two applications whose users share one connection: neither sees what is the other's."""

    @pytest.fixture
    def rival(self, world: World, maria: Person) -> Person:
        return world.person(login=maria.login)

    @pytest.fixture
    def shelf(self, world: World, maria: Person, rival: Person) -> Shelf:
        shelf = world.calendar(maria.login)
        world.event(
            shelf,
            "2026-03-10T13:00",
            "2026-03-10T14:00",
            remote_id="weekly",
            recurrence=("RRULE:FREQ=WEEKLY",),
        )
        return shelf

    def test_no_id_is_the_same_for_both(self, maria: Person, rival: Person, shelf: Shelf) -> None:
        (mine,), (theirs,) = maria.events(), rival.events()

        assert mine["summary"] == theirs["summary"]
        for name in ("calendar_id", "event_uid", "series_identifier"):
            assert mine[name] != theirs[name]
        ours = {shelf.id, maria.login.id, maria.profile_id, maria.account_id}
        for route in ROUTES:
            text = rival.get(route).get_data(as_text=True)
            assert not [name for name in ours if name in text], route

    @pytest.mark.parametrize("listing", ["events", "free_busy"])
    def test_calendar_ids_of_the_other_are_unknown(
        self, maria: Person, rival: Person, shelf: Shelf, listing: str
    ) -> None:
        for foreign in (maria.calendar_id(shelf), shelf.id, "cal_x_y", "cal_\x00"):
            mixed = [rival.calendar_id(shelf), foreign]
            answer = rival.get(f"/v1/{listing}", tzid="Etc/UTC", **{"calendar_ids[]": mixed})
            assert answer.status_code == 404
            assert answer.json == {"error": "not_found"}

    @pytest.mark.parametrize("listing", ["events", "free_busy"])
    def test_page_of_the_other_is_unknown(
        self, world: World, maria: Person, rival: Person, listing: str
    ) -> None:
        following = _second_page(world, maria, listing)

        assert rival.get(following).status_code == 404
        assert maria.get(following).status_code == 200

    def test_profile_of_the_other_cannot_be_revoked(
        self, world: World, maria: Person, rival: Person
    ) -> None:
        answer = rival.http.post(
            f"/v1/profiles/{maria.profile_id}/revoke", headers=rival.headers, json={}
        )

        assert answer.status_code == 404
        assert maria.profile_id in _profile_ids(world)


def test_revoking_a_profile_takes_it_out_of_the_account(world: World, maria: Person) -> None:
    second = world.profile(maria.account_id, world.login())
    rival = world.person(login=maria.login)

    answer = maria.http.post(
        f"/v1/profiles/{maria.profile_id}/revoke",
        headers=maria.headers | {"Content-Type": "application/json"},
        data="[]",
    )

    assert (answer.status_code, answer.data) == (202, b"")
    assert _profile_ids(world) == {second, rival.profile_id}
    assert [item["profile_id"] for item in maria.get(PROFILES).json["profiles"]] == [second]


def _profile_ids(world: World) -> set[str]:
    with world.app.app_context():
        return set(reading().scalars(select(Profile.id)))


def _second_page(world: World, person: Person, listing: str) -> str:
    """Give the address of a second page, of a listing that is long enough to have one."""
    shelf = world.calendar(person.login)
    world.rows(
        [],
        [
            {
                "calendar_id": shelf.id,
                "uid": number.to_bytes(12),
                "event_key": bytes(16),
                "start_at": int(world.clock.now().timestamp()) + number,
                "end_at": int(world.clock.now().timestamp()) + number + 60,
                "all_day": False,
                "busy": "busy",
                "changed_at": 0,
                "deleted": False,
            }
            for number in range(101 if listing == "events" else 2001)
        ],
    )
    answer = person.get(f"/v1/{listing}", tzid="Etc/UTC").json
    return str(answer["pages"]["next_page"])
