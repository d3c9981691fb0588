"""Fetching a calendar's objects by path and reading the events in them (RFC 4791 section 7.9)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from broker.domain import RemoteEvent
from broker.errors import ProviderUnavailable
from broker.providers._caldav import Dav, calendar_multiget
from broker.providers._ical import Source, read_object
from broker.providers._multistatus import CALDAV, DAV, Resource, key_of
from broker.transport_failures import TOO_LARGE


@dataclass(slots=True)
class Fetched:
    """What multigets brought. *missing* were announced but are not served yet.

    *characters* is how long the *objects* were that came.
    """

    events: list[RemoteEvent] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)
    empty: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    objects: int = 0
    characters: int = 0

    def add(self, other: Fetched) -> None:
        """Join what another multiget brought."""
        self.events += other.events
        self.skipped |= other.skipped
        self.empty |= other.empty
        self.missing |= other.missing
        self.objects += other.objects
        self.characters += other.characters


def fetch(dav: Dav, calendar: str, paths: Sequence[str], zone: str) -> Fetched:
    """Fetch and read objects; an answer over the cap is asked for in halves.

    *zone* places floating times. Raises ProviderErrors.
    """
    kind = partial(_Objects, tuple(paths), zone, _addresses(dav))
    try:
        body = calendar_multiget(paths)
        answer = dav.send("fetch", "REPORT", calendar, body, depth=1, gather=kind)
        return dav.gathered("fetch", answer, kind).found.fetched()
    except ProviderUnavailable as error:
        if error.detail != TOO_LARGE:
            raise
        if len(paths) == 1:
            return Fetched(skipped=set(paths))
        half = len(paths) // 2
        both = fetch(dav, calendar, paths[:half], zone)
        both.add(fetch(dav, calendar, paths[half:], zone))
        return both


class _Objects:
    """Reads each object as it comes, so that no two texts are held at a time."""

    def __init__(self, paths: Sequence[str], zone: str, own: frozenset[str]) -> None:
        self._asked = {key_of(path): path for path in paths}
        self._zone = zone
        self._own = own
        self._fetched = Fetched()

    def take(self, item: Resource) -> None:
        """Read one object, unless it was not asked for or has come already."""
        key = key_of(item.href)
        path = self._asked.get(key)
        data = item.props.get(f"{CALDAV}calendar-data")
        # Without data it was announced and is gone already, or not there yet.
        if path is None or data is None:
            return
        del self._asked[key]
        text = data.text or ""
        etag = item.text(f"{DAV}getetag") or fingerprint(text)
        reading = read_object(Source(path, etag, text, self._zone, self._own))
        fetched = self._fetched
        fetched.objects += 1
        fetched.characters += len(text)
        fetched.events += reading.events
        # The whole object is left as it was, exceptions included, if a part is unreadable.
        fetched.skipped |= {name.partition("#")[0] for name in reading.skipped}
        fetched.skipped |= reading.unfollowed
        if not reading.events and not reading.skipped:
            fetched.empty.add(path)

    def fetched(self) -> Fetched:
        """Give what came, and what of the asked did not."""
        self._fetched.missing = set(self._asked.values())
        return self._fetched


def _addresses(dav: Dav) -> frozenset[str]:
    username = dav.credential.username.lower()
    return frozenset({*dav.credential.addresses, *({username} if "@" in username else ())})


def fingerprint(text: str) -> str:
    """Give a short digest that changes when *text* does."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
