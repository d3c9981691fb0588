"""What the stand-in remembers: people, clients, calendars, grants, tokens and channels.

Plain dataclasses, so that the whole world is written to and read from one JSON snapshot.
Times are aware UTC; `changed` numbers come from one counter that only grows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Resource = dict[str, Any]
"""A JSON object as the API sends it."""

ROLES = ("none", "freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner")
"""Access roles, weakest first."""

FOREVER_S = 1 << 40
"""Stands for the end of a series that never ends, in seconds since 1970."""


@dataclass
class Person:
    """Someone who has an account. `hd` is the Workspace domain, None for a consumer account."""

    email: str
    sub: str
    given_name: str
    family_name: str
    time_zone: str
    password: str = field(default="sandbox", repr=False)
    hd: str | None = None
    access_lasts_s: int | None = None
    """How long refresh tokens live when the person gives time-limited access."""

    @property
    def name(self) -> str:
        """The full name, as pages show it."""
        return f"{self.given_name} {self.family_name}"


@dataclass
class Client:
    """A registered OAuth client. A redirect URI with `:*` accepts any port, and none."""

    client_id: str
    name: str
    redirect_uris: list[str]
    secret: str = field(repr=False)
    project: str = "sandbox"
    testing: bool = False
    """External and unpublished: refresh tokens live seven days."""


@dataclass
class StoredEvent:
    """One event of one calendar, as that calendar's owner sees it.

    `start_s` and `end_s` bound it in seconds since 1970; for a series they span every occurrence.
    `previous` is how it was before its last change, for reads that are behind.
    """

    resource: Resource
    changed: int
    start_s: int
    end_s: int
    previous: StoredEvent | None = field(default=None, repr=False)


@dataclass
class Calendar:
    """A calendar. `events` is ordered by `changed`, oldest first: a change moves an event last."""

    id: str
    summary: str
    time_zone: str
    owner: str
    roles: dict[str, str] = field(default_factory=dict)
    description: str = ""
    created_by: str | None = None
    """Client that created it through the API; None for seeded ones."""
    epoch: int = 0
    """Sync tokens of an older epoch are expired."""
    events: dict[str, StoredEvent] = field(default_factory=dict)
    updated: str = ""

    @property
    def takes_watch(self) -> bool:
        """Whether push works; it does not for holidays, birthdays and week numbers."""
        return "#" not in self.id


@dataclass
class ListEntry:
    """A calendar in a person's list. `changed` orders it for calendarList sync tokens."""

    calendar_id: str
    changed: int
    color_id: str = "14"
    summary_override: str | None = None
    selected: bool = True
    hidden: bool = False
    deleted: bool = False


@dataclass
class AuthorizationCode:
    """A single-use code and what was asked and agreed when it was made."""

    email: str
    client_id: str
    redirect_uri: str
    scopes: list[str]
    expires_at: datetime
    offline: bool
    consented: bool
    """`prompt=consent` was sent, so a refresh token is due again."""
    nonce: str | None = None
    challenge: str | None = None
    challenge_method: str = "plain"
    used: bool = False


@dataclass
class Grant:
    """What one person allowed one project; `offline` once a refresh token was issued."""

    email: str
    project: str
    scopes: list[str] = field(default_factory=list)
    offline: bool = False


@dataclass
class RefreshToken:
    """A live refresh token; removed when it dies."""

    email: str
    client_id: str
    scopes: list[str]
    issued_at: datetime
    used_at: datetime
    expires_at: datetime | None = None


@dataclass
class AccessToken:
    """A bearer token for the APIs."""

    email: str
    client_id: str
    scopes: list[str]
    expires_at: datetime
    refresh_token: str | None = field(default=None, repr=False)


@dataclass
class Channel:
    """A watch on one resource: a calendar's events, or a person's calendar list."""

    id: str
    resource_id: str
    resource_uri: str
    watched: str
    email: str
    client_id: str
    address: str
    expires_at: datetime
    token: str | None = field(default=None, repr=False)
    message_number: int = 0


@dataclass
class World:
    """Everything that outlives a restart."""

    secret_key: str = field(repr=False)
    signing_key: dict[str, str | list[str]] | None = field(default=None, repr=False)
    sequence: int = 0
    updated_ms: int = 0
    people: dict[str, Person] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    calendars: dict[str, Calendar] = field(default_factory=dict)
    lists: dict[str, dict[str, ListEntry]] = field(default_factory=dict)
    codes: dict[str, AuthorizationCode] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    refresh_tokens: dict[str, RefreshToken] = field(default_factory=dict)
    access_tokens: dict[str, AccessToken] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
