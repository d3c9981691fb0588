"""A person connects Google through the broker, and the partner reads a calendar that stays fresh."""

from __future__ import annotations

from tests.world import ADA, REDIRECT, World, query_of


def test_a_person_connects_and_the_partner_reads_events(world: World) -> None:
    back = world.connect(ADA)

    assert back.startswith(REDIRECT + "?")
    assert query_of(back)["state"] == "partner-state"
    assert query_of(back)["iss"] == world.settings.public_url
    tokens = world.exchange(back)
    world.work()
    profile = world.get(tokens, "/v1/profiles").get_json()["profiles"][0]
    assert profile["profile_connected"] is True
    assert profile["profile_initial_sync_required"] is False
    assert profile["profile_name"] == ADA
    assert len(world.get(tokens, "/v1/calendars").get_json()["calendars"]) >= 3
    assert len(world.events(tokens)) > 20


def test_a_change_at_google_shows_up_by_itself(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()
    assert world.work() == 0
    event = world.state.person(ADA).create_event(
        summary="Dentist",
        start={"dateTime": "2026-03-12T09:00:00Z"},
        end={"dateTime": "2026-03-12T09:30:00Z"},
    )

    world.work()

    assert "Dentist" in {found["summary"] for found in world.events(tokens)}
    assert event["id"]


def test_polling_finds_what_push_missed(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()
    world.faults.set(ADA, "lost_push")
    world.state.person(ADA).create_event(
        summary="Dentist",
        start={"dateTime": "2026-03-12T09:00:00Z"},
        end={"dateTime": "2026-03-12T09:30:00Z"},
    )

    world.clock.advance(hours=1)
    world.work()

    assert "Dentist" in {found["summary"] for found in world.events(world.renew(tokens))}


def test_a_revoked_grant_disconnects_and_a_relink_heals(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()
    world.faults.set(ADA, "revoked_grant")
    world.clock.advance(hours=2)

    world.work()

    profile = world.get(world.renew(tokens), "/v1/profiles").get_json()["profiles"][0]
    assert profile["profile_connected"] is False
    assert profile["profile_relink_url"].startswith(world.settings.public_url + "/relink/")
