"""The audit log with the one way to write it, and the canaries that prove the keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from broker.ids import new_id
from broker.models.base import Base, UtcDateTime, table_of

CODE_REPLAYED = "oauth.code_replayed"
REFRESH_REUSED = "oauth.refresh_reused"
GRANT_REVOKED = "oauth.grant_revoked"
CLIENT_PAUSED = "oauth.client_paused"


class AuditEntry(Base):
    """One security-relevant act, by ids and codes only; rows are added and never changed."""

    __tablename__ = "audit_entries"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    act: Mapped[str] = mapped_column(String(64))
    application_id: Mapped[str | None] = mapped_column(String(32))
    subject_id: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


_ENTRIES = table_of(AuditEntry)


def note(
    session: Session,
    at: datetime,
    act: str,
    *,
    application_id: str | None = None,
    subject_id: str | None = None,
    **detail: str | int | None,
) -> None:
    """Add an entry in the caller's transaction. *detail* must hold no personal content."""
    entry = {
        "id": new_id("aud"),
        "at": at,
        "act": act,
        "application_id": application_id,
        "subject_id": subject_id,
        "detail": detail,
    }
    session.execute(insert(_ENTRIES), entry)


class KeyCanary(Base):
    """A known text sealed under the ring: it opens only where the ring is the right one.

    The one named `digest` holds a keyed digest: it is ours only under the same digest key.
    """

    __tablename__ = "key_canaries"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    wrapped: Mapped[bytes]
