"""What the stand-in remembers: people, their calendars, and the mails it would have sent.

Plain dataclasses, so that the whole world is written to and read from one JSON snapshot.
`changed` numbers come from one counter that only grows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FOREVER_S = 1 << 40
"""Stands for the end of a series that never ends, in seconds since 1970."""


@dataclass
class Entry:
    """A calendar in somebody's home. `access` is `owner`, `write` or `read`."""

    calendar_id: str
    access: str = "owner"
    color: str = "#1BADF8FF"
    order: int = 1
    subscribed: bool = False


@dataclass
class Person:
    """Someone who has an account. `dsid` is its number, which outlives every address."""

    email: str
    dsid: str
    name: str
    time_zone: str
    aliases: list[str] = field(default_factory=list)
    partition: int = 42
    passwords: dict[str, str] = field(default_factory=dict, repr=False)
    """The live app-specific passwords, each with the label that the person gave it."""
    main_password: str = field(default="Analytical-1843", repr=False)
    """The account's own password; calendars never take it."""
    calendar_on: bool = True
    home: dict[str, Entry] = field(default_factory=dict)
    """What the home holds, by the last part of its path."""


@dataclass
class StoredObject:
    """One file of a calendar: a single event, or a series with its overrides.

    `start_s` and `end_s` bound all its occurrences in seconds since 1970; `plain` tells that they
    are exactly the span of its only occurrence.
    """

    name: str
    uid: str
    data: str
    changed: int
    start_s: int
    end_s: int
    plain: bool
    kind: str = "VEVENT"


@dataclass
class Calendar:
    """A calendar. `objects` is ordered by `changed`, oldest first: a change moves one last."""

    id: str
    name: str
    time_zone: str
    owner: str
    """The owner's DSID; empty for a subscription."""
    shared: bool = False
    kind: str = "VEVENT"
    changed: int = 0
    epoch: int = 0
    """Sync tokens of an older epoch are invalid."""
    objects: dict[str, StoredObject] = field(default_factory=dict)
    uids: dict[str, str] = field(default_factory=dict)
    """The object's name by UID."""
    gone: dict[str, int] = field(default_factory=dict)
    """When each deleted name was deleted, oldest first."""


@dataclass
class Mail:
    """A scheduling message that iCloud would have sent (RFC 6638). `method` is iTIP's."""

    method: str
    sender: str
    recipient: str
    uid: str


@dataclass
class World:
    """Everything that outlives a restart."""

    secret_key: str = field(repr=False)
    sequence: int = 0
    people: dict[str, Person] = field(default_factory=dict)
    calendars: dict[str, Calendar] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)
