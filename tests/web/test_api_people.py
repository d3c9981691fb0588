"""`/v1/account`, `/v1/userinfo`, `/v1/profiles`, `/v1/calendars`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from broker.models import Profile, Task, transaction
from tests.web.api_world import NOW, PUBLIC_URL, Person, World, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


@pytest.fixture
def maria(world: World) -> Person:
    return world.person()


def test_account(world: World, maria: Person) -> None:
    world.calendar(maria.login, primary=True)

    assert maria.get("/v1/account").json == {
        "account": {
            "account_id": maria.account_id,
            "email": "maria.keller@example.com",
            "name": "Maria Keller",
            "scope": "read_write",
            "default_tzid": "Europe/Zurich",
        }
    }


def test_userinfo_has_flat_keys_with_dots(world: World, maria: Person) -> None:
    shelf = world.calendar(maria.login, primary=True, read_only=True)

    info = maria.get("/v1/userinfo").json

    data = info.pop("cronofy.data")
    assert info == {
        "sub": maria.account_id,
        "email": "maria.keller@example.com",
        "name": "Maria Keller",
        "zoneinfo": "Europe/Zurich",
        "cronofy.type": "account",
    }
    assert data["authorization"] == {"scope": "read_write", "status": "active"}
    assert data["conferencing_profiles"] == []
    (profile,) = data["profiles"]
    assert profile == {
        "provider_name": "google",
        "provider_service": "gsuite",
        "profile_id": maria.profile_id,
        "profile_name": "maria.keller@example.com",
        "profile_connected": True,
        "profile_initial_sync_required": False,
        "profile_sync": {},
        "profile_calendars": [
            {
                "calendar_id": maria.calendar_id(shelf),
                "calendar_name": "Work",
                "calendar_readonly": True,
                "calendar_deleted": False,
                "calendar_primary": True,
                "calendar_integrated_conferencing_available": False,
                "calendar_attachments_available": False,
                "permission_level": "sandbox",
            }
        ],
    }


def test_zone_is_the_primary_calendars_or_the_most_common_one(world: World) -> None:
    def zone_of(*calendars: tuple[str | None, bool]) -> object:
        person = world.person()
        for tzid, primary in calendars:
            world.calendar(person.login, tzid=tzid, primary=primary)
        zone = person.get("/v1/userinfo").json["zoneinfo"]
        assert person.get("/v1/account").json["account"]["default_tzid"] == zone
        return zone

    oslo, rome = ("Europe/Oslo", False), ("Europe/Rome", False)
    assert zone_of(oslo, oslo, ("Europe/Rome", True)) == "Europe/Rome"
    assert zone_of(rome, oslo, oslo, (None, True)) == "Europe/Oslo"
    assert zone_of(("UTC", True)) == "Etc/UTC"
    assert zone_of((None, True)) == "Etc/UTC"
    assert zone_of() == "Etc/UTC"


def test_disconnected_profile_says_so_and_where_to_relink(world: World) -> None:
    login = world.login(disconnected_reason="authorization_lost", initial_sync_at=None)
    person = world.person(login=login)

    (profile,) = person.get("/v1/profiles").json["profiles"]

    assert profile["profile_connected"] is False
    assert profile["profile_initial_sync_required"] is True
    assert profile["profile_relink_url"] == f"{PUBLIC_URL}/relink/{person.profile_id}"
    assert profile["profile_sync"]["reason"] == "authorization_lost"
    assert "connect the calendar again" in profile["profile_sync"]["reason_text"]


def test_connected_profile_has_no_relink_url(maria: Person) -> None:
    (profile,) = maria.get("/v1/profiles").json["profiles"]

    assert "profile_relink_url" not in profile
    assert "profile_calendars" not in profile


def test_profile_tells_how_fresh_the_copy_is(world: World) -> None:
    login = world.login(
        last_attempt_at=NOW,
        last_success_at=NOW - timedelta(hours=1),
        reason="provider_unavailable",
    )
    person = world.person(login=login)
    older = NOW - timedelta(hours=2)
    first = world.calendar(login, synced_through=older)
    world.calendar(login, synced_through=NOW - timedelta(minutes=30))
    world.calendar(login, synced_through=None, deleted_at=NOW)
    with world.app.app_context(), transaction() as session:
        for number, subject_id in enumerate([first.id, "cal_of_nobody"]):
            session.add(
                Task(
                    id=f"tas_{number}",
                    kind="sync_calendar",
                    subject_id=subject_id,
                    due_at=NOW + timedelta(minutes=5 - number),
                )
            )

    (profile,) = person.get("/v1/profiles").json["profiles"]

    reason_text = profile["profile_sync"].pop("reason_text")
    assert "cannot be reached" in reason_text
    assert profile["profile_sync"] == {
        "synced_through": "2026-03-09T08:00:00Z",
        "last_attempt": "2026-03-09T10:00:00Z",
        "last_success": "2026-03-09T09:30:00Z",
        "next_due": "2026-03-09T10:05:00Z",
        "reason": "provider_unavailable",
    }


@pytest.mark.parametrize(
    ("columns", "reason"),
    [({"reason": "calendar_gone"}, "calendar_gone"), ({"held_back_at": NOW}, "held_back")],
)
def test_profile_tells_what_ails_a_calendar(
    world: World, maria: Person, columns: dict[str, object], reason: str
) -> None:
    world.calendar(maria.login, synced_through=NOW)
    world.calendar(maria.login, **columns)

    (profile,) = maria.get("/v1/profiles").json["profiles"]

    assert profile["profile_sync"].keys() == {"last_success", "reason", "reason_text"}
    assert profile["profile_sync"]["reason"] == reason


def test_calendars_of_all_profiles_are_in_one_list(world: World, maria: Person) -> None:
    second = world.login(email="m.keller@corp.example", provider="exchange", service="office365")
    world.profile(maria.account_id, second)
    world.calendar(maria.login, name="Private", deleted_at=NOW)
    world.calendar(second, name="Work")

    answer = maria.get("/v1/calendars").json

    assert answer["sub"] == maria.account_id
    listed = {
        (
            item["calendar_name"],
            item["provider_name"],
            item["profile_name"],
            item["calendar_deleted"],
        )
        for item in answer["calendars"]
    }
    assert listed == {
        ("Private", "google", "maria.keller@example.com", True),
        ("Work", "exchange", "m.keller@corp.example", False),
    }


def test_calendar_id_begins_with_the_profiles_suffix(world: World, maria: Person) -> None:
    world.calendar(maria.login)

    (calendar,) = maria.get("/v1/calendars").json["calendars"]

    prefix, suffix, local = calendar["calendar_id"].split("_", 2)
    assert (prefix, f"pro_{suffix}") == ("cal", maria.profile_id)
    assert len(local) == 16


def test_token_works_without_any_profile_left(world: World, maria: Person) -> None:
    with world.app.app_context(), transaction() as session:
        session.execute(delete(Profile))

    assert maria.get("/v1/account").json["account"]["email"] is None
    assert maria.get("/v1/userinfo").json["cronofy.data"]["profiles"] == []
    assert maria.get("/v1/profiles").json == {"profiles": []}
    assert maria.get("/v1/calendars").json["calendars"] == []
    assert maria.events() == []
