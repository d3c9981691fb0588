"""Listing events and free or busy times, page by page.

A page token fixes the query, how far it came and how many pages were promised. Occurrences
are walked by start and uid, so that each is listed once while nothing changes; when events
vanish meanwhile, the promised pages still come, if need be empty, because some SDKs count
pages instead of following links; when events appear, pages are added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import msgspec

from broker.domain import AccessMode
from broker.errors import NotFound
from broker.oauth_server.tokens import Bearer
from broker.services import connections, features, partner_ids, reading_rows
from broker.services.reading_pages import PageMark, open_token, seal
from broker.services.reading_query import (
    EVENT_FLAGS,
    FREE_BUSY_FLAGS,
    Arguments,
    Asked,
    Query,
    is_only_managed,
    parse,
)
from broker.services.reading_render import Block, Shelf, blocks, event
from broker.services.reading_rows import CalendarRow, Position
from broker.services.reading_scopes import allows, require
from broker.services.runtime import Runtime

EVENTS_PER_PAGE = 100
FREE_BUSY_PER_PAGE = 2_000
"""Blocks are small and nothing has to be opened: one page holds 90 busy days."""

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: *base_url* is the scheme and host under which they reached us."""

    bearer: Bearer
    base_url: str


def list_events(runtime: Runtime, caller: Caller, arguments: Arguments) -> Answer:
    """Give the first page of events.

    Raises MissingScope, FeatureOff, InvalidFields, and NotFound for a calendar that is not the
    caller's.
    """
    require(caller.bearer.scope, _events_call(is_only_managed(arguments)))
    asked = parse(arguments, EVENT_FLAGS, runtime.clock.now())
    _require_features(caller, asked.query)
    return _begin(_Events(runtime, caller), asked)


def next_events(runtime: Runtime, caller: Caller, token: str) -> Answer:
    """Give a later page of events. Raises NotFound for a token that is not the caller's."""
    mark = open_token(runtime.vault, "events", token, caller.bearer.account_id)
    require(caller.bearer.scope, _events_call(mark.query.only_managed))
    _require_features(caller, mark.query)
    return _go_on(_Events(runtime, caller), mark)


def list_free_busy(runtime: Runtime, caller: Caller, arguments: Arguments) -> Answer:
    """Give the first page of free and busy times; raises what `list_events` raises."""
    require(caller.bearer.scope, "free_busy")
    asked = parse(arguments, FREE_BUSY_FLAGS, runtime.clock.now())
    return _begin(_FreeBusy(runtime, caller), asked)


def next_free_busy(runtime: Runtime, caller: Caller, token: str) -> Answer:
    """Give a later page of free and busy times; raises what `next_events` raises."""
    require(caller.bearer.scope, "free_busy")
    mark = open_token(runtime.vault, "free_busy", token, caller.bearer.account_id)
    return _go_on(_FreeBusy(runtime, caller), mark)


def _require_features(caller: Caller, query: Query) -> None:
    if query.include_geo:
        features.require(caller.bearer.application_id, features.GEO)


def _events_call(only_managed: bool) -> str:
    return "managed_events" if only_managed else "events"


@dataclass(frozen=True, slots=True)
class _Listed:
    """One page: its *items*, where it ended, and whether there is more."""

    items: Sequence[Answer | Block]
    end: Position | None
    is_more: bool


class _Listing:
    """What the two listings share: whose calendars, which page, what comes next."""

    name: str
    per_page: int

    def __init__(self, runtime: Runtime, caller: Caller) -> None:
        self.runtime = runtime
        self.caller = caller
        self._rows = reading_rows.calendars_of(caller.bearer.account_id)

    def shelves(self, query: Query) -> dict[str, Shelf]:
        """Give what the query may list, by our calendar ids."""
        if query.only_managed or query.from_at >= query.to_at:
            return {}
        rows = [row for row in self._rows if query.include_deleted or row.deleted_at is None]
        if query.calendars is not None:
            rows = [row for row in rows if self._mark(row) in query.calendars]
        shelves = (_shelf(self.runtime, self.caller.bearer, row) for row in rows)
        return {shelf.our_id: shelf for shelf in shelves if self.shows(shelf, query)}

    def marks(self, calendar_ids: Iterable[str]) -> tuple[bytes, ...]:
        """Find calendars by the partner's ids. Raises NotFound unless all are the caller's."""
        vault = self.runtime.vault
        known = {
            partner_ids.calendar_id(vault, row.profile_id, row.calendar_id): row
            for row in self._rows
        }
        try:
            return tuple(self._mark(known[wanted]) for wanted in calendar_ids)
        except KeyError:
            raise NotFound("calendar") from None

    def _mark(self, row: CalendarRow) -> bytes:
        """Shorten a calendar's id, so that a page token stays short enough for an address."""
        return self.runtime.vault.digest("page_calendar", row.calendar_id)[:6]

    def shows(self, shelf: Shelf, query: Query) -> bool:
        raise NotImplementedError

    def count(self, query: Query, shelves: Mapping[str, Shelf]) -> int:
        raise NotImplementedError

    def read(self, query: Query, shelves: Mapping[str, Shelf], after: Position | None) -> _Listed:
        raise NotImplementedError


