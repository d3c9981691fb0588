"""What is known of companies' servers: what logins taught, and what the operator trusts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from broker.models.base import Base, UtcDateTime


class LearnedServer(Base):
    """One server of one mail domain; holds nothing about the people who logged in there.

    *domain_digest* and *server_digest* are keyed digests. *wrapped* holds domain, address, form
    of the user name and dialect, sealed because a domain can be a person's name. *standing* is
    `learned`, `pinned` or `blocked`. *successes* counts proved logins; *misses* those since the
    last success here that passed it over and were proved elsewhere. *last_success_at* is None
    for what the operator pinned or blocked before anybody logged in.
    """

    __tablename__ = "learned_servers"
    __table_args__ = (UniqueConstraint("domain_digest", "server_digest"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    domain_digest: Mapped[bytes]
    server_digest: Mapped[bytes]
    wrapped: Mapped[bytes]
    standing: Mapped[str] = mapped_column(String(16))
    successes: Mapped[int]
    misses: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_success_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class HostAuthority(Base):
    """A certificate authority that is believed for one host, as the operator said.

    *host_digest* and *authority_digest* (host and fingerprint) are keyed digests. *wrapped* holds
    the host and the certificate, sealed because a host can be a person's name.
    """

    __tablename__ = "host_authorities"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    host_digest: Mapped[bytes] = mapped_column(index=True)
    authority_digest: Mapped[bytes] = mapped_column(unique=True)
    wrapped: Mapped[bytes]
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
