"""Migrations add in place, while rows are there and the code before them still writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from app import create_app
from broker.migrating import check, upgrade
from broker.models import db
from broker.queues import ListQueue
from tests.fake_redis import fake_redis
from tests.world import make_settings

CONNECTION = """INSERT INTO connections (id, provider, access_mode, service, login_digest,
    wrapped_key, sealed_identity, sealed_credential, credential_version, created_at)
    VALUES ('con_1', 'caldav', 'full', 'caldav', 'd', 'k', 'i', 'c', 1, '2026-03-09')"""
CALENDAR = """INSERT INTO calendars (id, connection_id, remote_digest, sealed_remote_id,
    sealed_name, read_only, "primary", counts_as_busy, generation, skipped, push_refused)
    VALUES (:id, 'con_1', :id, 'r', 'n', 0, 0, 1, 0, 0, 0)"""
EVENT = """INSERT INTO events (calendar_id, key, etag, generation, recurring, cancelled, sealed)
    VALUES ('cal_1', 'key', 'e', 0, 0, 0, 's')"""

TASK = """INSERT INTO tasks (id, kind, subject_id, due_at, lease_until, fence, attempts)
    VALUES (:kind, :kind, :subject, '2026-03-09', '2026-03-10', 0, 0)"""
REFUSAL = """INSERT INTO login_refusals (digest, refusals, window_at, pauses)
    VALUES ('d', 1, '2026-03-09', 0)"""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """A broker with an empty database."""
    made = create_app(make_settings(tmp_path), redis=fake_redis(), queue=ListQueue())
    with made.app_context():
        yield made
        db.session.remove()
        db.engine.dispose()


def execute(statement: str, **values: str) -> None:
    """Run a statement past every layer."""
    with db.engine.begin() as connection:
        connection.execute(text(statement), values)


def test_rows_survive_and_the_code_before_it_still_writes(app: Flask) -> None:
    upgrade(revision="0001")
    execute(CONNECTION)
    execute(CALENDAR, id="cal_1")
    execute(EVENT)

    upgrade(revision="0002")
    execute(CALENDAR, id="cal_2")

    with db.engine.connect() as connection:
        quiet = list(connection.scalars(text("SELECT quiet_passes FROM calendars")))
        events = connection.scalar(text("SELECT count(*) FROM events"))
    assert (quiet, events) == ([0, 0], 1)


def test_what_0003_adds_needs_nothing_of_the_code_before_it(app: Flask) -> None:
    """An old worker writes calendars, events and refusals until it is replaced."""
    upgrade(revision="0002")
    execute(CONNECTION)
    execute(CALENDAR, id="cal_1")

    upgrade(revision="0003")
    execute(CALENDAR, id="cal_2")
    execute(EVENT)
    execute(REFUSAL)

    with db.engine.connect() as connection:
        revisions = list(connection.scalars(text("SELECT revision FROM calendars")))
        expanded = connection.scalar(text("SELECT expanded_to FROM events"))
        chance = connection.scalar(text("SELECT chance_taken FROM login_refusals"))
    assert (revisions, expanded, chance) == ([0, 0], None, 0)


def test_tasks_of_a_password_begin_to_take_turns(app: Flask) -> None:
    """Two of them may be held by workers of the code before."""
    upgrade(revision="0006")
    execute(CONNECTION)
    execute(CALENDAR, id="cal_1")
    for task in ("list_calendars con_1", "sync_calendar cal_1", "roll_window cal_1", "retire x"):
        kind, subject = task.split()
        execute(TASK, kind=kind, subject=subject)

    upgrade(revision="0007")

    with db.engine.connect() as connection:
        query = "SELECT kind, login_id, lease_until IS NULL FROM tasks ORDER BY kind"
        found = [tuple(row) for row in connection.execute(text(query))]
    assert found == [
        ("list_calendars", "con_1", True),
        ("retire", None, False),
        ("roll_window", None, False),
        ("sync_calendar", "con_1", True),
    ]


def test_nothing_is_left_to_migrate(app: Flask) -> None:
    upgrade()

    check()
