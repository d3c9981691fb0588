"""What a thief of the database and of Redis would read: security.md A6, D1, D3, D5."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from broker.errors import SealBroken
from broker.ids import new_key
from broker.models import Connection, Event, reading
from broker.services import connections
from broker.sync.keys import event_place
from tests.flows.test_connect_caldav import DavWorld
from tests.marked import Collector
from tests.world import ADA, GRACE, World


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
    dav.queue.announce = announced.extend  # type: ignore[method-assign]  # of this queue only

    secrets = Collector(dav).run()

    carried = " ".join([*announced, *dav.redis.values])
    assert all(task_id.startswith("tsk_") and len(task_id) == 28 for task_id in announced)
    assert len(announced) > 10
    assert dav.redis.values
    assert [secret for secret in secrets if secret in carried] == []


def test_after_the_last_profile_nothing_left_opens_what_was_sealed(world: World) -> None:
    """D3: whoever kept the sealed rows finds no key to them in this database."""
    tokens = world.connected(ADA)
    world.work()
    ((connection_id, key),) = world.rows("SELECT id, wrapped_key FROM connections")
    place = connections.key_place(connection_id)
    assert world.runtime.vault.unwrap(key, place)

    world.revoke_profile(tokens)
    world.work()

    for table in ("connections", "calendars", "events", "occurrences", "subscriptions"):
        assert world.count(table) == 0, table
    assert world.count("revocations") == 0
    assert world.rows("SELECT * FROM tasks WHERE kind != 'clean_up'") == []
    left = [value for row in every_row(world) for value in row if isinstance(value, bytes)]
    assert left
    assert key not in left
    for value in left:
        with pytest.raises(SealBroken):
            world.runtime.vault.unwrap(value, place)


def test_a_backup_opens_until_its_key_has_left_the_ring(world: World, tmp_path: Path) -> None:
    """D3, as far as it goes: a whole backup holds data keys and rows; the ring decides."""
    tokens = world.connected(ADA)
    world.work()
    backup = tmp_path / "backup"
    shutil.copytree(tmp_path, backup, ignore=lambda *_: ["backup"])
    world.revoke_profile(tokens)
    world.work()
    assert world.count("connections") == 0

    restored = partial(
        World,
        backup,
        digest_key=world.settings.digest_key,
        secret_key=world.settings.secret_key,
    )
    with closing(restored(key_ring=world.settings.key_ring)) as old:
        assert old.profile(tokens)["profile_name"] == ADA
        assert len(old.events(old.renew(tokens))) > 20
    with closing(restored(key_ring={"k2": new_key()})) as new, new.app.app_context():
        held = reading().query(Connection).one()
        with pytest.raises(SealBroken):
            connections.identity(new.runtime.vault, held)


def test_a_sealed_value_moved_to_another_column_does_not_open(world: World) -> None:
    """D1: associated data binds it to its place."""
    world.connected(ADA)
    with world.app.app_context():
        held = reading().query(Connection).one()
        held.sealed_identity, held.sealed_credential = held.sealed_credential, held.sealed_identity

        with pytest.raises(SealBroken):
            connections.identity(world.runtime.vault, held)
        reading().rollback()


@pytest.mark.parametrize("taken", [("sealed_identity",), ("sealed_identity", "wrapped_key")])
def test_a_sealed_value_moved_to_another_row_does_not_open(
    world: World, taken: tuple[str, ...]
) -> None:
    """D1: neither alone nor together with the data key that it was sealed under."""
    world.connected(ADA)
    world.connected(GRACE)
    with world.app.app_context():
        ada, grace = reading().query(Connection).all()
        for column in taken:
            setattr(ada, column, getattr(grace, column))

        with pytest.raises(SealBroken):
            connections.identity(world.runtime.vault, ada)
        reading().rollback()


def test_an_event_moved_to_another_row_of_its_calendar_does_not_open(world: World) -> None:
    """D1: under the same data key, too, one event cannot be passed off as another."""
    world.connected(ADA)
    world.work()
    with world.app.app_context():
        held = reading().query(Connection).one()
        one, other = reading().query(Event).order_by(Event.calendar_id, Event.key).limit(2)
        key = connections.data_key(world.runtime.vault, held)
        own = event_place(one.calendar_id, one.key)
        assert one.calendar_id == other.calendar_id

        assert key.open(one.sealed, own)
        with pytest.raises(SealBroken):
            key.open(other.sealed, own)


def every_row(world: World) -> Iterator[tuple[object, ...]]:
    """Read the whole database."""
    tables = world.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    for (name,) in tables:
        yield from world.rows(f"SELECT * FROM {name}")  # noqa: S608 - our own names


def test_the_audit_log_tells_what_happened_and_to_which_id(world: World) -> None:
    """E5: acts by ids and codes, without personal content."""
    tokens = world.connected(ADA)
    world.work()
    world.revoke_profile(tokens)
    world.work()

    acts = [act for (act,) in world.rows("SELECT act FROM audit_entries ORDER BY at")]

    assert {"connected", "grant_given", "profile_revoked", "connection_shredded"} <= set(acts)
    assert ADA not in str(world.rows("SELECT * FROM audit_entries"))
