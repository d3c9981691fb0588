"""Writing to a calendar's copy: one short transaction after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from sqlalchemy.orm import Session

from broker.crypto import DataKey
from broker.domain import window_at
from broker.errors import CopyOvertaken
from broker.models import reading, transaction
from broker.services import tasks
from broker.services.runtime import Runtime
from broker.services.tasks import Lease
from broker.sync.apply import Applied, Copy
from broker.sync.steps import Step

# What one pass has to leave undone is gone on with after so long; status says so until then.
GO_ON = timedelta(seconds=60)
SERIES_WAITING = "series_waiting"


def copy_of(runtime: Runtime, lease: Lease, key: DataKey, calendar_id: str) -> Copy:
    """Give the copy of a calendar for a pass that began when its task was claimed."""
    at = lease.started_at
    return Copy(runtime.vault, key, calendar_id, window_at(at), at)


def write(
    runtime: Runtime,
    lease: Lease,
    copy: Copy,
    plan: Callable[[Session], Iterator[Step]],
    generation: int = 0,
) -> Applied:
    """Write what *plan* comes to, each step in a transaction of its own.

    A sync and a roll of one calendar may cross: whoever finds the copy changed plans anew, and
    what it has written already needs nothing more. Changes are dated when they are written, not
    when they were found: an application that asked in between asks next for what came after that.
    """
    total = Applied()
    while True:
        try:
            for step in plan(reading()):
                with transaction() as session:
                    tasks.hold(session, lease, runtime.clock.now())
                    copy.at = runtime.clock.now()
                    total += copy.write(session, step, generation)
            # Planning read: nobody needs that snapshot while the provider is asked for more.
            reading().rollback()
        except CopyOvertaken:
            continue
        return total
