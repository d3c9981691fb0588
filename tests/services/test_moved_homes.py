"""Where a login's calendars moved is stored, and a renewed credential is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker.logins import PasswordCredential
from broker.models import Connection, reading
from broker.providers.caldav import CalDavClient
from broker.services import connections, credentials, moved_homes
from tests.apple_world import AppleWorld

MOVED = "https://p57-caldav.icloud.com/1/calendars/"


@pytest.fixture
def apple(tmp_path: Path) -> Iterator[AppleWorld]:
    made = AppleWorld(tmp_path)
    made.connected_to_apple()
    yield made
    made.close()


def keep(apple: AppleWorld, *, version: int = 0, url: str = MOVED) -> str:
    """Let a client end at *url*; gives the address that is stored then."""
    (connection_id,) = apple.rows("SELECT id FROM connections")[0]
    with apple.app.app_context():
        client, held = credentials.client(apple.runtime, connection_id)
        before = moved_homes.place(client)
        assert before is not None and isinstance(client, CalDavClient)
        client.dav.credential = replace(before, url=url)
        moved_homes.keep(apple.runtime, connection_id, held + version, before, client)
        stored = reading().get_one(Connection, connection_id, populate_existing=True)
        after = connections.credential(apple.runtime.vault, stored)
    assert isinstance(after, PasswordCredential)
    assert after == replace(before, url=after.url)
    return after.url


def test_the_new_place_is_stored_and_nothing_else(apple: AppleWorld) -> None:
    assert keep(apple) == MOVED


def test_a_credential_renewed_meanwhile_is_left_alone(apple: AppleWorld) -> None:
    assert keep(apple, version=-1) != MOVED


def test_a_connection_that_has_ended_is_left_alone(apple: AppleWorld) -> None:
    (connection_id,) = apple.rows("SELECT id FROM connections")[0]
    with apple.app.app_context():
        client, held = credentials.client(apple.runtime, connection_id)
        moved_homes.keep(apple.runtime, "con_unknown", held, None, client)

    assert keep(apple, url="https://p58-caldav.icloud.com/1/calendars/").startswith("https://p58")
