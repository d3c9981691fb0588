"""When to look at a calendar again: soon after a change, less often while nothing changes."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from broker.ids import jitter
from broker.models import Subscription
from broker.models.base import UtcDateTime
from broker.services.runtime import Runtime

GROWTH = 1.5
LONGEST = 6
QUIET_ENOUGH = 5

_PUSHED = (
    select(Subscription.id)
    .where(
        Subscription.calendar_id == bindparam("pushed"),
        Subscription.expires_at > bindparam("now", type_=UtcDateTime()),
        # One that was never heard of may be one that cannot reach us.
        Subscription.heard_at.is_not(None),
    )
    .limit(1)
)


def quiet_after(quiet_passes: int, *, changed: bool) -> int:
    """Count a pass: any change starts again, and more quiet than enough is not counted."""
    return 0 if changed else min(quiet_passes + 1, QUIET_ENOUGH)


def stretch(quiet_passes: int) -> float:
    """Tell how many times the shortest wait a calendar waits after so many quiet passes."""
    return float(min(GROWTH**quiet_passes, LONGEST))


def next_poll(runtime: Runtime, session: Session, calendar_id: str, quiet_passes: int) -> datetime:
    """Date the next poll, with jitter; while push works a poll only makes sure."""
    now = runtime.clock.now()
    pushed = session.scalar(_PUSHED, {"pushed": calendar_id, "now": now}) is not None
    longer = LONGEST if pushed else stretch(quiet_passes)
    return now + timedelta(seconds=runtime.settings.poll_seconds) * longer * jitter()
