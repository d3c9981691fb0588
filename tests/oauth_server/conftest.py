"""The authorization server on a database file of its own, and three partners."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from broker.clock import FixedClock
from broker.crypto import Vault
from broker.models import db
from broker.oauth_server.server import OAuthServer
from broker.settings import Settings
from tests.made_once import share_statements
from tests.oauth_server.partner import (
    NOW,
    CountingThrottle,
    Partner,
    describe_profile,
    fill_database,
    make_app,
    make_settings,
    make_vault,
)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def vault() -> Vault:
    return make_vault()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path)


@pytest.fixture
def throttle() -> CountingThrottle:
    return CountingThrottle()


@pytest.fixture
def revoked() -> list[str]:
    """The account ids that the server said were revoked."""
    return []


@pytest.fixture
def server(
    settings: Settings,
    vault: Vault,
    clock: FixedClock,
    throttle: CountingThrottle,
    revoked: list[str],
) -> OAuthServer:
    return OAuthServer(
        settings,
        vault,
        clock,
        describe_profile=describe_profile,
        on_grants_revoked=lambda session, account_ids: revoked.extend(account_ids),
        throttle=throttle,
    )


@pytest.fixture(scope="session")
def filled_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with tables and partners, to be copied: making one takes longer."""
    folder = tmp_path_factory.mktemp("filled")
    settings, vault = make_settings(folder), make_vault()
    server = OAuthServer(
        settings,
        vault,
        FixedClock(NOW),
        describe_profile=describe_profile,
        on_grants_revoked=lambda session, account_ids: None,
    )
    app = make_app(settings, server)
    fill_database(app, vault)
    with app.app_context():
        share_statements(db.engine)
        db.engine.dispose()
    return folder / "broker.db"


@pytest.fixture
def app(
    settings: Settings, server: OAuthServer, tmp_path: Path, filled_database: Path
) -> Iterator[Flask]:
    shutil.copy(filled_database, tmp_path / "broker.db")
    app = make_app(settings, server)
    with app.app_context():
        share_statements(db.engine)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def acme(app: Flask, server: OAuthServer) -> Partner:
    """A confidential application."""
    return Partner("acme", app, server)


@pytest.fixture
def rival(app: Flask, server: OAuthServer) -> Partner:
    """Another confidential application."""
    return Partner("rival", app, server)


@pytest.fixture
def mobile(app: Flask, server: OAuthServer) -> Partner:
    """A public application."""
    return Partner("mobile", app, server)


@pytest.fixture(params=["acme", "mobile"])
def partner(request: pytest.FixtureRequest, app: Flask, server: OAuthServer) -> Partner:
    """A confidential application, then a public one."""
    return Partner(request.param, app, server)
