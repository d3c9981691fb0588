"""What must happen: the database is the queue of record."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from broker.models.base import Base, UtcDateTime

_HELD = text("lease_until IS NOT NULL")


class Task(Base):
    """One thing to do for one subject, at a time, by one worker at a time.

    Written in the same transaction as its cause. Redis only makes it happen sooner: the clock
    queues whatever is due, so an emptied Redis or a killed worker delays and never loses.

    *lease_until* and *fence* belong to the worker that holds it: results are written only
    while its fence is still the row's. *queued_until* keeps the clock from queueing it twice.
    *wanted_at* is when somebody asked for it since the last claim, perhaps while it was running.
    *login_id* is set where the tasks of a login take turns: no two of them are held at once.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("kind", "subject_id"),
        Index(
            "uq_tasks_login_id_held",
            "login_id",
            unique=True,
            sqlite_where=_HELD,
            postgresql_where=_HELD,
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[str] = mapped_column(String(64))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    fence: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    queued_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    wanted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(String(64))
    login_id: Mapped[str | None] = mapped_column(String(32))


class Heartbeat(Base):
    """When a process of a kind was last seen alive, for health and doctor."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
