"""What changed in one calendar: by sync token, by ctag, or by the list of etags.

A cursor is `sync:` and a token (RFC 6578), `ctag:` and the collection's ctag, or `list:` and
a digest of the window's etags, whichever is the best that the server has. While bodies that
the server announced are not served yet, a cursor counts rounds: `sync+2:...`. It keeps its
token, or, after a full read, names on lines of their own the paths that are still to come.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from broker.domain import Changes, Window
from broker.errors import CalendarGone, CursorExpired, ProtocolError, ProviderUnavailable
from broker.http import Answer
from broker.providers._caldav import (
    Dav,
    Gathered,
    calendar_query,
    is_token_refused,
    propfind,
    sync_collection,
)
from broker.providers._caldav_calendars import zone_of
from broker.providers._caldav_lists import Listing, Members
from broker.providers._caldav_objects import Fetched, fetch
from broker.providers._multistatus import CALENDAR_SERVER, DAV, Resource, same_path
from broker.transport_failures import TOO_LARGE

BATCH = 50
PAGE = 200
PAGE_CHARACTERS = 4 * 1024 * 1024
MAX_ROUNDS = 5
MAX_PAGES = 1_000
SHORTEST = timedelta(days=2)

MAX_PENDING = 500

_CURSOR = re.compile(
    r"(sync|ctag|list)(?:\+(\d))?:((?:(?!\n/).)+)((?:\n/[^\n]*)*)", re.ASCII | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A cursor, read. *rounds* counts how often announced bodies were missing.

    *pending* are paths that a full read listed and could not fetch.
    """

    kind: str
    value: str
    rounds: int = 0
    pending: tuple[str, ...] = ()

    def __str__(self) -> str:
        rounds = f"+{self.rounds}" if self.rounds else ""
        return "\n".join((f"{self.kind}{rounds}:{self.value}", *self.pending))

    def after(self, missing: Sequence[str], rounds: int) -> Mark:
        """Give the cursor when *missing* were not served, for the *rounds*-th time before."""
        if not missing or rounds >= MAX_ROUNDS:
            return Mark(self.kind, self.value)
        waits = tuple(missing[:MAX_PENDING]) if self.kind == "sync" else ()
        return Mark(self.kind, self.value, rounds + 1, waits)


