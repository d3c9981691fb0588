"""Rotating the key ring: while the service is up, resumable, and proved (security.md D2)."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import LargeBinary

from broker.errors import SealBroken
from broker.ids import new_key
from broker.models import Base
from broker.services import health, keys
from tests.world import ADA, World


def ring(tmp_path: Path, keys_of: dict[str, bytes], like: World) -> World:
    """Open the same database under another ring."""
    settings = like.settings
    return World(
        tmp_path,
        key_ring=keys_of,
        digest_key=settings.digest_key,
        secret_key=settings.secret_key,
    )


@pytest.fixture
def old(world: World) -> World:
    """A world with something under every wrapped column that flows fill."""
    world.connected(ADA)
    world.work()
    world.leave(world.browser())
    with world.app.app_context():
        health.ensure_canary(world.runtime)
    return world


def test_every_value_moves_to_the_current_key(old: World, tmp_path: Path) -> None:
    both = {"k2": new_key(), **old.settings.key_ring}
    new = ring(tmp_path, both, old)
    with new.app.app_context():
        before = keys.status(new.runtime)
        moved = keys.rotate(new.runtime)
        after = keys.status(new.runtime)

    assert before["k1"] == moved > 3
    assert (after["k1"], after["k2"]) == (0, moved)
    new.close()


def test_the_service_is_readable_while_it_runs_and_after(old: World, tmp_path: Path) -> None:
    tokens = old.connected(ADA)
    events = old.events(tokens)
    key = new_key()
    new = ring(tmp_path, {"k2": key, **old.settings.key_ring}, old)
    assert new.events(tokens) == events
    with new.app.app_context():
        keys.rotate(new.runtime)
    assert new.events(tokens) == events
    alone = ring(tmp_path, {"k2": key}, old)

    assert alone.events(tokens) == events
    for world in (new, alone):
        world.close()


def test_an_interrupted_rotation_goes_on_where_it_was(
    old: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = ring(tmp_path, {"k2": new_key(), **old.settings.key_ring}, old)
    real, columns = keys.wrapped_columns, keys.wrapped_columns()
    monkeypatch.setattr(keys, "wrapped_columns", lambda: columns[:2])
    with new.app.app_context():
        first = keys.rotate(new.runtime)
        monkeypatch.setattr(keys, "wrapped_columns", real)
        assert keys.status(new.runtime)["k1"] > 0
        second = keys.rotate(new.runtime)
        third = keys.rotate(new.runtime)

        assert keys.status(new.runtime)["k1"] == 0
    assert first > 0 < second
    assert third == 0
    new.close()


def test_a_key_that_is_missing_stops_the_rotation_and_changes_nothing(
    old: World, tmp_path: Path
) -> None:
    new = ring(tmp_path, {"k2": new_key()}, old)

    with new.app.app_context(), pytest.raises(SealBroken):
        keys.rotate(new.runtime)

    with old.app.app_context():
        assert keys.status(old.runtime)["k1"] > 3
    new.close()


def test_a_changed_key_under_an_old_name_opens_nothing(old: World, tmp_path: Path) -> None:
    new = ring(tmp_path, {"k2": new_key(), "k1": new_key()}, old)

    with new.app.app_context(), pytest.raises(SealBroken):
        keys.rotate(new.runtime)
    new.close()


def test_no_wrapped_column_is_forgotten() -> None:
    """Columns named `wrapped…` hold values of the ring; each must be rotated."""
    named = {
        (table.name, column.name)
        for table in Base.metadata.tables.values()
        for column in table.columns
        if column.name.startswith("wrapped") and isinstance(column.type, LargeBinary)
    }

    rotated = {(wrapped.table.name, wrapped.column) for wrapped in keys.wrapped_columns()}

    assert rotated == named
