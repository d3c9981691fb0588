"""What our authorization server issues. Codes and tokens are kept as keyed digests only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from broker.models.base import Base, UtcDateTime


class Grant(Base):
    """What one application may do with one account since one authorization.

    Revoking any token of it ends it: *revoked_at* is then set and no token of it works.
    """

    __tablename__ = "grants"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"))
    account_id: Mapped[str] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )
    profile_id: Mapped[str | None] = mapped_column(
        ForeignKey("profiles.id", ondelete="SET NULL"), index=True
    )
    scope: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AuthorizationCode(Base):
    """A single-use code (RFC 6749 section 4.1.2) with its PKCE challenge (RFC 7636).

    *code_challenge* is None when the authorization request had none. *spent_at* is set once,
    by a conditional update; a second use revokes the grant.
    """

    __tablename__ = "authorization_codes"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    grant_id: Mapped[str] = mapped_column(ForeignKey("grants.id", ondelete="CASCADE"), index=True)
    redirect_uri: Mapped[str] = mapped_column(Text)
    code_challenge: Mapped[str | None] = mapped_column(String(128))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    spent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AccessToken(Base):
    """An opaque bearer token (RFC 6750).

    *scope* is set when a refresh asked for less than the grant has (RFC 6749 section 6).
    """

    __tablename__ = "access_tokens"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    grant_id: Mapped[str] = mapped_column(ForeignKey("grants.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    scope: Mapped[str | None] = mapped_column(Text)


class RefreshToken(Base):
    """A refresh token (RFC 6749 section 6).

    Public clients' tokens rotate: *rotated_at* is set by a conditional update and
    *wrapped_successor* keeps the answer for a repeat within the grace period.
    """

    __tablename__ = "refresh_tokens"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    grant_id: Mapped[str] = mapped_column(ForeignKey("grants.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    rotated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    wrapped_successor: Mapped[bytes | None]


class ConnectAttempt(Base):
    """A person on their way through the connect pages, bound to one browser.

    *handle_digest* is that of the handle in the page's address; *state_digest* that of the
    `state` last sent to a provider. *wrapped_request* holds what the application asked for
    (None while relinking, when *profile_id* is set instead); *wrapped_flow* what the flow at
    the provider needs (verifier, nonce), until the state comes back: it is taken once.
    """

    __tablename__ = "connect_attempts"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"))
    handle_digest: Mapped[bytes] = mapped_column(unique=True)
    browser_digest: Mapped[bytes]
    wrapped_request: Mapped[bytes | None]
    profile_id: Mapped[str | None] = mapped_column(
        ForeignKey("profiles.id", ondelete="CASCADE"), index=True
    )
    provider: Mapped[str | None] = mapped_column(String(32))
    state_digest: Mapped[bytes | None] = mapped_column(unique=True)
    wrapped_flow: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
