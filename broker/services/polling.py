"""When to look at a calendar again: soon after a change, less often while nothing changes."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import bindparam, exists, or_

from broker.ids import jitter
from broker.models import Calendar, Subscription, Task
from broker.models.base import UtcDateTime, table_of
from broker.services.runtime import Runtime
from broker.services.tasks import Kind

GROWTH = 1.5
LONGEST = 6
QUIET_ENOUGH = 5

_SUBSCRIPTIONS, _TASKS = table_of(Subscription), table_of(Task)
_NOW = bindparam("now", type_=UtcDateTime())
_IS_LISTENED_TO = exists().where(
    _TASKS.c.kind == Kind.LISTEN.value,
    _TASKS.c.subject_id == table_of(Calendar).c.connection_id,
    _TASKS.c.lease_until > _NOW,
)
_IS_SUBSCRIBED = exists().where(
    _SUBSCRIPTIONS.c.calendar_id == table_of(Calendar).c.id,
    _SUBSCRIPTIONS.c.expires_at > _NOW,
    # One that was never heard of may be one that cannot reach us.
    _SUBSCRIPTIONS.c.heard_at.is_not(None),
)
IS_PUSHED = or_(_IS_SUBSCRIBED, _IS_LISTENED_TO).label("is_pushed")
"""A column beside a calendar's own: whether push works for it *now*."""


def quiet_after(quiet_passes: int, *, changed: bool) -> int:
    """Count a pass: any change starts again, and more quiet than enough is not counted."""
    return 0 if changed else min(quiet_passes + 1, QUIET_ENOUGH)


def stretch(quiet_passes: int) -> float:
    """Tell how many times the shortest wait a calendar waits after so many quiet passes."""
    return float(min(GROWTH**quiet_passes, LONGEST))


def next_poll(runtime: Runtime, quiet_passes: int, *, is_pushed: bool) -> datetime:
    """Date the next poll, with jitter; while push works a poll only makes sure."""
    longer = LONGEST if is_pushed else stretch(quiet_passes)
    wait = timedelta(seconds=runtime.settings.poll_seconds) * longer * jitter()
    return runtime.clock.now() + wait
