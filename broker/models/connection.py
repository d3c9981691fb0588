"""Connections: the broker's hold on one provider login in one access mode."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from broker.models.base import Base, UtcDateTime


class Connection(Base):
    """One provider login: its credential, its data key and how it is doing.

    *login_digest* finds the same login again. *wrapped_key* is the data key under which
    everything of this connection is sealed; deleting the row shreds it all.
    *disconnected_reason* is None while the provider accepts the credential, otherwise the
    reason code of its refusal. *credential_version* rises with each stored credential;
    *refresh_until* is held by whoever refreshes it now. Until *paused_until* the provider wants
    to hear nothing of this login. *reason*, *last_attempt_at* and *last_success_at* are of the
    list of its calendars, each of which has its own. *unused_since* is set while no application
    holds a live grant on any of its profiles.
    """

    __tablename__ = "connections"
    __table_args__ = (UniqueConstraint("provider", "access_mode", "login_digest"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    provider: Mapped[str] = mapped_column(String(32))
    access_mode: Mapped[str] = mapped_column(String(16))
    service: Mapped[str] = mapped_column(String(32))
    login_digest: Mapped[bytes]
    wrapped_key: Mapped[bytes]
    sealed_identity: Mapped[bytes]
    sealed_credential: Mapped[bytes]
    credential_version: Mapped[int] = mapped_column(default=1)
    refresh_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disconnected_reason: Mapped[str | None] = mapped_column(String(64))
    disconnected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(String(64))
    last_attempt_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_success_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    initial_sync_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    unused_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Subscription(Base):
    """Our push subscription at a provider for one calendar (a Google watch channel).

    A message is believed only when it brings the secret whose digest is kept here. *heard_at*
    is when one was believed; None while the provider may be unable to reach us.
    """

    __tablename__ = "subscriptions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    calendar_id: Mapped[str] = mapped_column(
        ForeignKey("calendars.id", ondelete="CASCADE"), index=True
    )
    secret_digest: Mapped[bytes]
    sealed_resource_id: Mapped[bytes | None]
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heard_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Revocation(Base):
    """A credential to give back at its provider, after the connection itself is gone.

    *login_digest* is the connection's; None in rows from before it was kept.
    """

    __tablename__ = "revocations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    provider: Mapped[str] = mapped_column(String(32))
    login_digest: Mapped[bytes | None]
    wrapped_credential: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
