"""The same behaviour on PostgreSQL as on SQLite: tables, connecting, copying, reading."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from broker.models import db
from tests.world import ADA, World

pytestmark = pytest.mark.postgres


def test_migrations_make_what_the_models_say(pg_world: World) -> None:
    with pg_world.app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )

        assert compare_metadata(context, db.metadata) == []


def test_a_person_connects_and_the_partner_reads(pg_world: World) -> None:
    tokens = pg_world.connected(ADA)

    pg_world.work()

    assert len(pg_world.events(tokens)) > 20
    busy = pg_world.get(tokens, "/v1/free_busy", tzid="Etc/UTC")
    assert busy.status_code == 200
    assert busy.get_json()["free_busy"]


def test_both_databases_list_the_same(pg_world: World, world: World) -> None:
    listed = []
    for one in (pg_world, world):
        tokens = one.connected(ADA)
        one.work()
        listed.append([(e["summary"], e["start"], e["end"]) for e in one.events(tokens)])

    assert sorted(map(repr, listed[0])) == sorted(map(repr, listed[1]))


def test_reading_everything_anew_changes_nothing(pg_world: World) -> None:
    """The second full read meets every row of the first."""
    tokens = pg_world.connected(ADA)
    pg_world.work()
    before = pg_world.events(tokens)
    counted = [pg_world.count(table) for table in ("events", "occurrences")]
    pg_world.faults.set(ADA, "expired_sync_token", times=4)

    pg_world.clock.advance(hours=2)
    pg_world.work()

    assert pg_world.events(pg_world.renew(tokens)) == before
    assert [pg_world.count(table) for table in ("events", "occurrences")] == counted


def test_changes_and_removals_are_written(pg_world: World) -> None:
    tokens = pg_world.connected(ADA)
    pg_world.work()
    ada = pg_world.state.person(ADA)
    made = ada.create_event(
        summary="Optician",
        start={"dateTime": "2026-03-12T09:00:00Z"},
        end={"dateTime": "2026-03-12T09:30:00Z"},
    )
    pg_world.work()
    ada.update_event(made["id"], summary="Optician, later")
    pg_world.work()
    assert "Optician, later" in {event["summary"] for event in pg_world.events(tokens)}

    ada.delete_event(made["id"])
    pg_world.work()

    titles = {event["summary"] for event in pg_world.events(tokens)}
    assert not titles & {"Optician", "Optician, later"}
