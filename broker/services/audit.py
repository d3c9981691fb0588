"""The audit log: security-relevant acts, by ids and codes only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from broker.ids import new_id
from broker.models import AuditEntry


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
    session.add(
        AuditEntry(
            id=new_id("aud"),
            at=at,
            act=act,
            application_id=application_id,
            subject_id=subject_id,
            detail=detail,
        )
    )
