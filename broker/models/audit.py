"""The audit log, and the canary that proves the key ring."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from broker.models.base import Base, UtcDateTime


class AuditEntry(Base):
    """One security-relevant act, by ids and codes only; rows are added and never changed."""

    __tablename__ = "audit_entries"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    act: Mapped[str] = mapped_column(String(64))
    application_id: Mapped[str | None] = mapped_column(String(32))
    subject_id: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class KeyCanary(Base):
    """A known text sealed under the ring: it opens only where the ring is the right one."""

    __tablename__ = "key_canaries"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    wrapped: Mapped[bytes]
