"""What is remembered of logins that went wrong: refusals on the count, and diagnoses."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, false
from sqlalchemy.orm import Mapped, mapped_column

from broker.models.base import Base, UtcDateTime


class LoginRefusal(Base):
    """Refused logins of one login, client address or application; names nobody.

    *digest* is the keyed digest of whose they are. *refusals* counts those since
    *window_at* and the attempts now under way. *pauses* is how often it was paused lately;
    *paused_until* is None while it is not paused. *refused_passwords* holds short keyed digests,
    one after the other, of what was refused lately; *chance_taken* says that the one other
    password that a pause lets through has been tried.
    """

    __tablename__ = "login_refusals"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    refusals: Mapped[int]
    window_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    pauses: Mapped[int]
    paused_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refused_passwords: Mapped[bytes | None]
    chance_taken: Mapped[bool] = mapped_column(default=False, server_default=false())


class Diagnosis(Base):
    """What the connection doctor found in one attempt; *code* is shown to the person.

    *reason* is None when the attempt succeeded. *wrapped_findings* holds the steps, sealed
    because they name hosts.
    """

    __tablename__ = "diagnoses"

    code: Mapped[str] = mapped_column(String(16), primary_key=True)
    provider: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str | None] = mapped_column(String(64))
    wrapped_findings: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
