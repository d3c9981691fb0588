"""A broker in processes, and the same broker in this process on the same database."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from sqlalchemy import update

from app import create_app
from broker.models import Calendar, Event, Occurrence, Task, transaction
from broker.models.base import table_of
from broker.services import dispatch, tasks, work
from broker.services.runtime import Runtime
from broker.settings import Settings
from broker.worker import settle
from tests.processes.stack import UNLIMITED, Stack


@contextmanager
def installed(**env: str) -> Iterator[Stack]:
    """Start a broker of our own in a new folder; its clock runs, workers do not."""
    with tempfile.TemporaryDirectory(prefix="calbroker-") as folder:
        with Stack(Path(folder), **UNLIMITED, **env) as stack:
            yield stack


class InProcess:
    """The broker of a stack in this process: works off tasks as a worker does.

    The stack's clock, which would hand the tasks to workers, is stopped.
    """

    def __init__(self, stack: Stack) -> None:
        if stack.clock is not None:
            stack.end(stack.clock)
        self.app: Flask = create_app(Settings.from_env(stack.env))
        self.runtime: Runtime = self.app.extensions["calbroker"]
        settle()

    def drain(self) -> int:
        """Do everything that is due; gives how many tasks that were."""
        done = 0
        while True:
            with self.app.app_context():
                due = dispatch.due(self.runtime, limit=1)
                if not due:
                    return done
                work.run(self.runtime, due[0])
                done += 1

    def forget_copy(self) -> None:
        """Empty the copy, as if the connection were new."""
        with self.app.app_context(), transaction() as session:
            session.execute(table_of(Occurrence).delete())
            session.execute(table_of(Event).delete())
            session.execute(update(Calendar).values(sealed_cursor=None, synced_through=None))

    def make_syncs_due(self) -> list[str]:
        """Make every sync due now; gives their task ids."""
        table = table_of(Task)
        syncs = table.c.kind == tasks.Kind.SYNC_CALENDAR.value
        with self.app.app_context(), transaction() as session:
            now = self.runtime.clock.now()
            session.execute(update(table).where(syncs).values(due_at=now, queued_until=None))
            return list(session.scalars(table.select().with_only_columns(table.c.id).where(syncs)))

    def run(self, task_ids: list[str]) -> None:
        """Run these tasks."""
        for task_id in task_ids:
            with self.app.app_context():
                if not work.run(self.runtime, task_id):
                    raise RuntimeError("a task was not due")
