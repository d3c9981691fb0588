"""What changed in one calendar: the ids by SyncFolderItems, the events by GetItem.

A cursor is `ews:` and the state of a folder, which Exchange gives with every page and which
stays good until the mailbox moves. A first reading walks the whole folder by ids and reads
what may still matter: all series, and single events that end after the window's start. Later
readings follow everything that changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from lxml import etree

from broker.domain import Changes, RemoteEvent, Window
from broker.errors import CursorExpired, ProtocolError, ProviderError, ProviderUnavailable
from broker.providers._ews import get_item
from broker.providers._ews.calendar_items import (
    Series,
    ends_before,
    read_exception,
    read_item,
    stand_in,
)
from broker.providers._ews.faults import PROVIDER
from broker.providers._ews.get_item import GetItem
from broker.providers._ews.session import Session
from broker.providers._ews.sync_folder_items import Listed, SyncFolderItems

MAX_PAGES = 10_000
MAX_TRIES = 3
BATCHES = 6
"""How many answers become one page: what is written at once costs less. A slow server takes a
minute for each, and a page has to come in the ten that work may take without getting on."""
PAGE_CHARACTERS = 1_000_000
"""How much text ends a page before that, after a whole answer."""
_EXCEPTION_CHARACTERS = 2_000

_CURSOR = re.compile(r"ews:([!-~]+)", re.ASCII)
_TOO_LARGE = frozenset({"body too large", "too large", "not well-formed"})


@dataclass(slots=True)
class Fetched:
    """What became of some ids: events, and ids of which nothing could be made."""

    items: dict[str, etree._Element] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)

    def add(self, other: Fetched) -> None:
        """Take what another fetch brought."""
        self.items |= other.items
        self.skipped |= other.skipped


class Reader:
    """One reading of one calendar."""

    def __init__(self, session: Session, folder: str, window: Window) -> None:
        self._session = session
        self._folder = folder
        self._window = window

    def changes(self, cursor: str | None) -> Iterator[Changes]:
        """Yield what changed since *cursor*; everything in the window when None.

        An unchanged calendar costs one request. Raises CursorExpired.
        """
        match = _CURSOR.fullmatch(cursor or "")
        if cursor is not None and match is None:
            raise CursorExpired(PROVIDER, "SyncFolderItems", detail="unknown cursor")
        state, complete = match[1] if match else None, match is None
        for _ in range(MAX_PAGES):
            asked = SyncFolderItems(self._folder, state, with_times=complete)
            page = self._session.call(asked)
            batches = _batches(self._worth_reading(page.listed, complete))
            for batch in batches:
                some = chain((batch,), islice(batches, BATCHES - 1))
                yield self._page(some, complete)
            state = page.state
            cursor = f"ews:{state}" if page.is_last else None
            if cursor or page.deleted:
                yield Changes((), page.deleted, cursor, complete, whole_series=True)
            if page.is_last:
                return
        raise ProtocolError(PROVIDER, "SyncFolderItems", 200, detail="pages without end")

    def _worth_reading(self, listed: Sequence[Listed], complete: bool) -> Iterator[str]:
        """Give the ids to read; a first reading passes over what is known to be past."""
        since = self._window.start
        for item in listed:
            if not (complete and item.ends_at is not None and item.ends_at <= since):
                yield item.remote_id

    def _page(self, batches: Iterator[tuple[str, ...]], complete: bool) -> Changes:
        """Read as many batches as make one page; their answers are never all in memory."""
        events: list[RemoteEvent] = []
        series: list[Series] = []
        skipped: set[str] = set()
        characters = 0
        for ids in batches:
            fetched = self._fetch(ids)
            skipped |= fetched.skipped
            for remote_id, item in fetched.items.items():
                try:
                    read = read_item(item, remote_id)
                except (ValueError, LookupError, OverflowError):
                    skipped.add(remote_id)
                    continue
                characters += _characters(read)
                if isinstance(read, Series):
                    series.append(read)
                elif not (complete and ends_before(read, self._window.start)):
                    events.append(read)
            if characters >= PAGE_CHARACTERS:
                break
        for one in series:
            events.append(one.master)
        events += self._exceptions(series)
        return Changes(events, complete=complete, whole_series=True, skipped=frozenset(skipped))

    def _exceptions(self, series: Sequence[Series]) -> Iterator[RemoteEvent]:
        """Read the changed occurrences of some series, all of them: they come together."""
        places = {place.item_id: (place, one) for one in series for place in one.exceptions}
        found: dict[str, RemoteEvent] = {}
        for batch in _batches(remote_id for remote_id in places if remote_id):
            for remote_id, item in self._fetch(batch).items.items():
                place, one = places[remote_id]
                try:
                    found[remote_id] = read_exception(item, place, one)
                except (ValueError, LookupError, OverflowError):
                    continue
        for one in series:
            for place in one.exceptions:
                yield found.get(place.item_id) or stand_in(place, one)

    def _fetch(self, ids: tuple[str, ...]) -> Fetched:
        """Read items; where an answer is too large or damaged, in halves, down to the culprit."""
        try:
            return self._fetch_all(ids)
        except (ProtocolError, ProviderUnavailable) as error:
            if error.detail not in _TOO_LARGE:
                raise
            if len(ids) == 1:
                return Fetched(skipped=set(ids))
            return self._fetch_halves(ids, error)

    def _fetch_halves(self, ids: tuple[str, ...], error: ProviderError) -> Fetched:
        middle = len(ids) // 2
        fetched = self._fetch(ids[:middle])
        fetched.add(self._fetch(ids[middle:]))
        if not fetched.items:
            # It was no single item: the server is not well.
            raise error
        return fetched

    def _fetch_all(self, ids: tuple[str, ...]) -> Fetched:
        """Read items, asking again for those before which the server stopped."""
        fetched = Fetched()
        for _ in range(MAX_TRIES):
            batch = self._session.call(GetItem(ids))
            fetched.items |= batch.items
            fetched.skipped |= batch.missing
            if not batch.left:
                return fetched
            ids = batch.left
        raise ProviderUnavailable(PROVIDER, "GetItem", 200, detail="batch stopped")


def _characters(read: RemoteEvent | Series) -> int:
    """Tell about how much memory an item will take, in characters of text."""
    if isinstance(read, Series):
        return _characters(read.master) + _EXCEPTION_CHARACTERS * len(read.exceptions)
    return len(read.content.description)


def _batches(ids: Iterable[str]) -> Iterator[tuple[str, ...]]:
    left = iter(ids)
    while batch := tuple(islice(left, get_item.MOST)):
        yield batch
