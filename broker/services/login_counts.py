"""The counts of refused logins, row by row: every change is one conditional statement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, or_, select, update
from sqlalchemy.orm import Session

from broker.models import LoginRefusal
from broker.models.base import changed, table_of
from broker.models.upserts import insert_into
from broker.services.login_rules import PAUSES_FORGOTTEN_AFTER, WINDOW, Rule

_TABLE = table_of(LoginRefusal)


def add(session: Session, rule: Rule, now: datetime, *, only_when_free: bool) -> bool:
    """Count one; False when *only_when_free* and the rule is full or paused."""
    table = _TABLE.c
    over = table.window_at <= now - WINDOW
    begins = now if rule.strict else case((over, now), else_=table.window_at)
    is_free = or_(table.paused_until.is_(None), table.paused_until <= now) & or_(
        over, table.refusals < rule.limit
    )
    statement = (
        insert_into(session, _TABLE)
        .values(digest=rule.digest, refusals=1, window_at=now, pauses=0)
        .on_conflict_do_update(
            index_elements=["digest"],
            set_={
                "refusals": case((over, 1), else_=table.refusals + 1),
                "pauses": case((table.window_at <= now - PAUSES_FORGOTTEN_AFTER, 0),
                               else_=table.pauses),
                "refused_passwords": case((over, None), else_=table.refused_passwords),
                "window_at": begins,
            },
            where=is_free if only_when_free else None,
        )
        .returning(table.refusals)
    )  # fmt: skip
    return session.scalar(statement) is not None


def free(session: Session, rule: Rule, seats: int) -> None:
    """Take back so many of what was counted; nothing where there are fewer than one."""
    held = _TABLE.c.refusals
    if seats > 0:
        put(session, rule, refusals=case((held > seats, held - seats), else_=0))


def locked(session: Session, rule: Rule) -> Row[Any] | None:
    """Give the row of a rule, for this transaction alone; None when nothing was counted yet."""
    query = select(_TABLE).where(_TABLE.c.digest == rule.digest)
    return session.execute(query.with_for_update()).one_or_none()


def put(session: Session, rule: Rule, **values: object) -> None:
    """Write into the row of a rule, if there is one."""
    session.execute(update(_TABLE).where(_TABLE.c.digest == rule.digest).values(**values))


def release(session: Session, rule: Rule, now: datetime) -> bool:
    """End a pause that is over; tells whether there was one."""
    over = (_TABLE.c.digest == rule.digest, _TABLE.c.paused_until <= now)
    return bool(changed(session, update(_TABLE).where(*over).values(paused_until=None)))


def in_order(rules: Sequence[Rule]) -> list[Rule]:
    """Sort, so that two transactions never wait for each other's rows."""
    return sorted(rules, key=lambda rule: rule.digest)
