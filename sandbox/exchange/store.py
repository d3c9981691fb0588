"""The world behind one lock: its clock, the counter that orders changes, and its folders."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from .model import CALENDAR_CLASS, MAIL_CLASS, Folder, Gone, Item, Mail, Notice, Person, World

_MOST_NOTICES = 10_000


def utc_now() -> datetime:
    """Return the time of this machine."""
    return datetime.now(UTC)


class Store:
    """The state, to be read under `lock` and changed inside `transaction()`."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        """Begin with nobody and nothing. `now` returns aware times."""
        self.now = now
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        """Told after each transaction, for answers that wait for news."""
        self.world = World(secret_key=secrets.token_urlsafe(32))
        self.on_change: list[Callable[[set[str]], None]] = []
        """Called after each transaction, outside the lock."""
        self.closed = False
        """Set when the servers stop, for answers that wait for news."""
        self.streams: dict[str, int] = {}
        """How many streaming answers each login has open."""
        self._depth = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock for a change and tell the listeners once, at the outermost end."""
        with self.lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                outermost = self._depth == 0
                if outermost:
                    self.changed.notify_all()
        if outermost:
            for listener in self.on_change:
                listener(set())

    def now_s(self) -> int:
        """Return the time of the clock in seconds since 1970."""
        return int(self.now().timestamp())

    def number(self) -> int:
        """Return a number that nothing else has."""
        self.world.numbers += 1
        return self.world.numbers

    def touch(self, folder: Folder) -> int:
        """Mark a folder as changed and return the number of the change."""
        self.world.sequence += 1
        folder.changed = self.world.sequence
        return self.world.sequence

    def add_folder(
        self,
        owner: str,
        name: str,
        parent: int,
        *,
        folder_class: str = MAIL_CLASS,
        distinguished: str = "",
        read_only: bool = False,
    ) -> Folder:
        """Add a folder below another; 0 is above all."""
        number = self.number()
        made = Folder(number, owner, name, parent, distinguished, folder_class, read_only)
        made.made = made.shaped = self.touch(made)
        self.world.folders[made.number] = made
        return made

    def rename_folder(self, folder: Folder, name: str) -> None:
        """Give a folder another name."""
        folder.name, folder.shaped = name, self.touch(folder)

    def remove_folder(self, folder: Folder) -> None:
        """Delete a folder with all that is in it."""
        for number in folder.items:
            self.world.places.pop(number, None)
        del self.world.folders[folder.number]
        self.world.gone_folders[folder.number] = Gone(folder.owner, self.touch(folder))

    def put(self, folder: Folder, item: Item, *, quiet: bool = False) -> Item:
        """Store an item, new or changed, as the newest change of its folder."""
        event = "Modified" if item.created else "Created"
        item.changed = self.touch(folder)
        item.created = item.created or item.changed
        item.changed_at_s = self.now_s()
        item.created_at_s = item.created_at_s or item.changed_at_s
        folder.items.pop(item.number, None)
        folder.items[item.number] = item
        self.world.places[item.number] = folder.number
        folder.gone.pop(item.number, None)
        if not quiet:
            self._notice(event, folder, item.number)
        return item

    def remove(self, folder: Folder, number: int) -> Item:
        """Take an item out of its folder. Raises KeyError when it is not there."""
        item = folder.items.pop(number)
        self.world.places.pop(number, None)
        folder.gone[number] = self.touch(folder)
        self._notice("Deleted", folder, number)
        return item

    def _notice(self, event: str, folder: Folder, number: int) -> None:
        notices = self.world.notices
        notices.append(Notice(self.world.sequence, event, folder.number, number, self.now_s()))
        if len(notices) > _MOST_NOTICES:
            del notices[: _MOST_NOTICES // 2]

    def mail(self, method: str, sender: str, recipient: str, uid: str) -> None:
        """Remember a message that would have been sent."""
        self.world.mails.append(Mail(method, sender, recipient, uid))

    def find_person(self, email: str) -> Person | None:
        """Return whose mailbox has an address, as first or further one."""
        wanted = email.strip().lower()
        people = self.world.people
        return people.get(wanted) or next(
            (one for one in people.values() if wanted in one.aliases), None
        )

    def folders_of(self, email: str) -> list[Folder]:
        """Return the folders of a mailbox, oldest first."""
        return [one for one in self.world.folders.values() if one.owner == email]

    def distinguished(self, email: str, name: str) -> Folder | None:
        """Return a mailbox's folder by its well-known name."""
        return next((f for f in self.folders_of(email) if f.distinguished == name), None)

    def calendars(self, email: str) -> list[Folder]:
        """Return the calendars of a mailbox, the default one first."""
        found = [f for f in self.folders_of(email) if f.folder_class.startswith(CALENDAR_CLASS)]
        return sorted(found, key=lambda folder: folder.distinguished != "calendar")

    def item(self, number: int) -> tuple[Folder, Item] | None:
        """Return an item and its folder, None when it is gone."""
        folder = self.world.folders.get(self.world.places.get(number, 0))
        return (folder, folder.items[number]) if folder and number in folder.items else None
