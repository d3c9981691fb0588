"""What a thief of the database and of Redis would read: security.md A6, D1, D3, D5."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.errors import SealBroken
from broker.models import Connection, reading
from broker.services import connections
from tests.flows.test_connect_caldav import DavWorld
from tests.marked import Collector
from tests.world import ADA, World


@pytest.fixture
def dav(tmp_path: Path) -> Iterator[DavWorld]:
    """A broker with Google and Radicale beside it."""
    made = DavWorld(tmp_path)
    made.app.testing = False
    yield made
    made.close()


def dump(world: World, folder: Path) -> bytes:
    """Read every byte of the database, the log beside it included."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("broker.db*")))


def test_the_database_file_names_nobody_and_opens_nothing(dav: DavWorld, tmp_path: Path) -> None:
    """D1: no title, place, person, address, token, code or password in the clear."""
    secrets = Collector(dav).run()

    stolen = dump(dav, tmp_path)

    assert len(stolen) > 100_000
    assert sorted(secret for secret in secrets if secret.encode() in stolen) == []


def test_no_string_of_a_stolen_database_is_a_token(dav: DavWorld, tmp_path: Path) -> None:
    """A6: what is stored is a keyed digest."""
    tokens = dav.connected(ADA)
    dav.work()

    rows = dav.rows("SELECT digest FROM access_tokens UNION SELECT digest FROM refresh_tokens")

    for (digest,) in rows:
        for text in (digest.hex(), digest.decode("latin-1")):
            answer = dav.token(grant_type="refresh_token", refresh_token=text)
            assert answer.status_code == 400
    assert tokens.access.encode() not in dump(dav, tmp_path)


def test_queue_and_counters_carry_ids_and_digests_only(dav: DavWorld) -> None:
    """D5."""
    announced: list[str] = []
    dav.queue.announce = announced.extend  # type: ignore[method-assign]

    secrets = Collector(dav).run()

    carried = " ".join([*announced, *dav.redis.values])
    assert all(task_id.startswith("tsk_") and len(task_id) == 28 for task_id in announced)
    assert len(announced) > 10
    assert dav.redis.values
    assert [secret for secret in secrets if secret in carried] == []


def test_after_the_last_profile_nothing_opens_any_more(world: World, tmp_path: Path) -> None:
    """D3: the data key is gone, so that a backup of the sealed rows is noise."""
    tokens = world.connected(ADA)
    world.work()
    with world.app.app_context():
        backup = reading().query(Connection).one()
        sealed, wrapped = backup.sealed_identity, backup.wrapped_key
        runtime = world.runtime
        assert connections.identity(runtime.vault, backup).email == ADA

    world.revoke_profile(tokens)
    world.work()

    for table in ("connections", "calendars", "events", "occurrences", "subscriptions"):
        assert world.count(table) == 0, table
    assert world.rows("SELECT * FROM tasks WHERE kind != 'clean_up'") == []
    with world.app.app_context():
        assert wrapped not in {key for (key,) in world.rows("SELECT wrapped_key FROM connections")}
    assert sealed


def test_a_sealed_value_moved_to_another_row_does_not_open(world: World) -> None:
    """D1: associated data binds it to its place."""
    world.connected(ADA)
    with world.app.app_context():
        held = reading().query(Connection).one()
        held.sealed_identity, held.sealed_credential = held.sealed_credential, held.sealed_identity

        with pytest.raises(SealBroken):
            connections.identity(world.runtime.vault, held)
        reading().rollback()


def test_the_audit_log_tells_what_happened_and_to_which_id(world: World) -> None:
    """E5: acts by ids and codes, without personal content."""
    tokens = world.connected(ADA)
    world.work()
    world.revoke_profile(tokens)
    world.work()

    acts = [act for (act,) in world.rows("SELECT act FROM audit_entries ORDER BY at")]

    assert {"connected", "grant_given", "profile_revoked", "connection_shredded"} <= set(acts)
    assert ADA not in str(world.rows("SELECT * FROM audit_entries"))
