"""Fetching a calendar's objects by path and reading the events in them (RFC 4791 section 7.9)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from broker.domain import RemoteEvent
from broker.errors import ProviderUnavailable
from broker.providers._caldav import TOO_LARGE, Dav, calendar_multiget
from broker.providers._ical import Source, read_object
from broker.providers._multistatus import CALDAV, DAV, Multistatus, key_of


@dataclass(slots=True)
class Fetched:
    """What a multiget brought. *missing* were announced but are not served yet."""

    events: list[RemoteEvent] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)
    empty: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)


def fetch(dav: Dav, calendar: str, paths: Sequence[str], zone: str) -> Fetched:
    """Fetch and read objects; an answer over the cap is asked for in halves.

    *zone* places floating times. Raises ProviderErrors.
    """
    try:
        body = calendar_multiget(paths)
        answer = dav.multistatus("fetch", "REPORT", calendar, body, depth=1)
    except ProviderUnavailable as error:
        if error.detail != TOO_LARGE:
            raise
        if len(paths) == 1:
            return Fetched(skipped=set(paths))
        half = len(paths) // 2
        left, right = (fetch(dav, calendar, part, zone) for part in (paths[:half], paths[half:]))
        return _joined(left, right)
    return _read(dav, paths, answer, zone)


def _read(dav: Dav, paths: Sequence[str], answer: Multistatus, zone: str) -> Fetched:
    fetched, asked = Fetched(), {key_of(path): path for path in paths}
    own = _addresses(dav)
    for item in answer.resources:
        path = asked.get(key_of(item.href))
        data = item.props.get(f"{CALDAV}calendar-data")
        # Without data it was announced and is gone already, or not there yet.
        if path is None or data is None:
            continue
        del asked[key_of(item.href)]
        text = data.text or ""
        etag = item.text(f"{DAV}getetag") or fingerprint(text)
        reading = read_object(Source(path, etag, text, zone, own))
        fetched.events += reading.events
        # The whole object is left as it was, exceptions included, if a part is unreadable.
        fetched.skipped |= {name.partition("#")[0] for name in reading.skipped}
        fetched.skipped |= reading.unfollowed
        if not reading.events and not reading.skipped:
            fetched.empty.add(path)
    fetched.missing = set(asked.values())
    return fetched


def _addresses(dav: Dav) -> frozenset[str]:
    username = dav.credential.username.lower()
    return frozenset({*dav.credential.addresses, *({username} if "@" in username else ())})


def _joined(left: Fetched, right: Fetched) -> Fetched:
    return Fetched(
        left.events + right.events,
        left.skipped | right.skipped,
        left.empty | right.empty,
        left.missing | right.missing,
    )


def fingerprint(text: str) -> str:
    """Give a short digest that changes when *text* does."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
