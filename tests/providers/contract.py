"""What every provider must do. Subclass `ProviderContract` and give its fixtures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

import pytest

from broker.clock import FixedClock
from broker.domain import Changes, RemoteEvent, Window, midnight_utc, window_at
from broker.errors import (
    AuthorizationLost,
    CalendarGone,
    CursorExpired,
    ProtocolError,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
)
from broker.logins import Credential, OAuthCredential
from broker.providers.base import CalendarClient, Provider

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
TUESDAY = datetime(2026, 11, 24, 13, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)
RETRY_AFTER = timedelta(seconds=7)


class Trouble(StrEnum):
    """How the stand-in answers everything from now on."""

    REFUSED = "refused"  # the credential: 401
    THROTTLED = "throttled"  # with Retry-After: 7
    BROKEN = "broken"  # 500
    TRUNCATED = "truncated"  # the connection ends in the middle of the body
    CUT = "cut"  # half a body that claims to be whole
    FOREIGN = "foreign"  # 200 and a page of HTML


class Remote(Protocol):
    """The stand-in's own controls: what other people and devices do to the calendar.

    Each `add_` gives the remote_id of what it made. Times are aware UTC.
    """

    calendar_id: str

    def add_event(self, summary: str, start: datetime, end: datetime) -> str: ...
    def add_all_day(self, summary: str, day: date) -> str: ...
    def move_event(self, remote_id: str, start: datetime, end: datetime) -> None: ...
    def delete_event(self, remote_id: str) -> None: ...
    def add_series(self, summary: str, start: datetime, end: datetime, *, count: int) -> str: ...
    def move_occurrence(
        self, series_id: str, original: datetime, start: datetime, end: datetime
    ) -> None: ...
    def cancel_occurrence(self, series_id: str, original: datetime) -> None: ...
    def forget_cursors(self) -> None: ...
    def delete_calendar(self) -> None: ...
    def trouble(self, kind: Trouble) -> None: ...


class ProviderContract:
    """Fixtures to give: `provider`, `credential`, `remote` (an empty calendar)."""

    @pytest.fixture
    def clock(self) -> FixedClock:
        return FixedClock(NOW)

    @pytest.fixture
    def window(self) -> Window:
        return window_at(NOW)

    @pytest.fixture
    def client(self, provider: Provider, credential: Credential) -> CalendarClient:
        return provider.client(credential)

    def test_names_itself(self, provider: Provider) -> None:
        assert provider.slug and provider.label and provider.provider_name
        assert isinstance(provider.window_bound, bool)

    def test_lists_calendars(self, client: CalendarClient, remote: Remote) -> None:
        calendars = client.calendars()

        ids = [calendar.remote_id for calendar in calendars]
        assert remote.calendar_id in ids
        assert len(set(ids)) == len(ids)
        assert all(calendar.name for calendar in calendars)
        assert sum(calendar.primary for calendar in calendars) <= 1

    def test_first_reading_lists_the_window(
        self, client: CalendarClient, remote: Remote, window: Window
    ) -> None:
        made = {
            remote.add_event(f"Talk {n}", TUESDAY + n * HOUR, TUESDAY + (n + 1) * HOUR)
            for n in range(3)
        }

        pages = read(client, remote, None, window)

        assert made == {event.remote_id for event in events_of(pages)}
        assert all(page.complete for page in pages)
        talk = next(e for e in events_of(pages) if e.content.summary == "Talk 0")
        assert talk.start is not None and talk.end is not None
        assert (TUESDAY, TUESDAY + HOUR) == (talk.start.at, talk.end.at)
        assert talk.start.at.tzinfo is UTC

    def test_empty_calendar_has_a_cursor(
        self, client: CalendarClient, remote: Remote, window: Window
    ) -> None:
        pages = read(client, remote, None, window)

        assert [] == events_of(pages)
        assert pages[-1].complete and pages[-1].cursor

    def test_nothing_new_is_nothing(
        self, client: CalendarClient, remote: Remote, window: Window
    ) -> None:
        remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        cursor = read(client, remote, None, window)[-1].cursor

        for _ in range(2):
            pages = read(client, remote, cursor, window)
            assert [] == events_of(pages)
            assert not any(page.deleted or page.complete for page in pages)
            cursor = pages[-1].cursor

    def test_changes_show_up_once(
        self, client: CalendarClient, remote: Remote, window: Window
    ) -> None:
        kept = remote.add_event("Kept", TUESDAY, TUESDAY + HOUR)
        gone = remote.add_event("Gone", TUESDAY, TUESDAY + HOUR)
        first = read(client, remote, None, window)
        added = remote.add_event("Added", TUESDAY, TUESDAY + HOUR)
        remote.move_event(kept, TUESDAY + HOUR, TUESDAY + 2 * HOUR)
        remote.delete_event(gone)

        pages = read(client, remote, first[-1].cursor, window)

        live = {e.remote_id: e for e in events_of(pages) if not e.cancelled}
        assert {kept, added} == set(live)
        moved = live[kept].start
        assert moved is not None and moved.at == TUESDAY + HOUR
        before = {e.remote_id: e.etag for e in events_of(first)}
        assert before[kept] != live[kept].etag
        cancelled = {e.remote_id for e in events_of(pages) if e.cancelled}
        assert {gone} == cancelled | set().union(*(page.deleted for page in pages))
        again = read(client, remote, pages[-1].cursor, window)
        assert [] == events_of(again) and not any(page.deleted for page in again)

    def test_series_with_exceptions(
        self, client: CalendarClient, remote: Remote, window: Window
    ) -> None:
        series = remote.add_series("Weekly", TUESDAY, TUESDAY + HOUR, count=5)
        remote.move_occurrence(
            series, TUESDAY + WEEK, TUESDAY + WEEK + HOUR, TUESDAY + WEEK + 2 * HOUR
        )
        remote.cancel_occurrence(series, TUESDAY + 2 * WEEK)

        events = events_of(read(client, remote, None, window))

        master = next(event for event in events if event.remote_id == series)
        assert any(line.startswith("RRULE:") for line in master.recurrence)
        assert master.start is not None and master.start.at == TUESDAY
        assert master.start.tzid is not None
        moved = exception_at(events, series, TUESDAY + WEEK)
        assert moved is not None and moved.start is not None and not moved.cancelled
        assert moved.start.at == TUESDAY + WEEK + HOUR
        dropped = exception_at(events, series, TUESDAY + 2 * WEEK)
        day = f"{TUESDAY + 2 * WEEK:%Y%m%d}"
        excluded = any(line.startswith("EXDATE") and day in line for line in master.recurrence)
        assert excluded or (dropped is not None and dropped.cancelled)

    def test_all_day_is_midnight_utc_without_zone(
        self, client: CalendarClient, remote: Remote, window: Window
    ) -> None:
        day = TUESDAY.date()
        remote.add_all_day("Holiday", day)

        (event,) = events_of(read(client, remote, None, window))

        assert event.all_day
        assert (midnight_utc(day), None) == event.start
        assert (midnight_utc(day + timedelta(days=1)), None) == event.end

    def test_unknown_cursor_is_expired(
        self, client: CalendarClient, remote: Remote, window: Window
    ) -> None:
        with pytest.raises(CursorExpired):
            read(client, remote, "never-given", window)

    def test_forgotten_cursor_is_expired(
        self, client: CalendarClient, remote: Remote, window: Window
    ) -> None:
        cursor = read(client, remote, None, window)[-1].cursor
        remote.forget_cursors()

        with pytest.raises(CursorExpired):
            read(client, remote, cursor, window)

    def test_deleted_calendar_is_gone(
        self, client: CalendarClient, remote: Remote, window: Window
    ) -> None:
        cursor = read(client, remote, None, window)[-1].cursor
        remote.delete_calendar()

        for known in (None, cursor):
            with pytest.raises(CalendarGone):
                read(client, remote, known, window)

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            (Trouble.REFUSED, AuthorizationLost),
            (Trouble.THROTTLED, RateLimited),
            (Trouble.BROKEN, ProviderUnavailable),
            (Trouble.TRUNCATED, (ProviderUnavailable, ProtocolError)),
            (Trouble.CUT, (ProviderUnavailable, ProtocolError)),
            (Trouble.FOREIGN, (ProviderUnavailable, ProtocolError)),
        ],
    )
    @pytest.mark.parametrize("knows_cursor", [False, True])
    def test_trouble_is_told_apart_and_deletes_nothing(
        self,
        client: CalendarClient,
        remote: Remote,
        window: Window,
        credential: Credential,
        kind: Trouble,
        expected: Any,
        knows_cursor: bool,
    ) -> None:
        remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        cursor = read(client, remote, None, window)[-1].cursor if knows_cursor else None
        remote.trouble(kind)

        seen: list[Changes] = []
        with pytest.raises(expected) as listing:
            seen += client.changes(remote.calendar_id, cursor, window)
        with pytest.raises(expected) as calendars:
            client.calendars()

        assert [] == seen
        for raised in (listing.value, calendars.value):
            assert isinstance(raised, ProviderError)
            assert_no_secret(credential, str(raised), repr(raised), repr(vars(raised)))
            if isinstance(raised, RateLimited):
                assert RETRY_AFTER == raised.retry_after

    def test_secrets_are_not_shown(
        self, provider: Provider, credential: Credential, client: CalendarClient
    ) -> None:
        assert_no_secret(credential, repr(credential), repr(client), repr(provider))


def read(
    client: CalendarClient, remote: Remote, cursor: str | None, window: Window
) -> list[Changes]:
    """Read all pages; the cursor comes with the last and with no other."""
    pages = list(client.changes(remote.calendar_id, cursor, window))
    assert pages and pages[-1].cursor
    assert all(page.cursor is None for page in pages[:-1])
    return pages


def events_of(pages: Sequence[Changes]) -> list[RemoteEvent]:
    """Join the events of all pages."""
    return [event for page in pages for event in page.events]


def exception_at(
    events: Sequence[RemoteEvent], series: str, original: datetime
) -> RemoteEvent | None:
    """Find what replaces the occurrence of a series at its original start."""
    for event in events:
        place = event.original_start
        if event.series_id == series and place is not None and place.at == original:
            return event
    return None


def assert_no_secret(credential: Credential, *texts: str) -> None:
    """Check that no text quotes what the credential holds."""
    if isinstance(credential, OAuthCredential):
        secrets = [credential.access_token, credential.refresh_token]
    else:
        secrets = [credential.password]
    for text in texts:
        assert not any(secret in text for secret in secrets)
