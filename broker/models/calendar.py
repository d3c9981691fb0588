"""Calendars, events as the provider has them, and the occurrences that reads are served from.

Times of events and occurrences are UTC epoch seconds, end exclusive; an all-day event runs
from midnight UTC of its first date to midnight UTC of the date after its last.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from broker.models.base import Base, UtcDateTime


class Calendar(Base):
    """One calendar of a connection and how far its copy has come.

    *generation* counts full reads; an event of an older one was not seen since.
    *synced_through* is when the last complete pass began: the copy is no older.
    *held_back_at* is set while a pass that wants to delete much waits to be asked again.
    *rolled_to* is the end of the window that occurrences are materialised for.
    *push_refused* remembers that the provider has no push for this calendar. *quiet_passes*
    counts the passes since one that found something new. *revision* rises with each write to
    the copy: what was planned from an older one is not written.
    """

    __tablename__ = "calendars"
    __table_args__ = (UniqueConstraint("connection_id", "remote_digest"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    remote_digest: Mapped[bytes]
    sealed_remote_id: Mapped[bytes]
    sealed_name: Mapped[bytes]
    color: Mapped[str | None] = mapped_column(String(9))
    tzid: Mapped[str | None] = mapped_column(String(64))
    read_only: Mapped[bool] = mapped_column(default=False)
    primary: Mapped[bool] = mapped_column(default=False)
    counts_as_busy: Mapped[bool] = mapped_column(default=True)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sealed_cursor: Mapped[bytes | None]
    generation: Mapped[int] = mapped_column(default=0)
    synced_through: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_attempt_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(String(64))
    skipped: Mapped[int] = mapped_column(default=0)
    held_back_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    full_read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    rolled_to: Mapped[datetime | None] = mapped_column(UtcDateTime)
    push_refused: Mapped[bool] = mapped_column(default=False)
    quiet_passes: Mapped[int] = mapped_column(default=0, server_default="0")
    revision: Mapped[int] = mapped_column(default=0, server_default="0")


class Event(Base):
    """A single event, a master or an exception, as the provider has it.

    *key* is a keyed digest of the remote id (16 bytes); *series_key* that of the master's and
    set on exceptions. *sealed* holds the whole RemoteEvent. *expanded_to* is how far a series'
    occurrences reach (epoch seconds): None when that is not known, 0 while its last change waits
    to show in them.
    """

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_calendar_id_series_key", "calendar_id", "series_key"),)

    calendar_id: Mapped[str] = mapped_column(
        ForeignKey("calendars.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    series_key: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    etag: Mapped[str] = mapped_column(Text)
    generation: Mapped[int]
    recurring: Mapped[bool]
    cancelled: Mapped[bool]
    sealed: Mapped[bytes]
    expanded_to: Mapped[int | None] = mapped_column(BigInteger)


_LISTED_BY = ("calendar_id", "deleted", "start_at", "uid", "end_at", "all_day", "busy")


class Occurrence(Base):
    """One happening of an event inside the window: what the partner API lists.

    *uid* is a keyed digest of event and original start (12 bytes), the same after any resync.
    *changed_at* is when the last change was written, rounded up (epoch seconds); 0 where there
    was none. A removed occurrence stays a while with *deleted* set. *past_start_at* and
    *past_end_at* bound where it was before it was moved; None when it never was.
    """

    __tablename__ = "occurrences"
    __table_args__ = (
        # All that listings choose and count by, in their order: they need not visit the rows.
        Index("ix_occurrences_listed", *_LISTED_BY),
        Index("ix_occurrences_calendar_id_event_key", "calendar_id", "event_key"),
        Index("ix_occurrences_calendar_id_changed_at", "calendar_id", "changed_at"),
    )

    calendar_id: Mapped[str] = mapped_column(
        ForeignKey("calendars.id", ondelete="CASCADE"), primary_key=True
    )
    uid: Mapped[bytes] = mapped_column(LargeBinary(12), primary_key=True)
    event_key: Mapped[bytes] = mapped_column(LargeBinary(16))
    series_uid: Mapped[bytes | None] = mapped_column(LargeBinary(8))
    start_at: Mapped[int] = mapped_column(BigInteger)
    end_at: Mapped[int] = mapped_column(BigInteger)
    all_day: Mapped[bool]
    busy: Mapped[str] = mapped_column(String(20))
    changed_at: Mapped[int] = mapped_column(BigInteger)
    deleted: Mapped[bool] = mapped_column(default=False)
    past_start_at: Mapped[int | None] = mapped_column(BigInteger)
    past_end_at: Mapped[int | None] = mapped_column(BigInteger)
