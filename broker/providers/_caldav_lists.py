"""What is kept of the long answers that list a calendar's objects: paths, and little else."""

from __future__ import annotations

import hashlib

from broker.providers._multistatus import DAV, Resource, same_path

_GONE = frozenset({404, 410})
_WELL = frozenset({None, 200})
_MORE = 507


class Listing:
    """The objects in a window, each once, and a digest of all their etags."""

    def __init__(self, calendar: str) -> None:
        self._calendar = calendar
        self._paths: dict[str, None] = {}
        self._digest = 0
        self.cut = False

    def take(self, item: Resource) -> None:
        """Note an object; one that the server will not show just now is there all the same.

        What it says against the calendar itself means that the list is not whole.
        """
        if same_path(item.href, self._calendar):
            self.cut = self.cut or item.status not in _WELL
            return
        if item.status in _GONE:
            return
        if item.href not in self._paths:
            self._paths[item.href] = None
            line = f"{item.href}\t{item.text(f'{DAV}getetag') or ''}"
            self._digest += int.from_bytes(hashlib.sha256(line.encode()).digest()[:16])

    def add(self, other: Listing) -> None:
        """Join another part of the window. What is in both counts twice in the digest."""
        self._paths |= other._paths
        self._digest += other._digest

    @property
    def paths(self) -> list[str]:
        """The objects, in the server's order."""
        return list(self._paths)

    @property
    def digest(self) -> str:
        """What changes with any etag, whatever the order: a sum."""
        return f"{self._digest % 2**128:032x}"


class Members:
    """What a sync-collection says of members; the calendar itself is none (RFC 6578 3.5)."""

    def __init__(self, calendar: str) -> None:
        self._calendar = calendar
        self._changed: dict[str, None] = {}
        self._deleted: set[str] = set()
        self.cut = False

    def take(self, item: Resource) -> None:
        """Note a member as changed or removed, or that there is more to ask for."""
        if same_path(item.href, self._calendar):
            self.cut = self.cut or item.status == _MORE
        elif item.href.endswith("/"):
            return
        elif item.status in _GONE:
            self._deleted.add(item.href)
        else:
            # Also what is not shown just now: it is asked for until it is.
            self._changed[item.href] = None

    @property
    def changed(self) -> list[str]:
        """Members that are new or changed, each once."""
        return list(self._changed)

    @property
    def deleted(self) -> frozenset[str]:
        """Members that are gone, and not there again."""
        return frozenset(self._deleted - self._changed.keys())
