"""Partner applications: registered OAuth clients with their secrets and redirect URIs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from broker.models.base import Base, UtcDateTime


class Application(Base):
    """A partner's OAuth client (RFC 6749 section 2).

    *scopes* is the space-separated list it may ask for. *features* holds true for each that it
    may use, by the names of `services/features.py`. A *public* client has no secret and must use
    PKCE. *any_loopback_redirect* is for the sandbox's application in local mode only.
    """

    __tablename__ = "applications"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    url: Mapped[str] = mapped_column(Text, default="")
    logo_url: Mapped[str] = mapped_column(Text, default="")
    accent_color: Mapped[str] = mapped_column(String(7), default="")
    scopes: Mapped[str] = mapped_column(Text)
    features: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    public: Mapped[bool] = mapped_column(default=False)
    any_loopback_redirect: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ApplicationSecret(Base):
    """One secret of an application: digested for the check, sealed because it signs pushes.

    Live while *retired_at* is None; at most two are live at once.
    """

    __tablename__ = "application_secrets"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    application_id: Mapped[str] = mapped_column(
        ForeignKey("applications.id", ondelete="CASCADE"), index=True
    )
    digest: Mapped[bytes]
    wrapped: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RedirectUri(Base):
    """A registered redirect URI, compared as an exact string (RFC 9700 section 4.1.3)."""

    __tablename__ = "redirect_uris"
    __table_args__ = (UniqueConstraint("application_id", "uri"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"))
    uri: Mapped[str] = mapped_column(Text)
