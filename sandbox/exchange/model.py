"""What the stand-in remembers: people, their folders, and what lies in them.

Plain dataclasses, so that the whole world is written to and read from one JSON snapshot.
`changed` and `created` come from one counter that only grows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

CALENDAR_CLASS = "IPF.Appointment"
MAIL_CLASS = "IPF.Note"


@dataclass
class Person:
    """Somebody who can sign in, or a mailbox that nobody signs in to.

    *kind* is `person`, `room`, `list` (a room list) or `service` (an account without mailbox).
    *account* is `enabled`, `disabled` or `expired`.
    """

    email: str
    name: str
    login: str
    upn: str
    time_zone: str
    kind: str = "person"
    password: str = field(default="sandbox", repr=False)
    account: str = "enabled"
    aliases: list[str] = field(default_factory=list)
    bad_logons: int = 0
    locked_until_s: int = 0
    may_impersonate: list[str] = field(default_factory=list)
    """Addresses of those whom a service account may act for; `*` is everybody."""
    rights: dict[str, str] = field(default_factory=dict)
    """What others may do with the calendar, by address: `editor`, `reviewer`, `freebusy`, `none`;
    `*` is everybody else."""
    members: list[str] = field(default_factory=list)
    """The rooms of a room list."""


@dataclass
class Change:
    """An occurrence of a series that differs from its series; times are seconds since 1970."""

    start_s: int
    end_s: int
    fields: dict[str, str] = field(default_factory=dict)
    extended: dict[str, str] = field(default_factory=dict)


@dataclass
class Item:
    """One thing in a folder. `fields` has the XML of each element by its name, ready to be sent.

    `start_s` and `end_s` are seconds since 1970, of the first occurrence for a series; `zone` is
    the Windows name of the zone that it is meant in. `rule` is the XML inside `Recurrence`.
    `changes` and `deleted` name occurrences by their original start.
    """

    number: int
    kind: str = "CalendarItem"
    uid: str = ""
    start_s: int = 0
    end_s: int = 0
    zone: str = "UTC"
    all_day: bool = False
    rule: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    extended: dict[str, str] = field(default_factory=dict)
    changes: dict[int, Change] = field(default_factory=dict)
    deleted: list[int] = field(default_factory=list)
    created: int = 0
    changed: int = 0
    created_at_s: int = 0
    changed_at_s: int = 0


@dataclass
class Folder:
    """A folder. `distinguished` is its well-known name, if it has one.

    `items` is ordered by `changed`, oldest first: a change moves one last.
    """

    number: int
    owner: str
    name: str
    parent: int = 0
    distinguished: str = ""
    folder_class: str = MAIL_CLASS
    read_only: bool = False
    changed: int = 0
    made: int = 0
    shaped: int = 0
    """When it last got another name or place."""
    epoch: int = 0
    """Sync states of an older epoch are invalid."""
    items: dict[int, Item] = field(default_factory=dict)
    gone: dict[int, int] = field(default_factory=dict)
    """When each deleted item was deleted, oldest first."""


@dataclass
class Gone:
    """A folder that was deleted: whose it was, and when in the sequence."""

    owner: str
    at: int


@dataclass
class Notice:
    """One thing that happened in a folder; `event` is `Created`, `Modified` or `Deleted`."""

    sequence: int
    event: str
    folder: int
    item: int
    at_s: int


@dataclass
class Subscription:
    """Somebody's wish to hear of changes; *kind* is `pull`, `push` or `streaming`."""

    id: str
    kind: str
    owner: str
    """The login that made it; nobody else may read it."""
    mailbox: str
    folders: list[int]
    events: list[str]
    seen: int
    url: str = ""
    minutes: int = 0
    expires_at_s: int = 0
    told_at_s: int = 0
    """When a push subscription last got through."""
    retry_at_s: int = 0
    retry_after_s: int = 0
    """How long it waits after the next failure; 0 while nothing failed."""


@dataclass
class Mail:
    """An invitation, update or cancellation that Exchange would have sent."""

    method: str
    sender: str
    recipient: str
    uid: str


@dataclass
class World:
    """Everything that outlives a restart."""

    secret_key: str = field(repr=False)
    sequence: int = 0
    numbers: int = 0
    people: dict[str, Person] = field(default_factory=dict)
    folders: dict[int, Folder] = field(default_factory=dict)
    places: dict[int, int] = field(default_factory=dict)
    """In which folder an item is."""
    notices: list[Notice] = field(default_factory=list)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    gone_folders: dict[int, Gone] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)