class Reader:
    """One reading of one calendar."""

    def __init__(self, dav: Dav, path: str, window: Window) -> None:
        self.dav = dav
        self.path = path
        self.window = window
        self._zone: str | None = None
        self._zone_known = False

    def changes(self, cursor: str | None) -> Iterator[Changes]:
        """Yield what changed since *cursor*; everything in the window when None."""
        if cursor is None:
            yield from self._everything(self._state())
            return
        match = _CURSOR.fullmatch(cursor)
        if match is None:
            raise CursorExpired(self.dav.provider, "changes", detail="unknown cursor")
        mark = Mark(match[1], match[3], int(match[2] or 0), tuple(match[4].split("\n")[1:]))
        yield from {"sync": self._delta, "ctag": self._by_ctag, "list": self._by_list}[match[1]](
            mark
        )

    def _delta(self, mark: Mark) -> Iterator[Changes]:
        """Follow a sync token; the old one is kept while announced bodies are missing."""
        token, missing, waiting = mark.value, False, list[str]()
        for batch in _batches(mark.pending):
            fetched = self._fetch(batch)
            waiting += sorted(fetched.missing)
            yield self._page(fetched, deleted=fetched.empty)
        for page in self._sync_pages(mark.value):
            token = page.sync_token or token
            for batch in _batches(page.found.changed):
                fetched = self._fetch(batch)
                missing = missing or bool(fetched.missing)
                yield self._page(fetched, deleted=fetched.empty)
            if page.found.deleted:
                yield Changes((), deleted=page.found.deleted, whole_series=True)
        after = Mark("sync", token).after(waiting, mark.rounds)
        if missing and mark.rounds < MAX_ROUNDS:
            after = Mark("sync", mark.value, mark.rounds + 1, tuple(waiting))
        yield Changes((), cursor=str(after), whole_series=True, tzid=self._zone)

    def _by_ctag(self, mark: Mark) -> Iterator[Changes]:
        state = self._state()
        if state.text(f"{CALENDAR_SERVER}getctag") == mark.value and not mark.rounds:
            yield Changes((), cursor=str(mark), whole_series=True)
            return
        yield from self._everything(state, mark.rounds)

    def _by_list(self, mark: Mark) -> Iterator[Changes]:
        listing = self._listing()
        if listing.digest == mark.value and not mark.rounds:
            yield Changes((), cursor=str(mark), whole_series=True)
            return
        yield from self._pages(listing.paths, Mark("list", listing.digest), mark.rounds)

    def _everything(self, state: Resource, rounds: int = 0) -> Iterator[Changes]:
        """List the window, having noted first where to go on from.

        What changes in between comes again with the cursor; noted afterwards it would be lost.
        """
        mark = self._mark(state)
        listing = self._listing()
        yield from self._pages(listing.paths, mark or Mark("list", listing.digest), rounds)

    def _pages(self, paths: list[str], mark: Mark, rounds: int) -> Iterator[Changes]:
        """Fetch what is listed, some batches to a page; no page is kept when the next one comes.

        A page is a transaction, and its price hardly depends on what is in it.
        """
        page, left, missing = Fetched(), len(paths), list[str]()
        for batch in _batches(paths):
            page.add(self._fetch(batch))
            left -= len(batch)
            if left and page.objects < PAGE and page.characters < PAGE_CHARACTERS:
                continue
            # Listed but not served yet: what we hold of it stays.
            page.skipped |= page.missing
            missing += sorted(page.missing)
            cursor = None if left else str(mark.after(missing, rounds))
            yield self._page(page, cursor=cursor, complete=True)
            page = Fetched()
        if not paths:
            yield self._page(page, cursor=str(mark), complete=True)

    def _page(
        self,
        fetched: Fetched,
        *,
        deleted: set[str] | None = None,
        cursor: str | None = None,
        complete: bool = False,
    ) -> Changes:
        return Changes(
            fetched.events,
            deleted=frozenset(deleted or ()),
            cursor=cursor,
            complete=complete,
            whole_series=True,
            skipped=frozenset(fetched.skipped),
            tzid=self._zone,
        )

    def _state(self) -> Resource:
        """Read the calendar's marks and zone."""
        names = ("d:sync-token", "cs:getctag", "c:calendar-timezone", "d:supported-report-set")
        body = propfind("d:resourcetype", *names)
        answer = self.dav.multistatus("calendar", "PROPFIND", self.path, body, depth=0)
        state = next((i for i in answer.resources if same_path(i.href, self.path)), None)
        if state is None or state.status in {404, 410}:
            raise CalendarGone(self.dav.provider, "calendar", 207)
        self._zone, self._zone_known = zone_of(state), True
        return state

    def _mark(self, state: Resource) -> Mark | None:
        """Note where a later reading goes on from; None when only the list can tell."""
        token = state.text(f"{DAV}sync-token")
        if token is None and state.has(f"{DAV}supported-report-set", f"{DAV}sync-collection"):
            answer = self._sync("", depth=0)
            if answer.status == 207:
                token = self.dav.gathered("sync", answer, self._members).sync_token
        if token is not None:
            return Mark("sync", token)
        ctag = state.text(f"{CALENDAR_SERVER}getctag")
        return Mark("ctag", ctag) if ctag is not None else None

    def _sync_pages(self, token: str) -> Iterator[Gathered[Members]]:
        """Ask again while the server cuts its answers short (RFC 6578 section 3.6)."""
        for _ in range(MAX_PAGES):
            answer = self._sync(token, depth=0)
            if answer.status == 400:
                # Servers from before RFC 6578 want to be asked with the depth of a listing.
                answer = self._sync(token, depth=1)
            if is_token_refused(answer):
                raise CursorExpired(self.dav.provider, "sync", answer.status)
            page = self.dav.gathered("sync", answer, self._members)
            if page.sync_token is None:
                raise ProtocolError(self.dav.provider, "sync", 207, detail="no sync token")
            yield page
            if not page.found.cut:
                return
            if page.sync_token == token:
                break
            token = page.sync_token
        raise ProtocolError(self.dav.provider, "sync", 207, detail="truncated without end")

    def _members(self) -> Members:
        return Members(self.path)

    def _listing(self, window: Window | None = None) -> Listing:
        """List all objects in the window; in halves if there are too many for one answer."""
        window, kind = window or self.window, partial(Listing, self.path)
        try:
            body = calendar_query(window)
            answer = self.dav.send("list", "REPORT", self.path, body, depth=1, gather=kind)
            listing = self.dav.gathered("list", answer, kind).found
        except ProviderUnavailable as error:
            if error.detail != TOO_LARGE or window.end - window.start < SHORTEST:
                raise
            middle = window.start + (window.end - window.start) / 2
            listing = self._listing(Window(window.start, middle))
            listing.add(self._listing(Window(middle, window.end)))
        if listing.cut:
            raise ProviderUnavailable(self.dav.provider, "list", 207, detail="list cut short")
        return listing

    def _fetch(self, paths: Sequence[str]) -> Fetched:
        if not self._zone_known:
            self._state()
        return fetch(self.dav, self.path, paths, self._zone or "UTC")

    def _sync(self, token: str, *, depth: int) -> Answer:
        body = sync_collection(token)
        return self.dav.send("sync", "REPORT", self.path, body, depth=depth, gather=self._members)


def _batches(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    return (paths[at : at + BATCH] for at in range(0, len(paths), BATCH))
