"""What changed in one calendar: the ids by SyncFolderItems, the events by GetItem.

A cursor is `ews:` and the state of a folder, which Exchange gives with every page and which
stays good until the mailbox moves. A first reading walks the whole folder by ids and reads
what may still matter: all series, and single events that end after the window's start. Later
readings follow everything that changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import chain, islice

from broker.domain import Changes, RemoteEvent, Window
from broker.errors import CursorExpired, ProtocolError
from broker.providers._ews import get_item, sync_folder_items
from broker.providers._ews.calendar_items import (
    Series,
    ends_before,
    read_exception,
    read_item,
    stand_in,
)
from broker.providers._ews.faults import PROVIDER
from broker.providers._ews.fetching import Fetcher
from broker.providers._ews.home_zone import Home
from broker.providers._ews.paging import paged
from broker.providers._ews.session import Session
from broker.providers._ews.sync_folder_items import Listed, SyncFolderItems

MAX_PAGES = 10_000
BATCHES = 6
"""How many answers become one page: what is written at once costs less. A slow server takes a
minute for each, and a page has to come in the ten that work may take without getting on."""
PAGE_CHARACTERS = 1_000_000
"""How much text ends a page before that, after a whole answer."""
_EXCEPTION_CHARACTERS = 2_000
MAX_EXCEPTIONS = 1_000
"""Changed occurrences of one series that are read; of a series with more it is said."""

_CURSOR = re.compile(r"ews:([!-~]+)", re.ASCII)


class Reader:
    """One reading of one calendar."""

    def __init__(self, session: Session, folder: str, window: Window) -> None:
        self._session = session
        self._folder = folder
        self._window = window
        self._fetcher = Fetcher(session)
        self._home = Home(session, window)

    def changes(self, cursor: str | None) -> Iterator[Changes]:
        """Yield what changed since *cursor*; everything in the window when None.

        An unchanged calendar costs one request. Raises CursorExpired.
        """
        match = _CURSOR.fullmatch(cursor or "")
        if cursor is not None and match is None:
            raise CursorExpired(PROVIDER, "SyncFolderItems", detail="unknown cursor")
        state, complete = match[1] if match else None, match is None
        most = sync_folder_items.MOST
        for _ in range(MAX_PAGES):
            asking = partial(SyncFolderItems, self._folder, state, complete)
            page, most = paged(self._session, asking, most)
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
            fetched = self._fetcher.fetch(ids)
            skipped |= fetched.skipped
            if complete:
                # What a full read does not meet is removed, and the listing has just named it.
                skipped |= fetched.gone
            for remote_id, item in fetched.items.items():
                try:
                    read = read_item(item, remote_id, self._home.zone)
                except (ValueError, LookupError, OverflowError):
                    skipped.add(remote_id)
                    continue
                if isinstance(read, Series):
                    read = self._current(read)
                    if len(read.exceptions) > MAX_EXCEPTIONS:
                        skipped.add(remote_id)
                        read = replace(read, exceptions=read.exceptions[:MAX_EXCEPTIONS])
                    series.append(read)
                elif not (complete and ends_before(read, self._window.start)):
                    events.append(read)
                characters += _characters(read)
            if characters >= PAGE_CHARACTERS:
                break
        for one in series:
            events.append(one.master)
        events += self._exceptions(series)
        return Changes(events, complete=complete, whole_series=True, skipped=frozenset(skipped))

    def _current(self, series: Series) -> Series:
        """Leave out the changed occurrences of which both places are past.

        Those of a series that was called off may not know that they are, too.
        """
        master, since = series.master, self._window.start
        if master.cancelled:
            return replace(series, exceptions=())
        lasts = master.end.at - master.start.at if master.start and master.end else timedelta()
        kept = (
            place
            for place in series.exceptions
            if max(place.original.at + lasts, place.end.at) > since
        )
        return replace(series, exceptions=tuple(kept))

    def _exceptions(self, series: Sequence[Series]) -> Iterator[RemoteEvent]:
        """Read the changed occurrences of some series, all of them: they come together."""
        places = {place.item_id: (place, one) for one in series for place in one.exceptions}
        found: dict[str, RemoteEvent] = {}
        for batch in _batches(remote_id for remote_id in places if remote_id):
            for remote_id, item in self._fetcher.fetch(batch).items.items():
                place, one = places[remote_id]
                try:
                    found[remote_id] = read_exception(item, place, one)
                except (ValueError, LookupError, OverflowError):
                    continue
        for one in series:
            for place in one.exceptions:
                yield found.get(place.item_id) or stand_in(place, one)


def _characters(read: RemoteEvent | Series) -> int:
    """Tell about how much memory an item will take, in characters of text."""
    if isinstance(read, Series):
        return _characters(read.master) + _EXCEPTION_CHARACTERS * len(read.exceptions)
    return len(read.content.description)


def _batches(ids: Iterable[str]) -> Iterator[tuple[str, ...]]:
    left = iter(ids)
    while batch := tuple(islice(left, get_item.MOST)):
        yield batch
