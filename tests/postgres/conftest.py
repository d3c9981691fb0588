"""One throw-away PostgreSQL for the session, whose one database is empty before each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app import create_app
from broker.environment import database_url
from broker.migrating import upgrade
from broker.models import db
from tests.postgres.cluster import Cluster
from tests.world import World, make_settings

MIGRATED = "migrated"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server with one database that went through every migration, from empty."""
    with Cluster() as started:
        url = database_url(started.create(MIGRATED))
        app = create_app(make_settings(tmp_path_factory.mktemp("migrate"), database_url=url))
        with app.app_context():
            upgrade()
            db.session.remove()
            db.engine.dispose()
        yield started


@pytest.fixture
def pg_world(cluster: Cluster, tmp_path: Path) -> Iterator[World]:
    """A broker on PostgreSQL, on tables that migrations made."""
    made = World(tmp_path, database_url=database_url(cluster.url(MIGRATED)))
    yield made
    made.close()
    cluster.empty(MIGRATED)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_world(request: pytest.FixtureRequest) -> World:
    """A broker on each of the two databases."""
    found: World = request.getfixturevalue("world" if request.param == "sqlite" else "pg_world")
    return found