class _Events(_Listing):
    name = "events"
    per_page = EVENTS_PER_PAGE

    def shows(self, shelf: Shelf, query: Query) -> bool:
        return shelf.shows_events

    def count(self, query: Query, shelves: Mapping[str, Shelf]) -> int:
        return reading_rows.count(query, shelves, free=True)

    def read(self, query: Query, shelves: Mapping[str, Shelf], after: Position | None) -> _Listed:
        rows = reading_rows.page(query, shelves, after, self.per_page + 1)
        kept = rows[: self.per_page]
        items = [event(row, shelves[row.calendar_id], query) for row in kept]
        end = (kept[-1].start_at, kept[-1].uid) if kept else None
        return _Listed(items, end, len(rows) > len(kept))


class _FreeBusy(_Listing):
    name = "free_busy"
    per_page = FREE_BUSY_PER_PAGE

    def shows(self, shelf: Shelf, query: Query) -> bool:
        if shelf.access_mode == AccessMode.NONE:
            return False
        return shelf.counts_as_busy or query.include_free

    def count(self, query: Query, shelves: Mapping[str, Shelf]) -> int:
        return reading_rows.count(query, shelves, free=query.include_free)

    def read(self, query: Query, shelves: Mapping[str, Shelf], after: Position | None) -> _Listed:
        limit = self.per_page + 1
        rows = reading_rows.blocks_page(query, shelves, after, limit, free=query.include_free)
        kept = rows[: self.per_page]
        items = blocks(kept, shelves, query)
        end = kept[-1][:2] if kept else None
        return _Listed(items, end, len(rows) > len(kept))


def _shelf(runtime: Runtime, bearer: Bearer, row: CalendarRow) -> Shelf:
    vault, profile_id = runtime.vault, row.profile_id
    return Shelf(
        id=partner_ids.calendar_id(vault, profile_id, row.calendar_id),
        our_id=row.calendar_id,
        provider=row.provider,
        access_mode=row.access_mode,
        key=vault.data_key(row.wrapped_key, connections.key_place(row.connection_id)),
        event_pad=partner_ids.event_pad(vault, profile_id),
        series_pad=partner_ids.series_pad(vault, profile_id),
        revision=row.revision,
        tzid=row.tzid,
        counts_as_busy=row.counts_as_busy,
        gone_at=ceil(row.deleted_at.timestamp()) if row.deleted_at else None,
        may_answer=not row.read_only and allows(bearer.scope, "change_participation_status"),
    )


def _begin(listing: _Listing, asked: Asked) -> Answer:
    query = asked.query
    if asked.calendar_ids is not None:
        query = msgspec.structs.replace(query, calendars=listing.marks(asked.calendar_ids))
    shelves = listing.shelves(query)
    if not shelves:
        return {"pages": {"current": 1, "total": 1}, listing.name: []}
    listed = listing.read(query, shelves, None)
    total = 1
    if listed.is_more:
        total = max(2, -(-listing.count(query, shelves) // listing.per_page))
    return _answer(listing, query, listed, PageMark("", query, (0, b""), 1, total))


def _go_on(listing: _Listing, mark: PageMark) -> Answer:
    shelves = listing.shelves(mark.query)
    empty = _Listed([], None, False)
    listed = listing.read(mark.query, shelves, mark.after) if shelves else empty
    return _answer(listing, mark.query, listed, mark)


def _answer(listing: _Listing, query: Query, listed: _Listed, mark: PageMark) -> Answer:
    """Write a page; the last one has no link, every other does."""
    total = max(mark.total, mark.page + 1) if listed.is_more else mark.total
    pages: Answer = {"current": mark.page, "total": total}
    if mark.page < total:
        account_id = listing.caller.bearer.account_id
        after = listed.end or mark.after
        following = PageMark(account_id, query, after, mark.page + 1, total)
        token = seal(listing.runtime.vault, listing.name, following)
        pages["next_page"] = f"{listing.caller.base_url}/v1/{listing.name}/pages/{token}"
    return {"pages": pages, listing.name: listed.items}
