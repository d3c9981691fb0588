"""No secret reaches a log line, an error text or a repr (security.md A8, G2)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker import logs
from broker.errors import ProviderError, SealBroken
from broker.logins import OAuthCredential, PasswordCredential
from broker.services import connections
from tests.flows.test_connect_caldav import DavWorld
from tests.marked import Collector
from tests.world import ADA


@pytest.fixture
def dav(tmp_path: Path) -> Iterator[DavWorld]:
    """A broker with Google and Radicale beside it, whose failures are answered as for people."""
    made = DavWorld(tmp_path)
    made.app.testing = False
    yield made
    made.close()


@pytest.fixture
def _own_logging() -> Iterator[None]:
    """Put logging back as pytest had it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    for name in logs._QUIET:
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_whole_flows_log_no_secret(
    dav: DavWorld, capsys: pytest.CaptureFixture[str], _own_logging: None
) -> None:
    """Everything at DEBUG, as it would be printed, good days and bad."""
    logs.configure(logging.DEBUG)

    secrets = Collector(dav).run()

    printed = "".join(capsys.readouterr())
    assert "calendar synced" in printed
    assert "connect failed" in printed
    assert "provider failed" in printed
    assert len(secrets) > 40
    assert sorted(secret for secret in secrets if secret in printed) == []


def test_a_debugger_that_prints_our_objects_sees_no_secret(dav: DavWorld) -> None:
    """Whatever a crash reporter calls repr on."""
    tokens = dav.connected(ADA)
    dav.work()
    runtime = dav.runtime
    from broker.models import Connection, reading

    with dav.app.app_context():
        connection = reading().query(Connection).one()
        credential = connections.credential(runtime.vault, connection)
        key = connections.data_key(runtime.vault, connection)
        printed = " ".join(map(repr, (credential, key, connection, runtime.vault)))
    assert isinstance(credential, OAuthCredential)
    password = PasswordCredential("https://dav.test/", "ada", "marked-password")
    printed += repr(password) + repr(runtime) + repr(runtime.settings) + repr(tokens)

    settings = runtime.settings
    assert settings.google is not None
    for secret in (
        credential.access_token,
        credential.refresh_token,
        "marked-password",
        tokens.access,
        tokens.refresh,
        settings.google.client_secret,
        repr(settings.secret_key)[2:-1],
        repr(settings.digest_key)[2:-1],
        repr(settings.key_ring["k1"])[2:-1],
    ):
        assert secret not in printed


def test_errors_say_where_and_never_what(dav: DavWorld) -> None:
    error = ProviderError("google", "exchange", 400, detail="invalid_grant")
    broken = SealBroken("connections")

    assert str(error) == "google exchange 400 invalid_grant"
    assert str(broken) == "connections"
