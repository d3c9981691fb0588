"""An empty database that is migrated to the end equals the models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine, inspect

from app import create_app
from broker.migrating import check, upgrade
from broker.models import Base, db
from broker.queues import ListQueue
from tests.fake_redis import fake_redis
from tests.world import make_settings


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """A broker with an empty database."""
    made = create_app(make_settings(tmp_path), redis=fake_redis(), queue=ListQueue())
    with made.app_context():
        yield made
        db.session.remove()
        db.engine.dispose()


def shape(engine: Engine) -> dict[str, Any]:
    """Describe every table: columns, keys, indexes and constraints."""
    found = inspect(engine)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"])
                for column in found.get_columns(table)
            },
            "primary": found.get_pk_constraint(table)["constrained_columns"],
            "foreign": sorted(
                (key["constrained_columns"], key["referred_table"], key["options"])
                for key in found.get_foreign_keys(table)
            ),
            "unique": sorted(key["column_names"] for key in found.get_unique_constraints(table)),
            "indexes": sorted(
                (index["name"], index["column_names"], bool(index["unique"]))
                for index in found.get_indexes(table)
            ),
        }
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def test_migrating_from_nothing_equals_the_models(app: Flask) -> None:
    upgrade()
    fresh = create_engine("sqlite://")
    Base.metadata.create_all(fresh)

    assert shape(db.engine) == shape(fresh)
    fresh.dispose()


def test_the_check_finds_nothing_to_migrate(app: Flask) -> None:
    upgrade()

    check()


def test_migrating_twice_changes_nothing(app: Flask) -> None:
    upgrade()
    before = shape(db.engine)

    upgrade()

    assert shape(db.engine) == before


def test_migrations_form_one_line() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    root = Path(__file__).parent.parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(root))
    scripts = ScriptDirectory.from_config(config)

    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
