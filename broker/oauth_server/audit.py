"""Audit rows of the authorization server: ids and codes, never content."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.orm import Session

from broker.ids import new_id
from broker.models import AuditEntry
from broker.models.base import table_of

CODE_REPLAYED = "oauth.code_replayed"
REFRESH_REUSED = "oauth.refresh_reused"
GRANT_REVOKED = "oauth.grant_revoked"
CLIENT_PAUSED = "oauth.client_paused"

_entries = table_of(AuditEntry)


def record(
    session: Session,
    at: datetime,
    act: str,
    *,
    application_id: str | None = None,
    subject_id: str | None = None,
    detail: dict[str, str] | None = None,
) -> None:
    """Add one row in the caller's transaction."""
    session.execute(
        insert(_entries),
        {
            "id": new_id("aud"),
            "at": at,
            "act": act,
            "application_id": application_id,
            "subject_id": subject_id,
            "detail": detail or {},
        },
    )
