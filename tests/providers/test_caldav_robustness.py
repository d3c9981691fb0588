"""Servers and objects that are not as they should be: nothing is lost, nothing deleted wrongly."""

from __future__ import annotations

import tracemalloc
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.wrappers import Response

from broker.clock import FixedClock
from broker.domain import Window, window_at
from broker.errors import CalendarGone, CursorExpired, ProviderUnavailable
from broker.logins import Login
from broker.providers._ical import Source, read_object
from broker.providers.apple import Apple
from broker.providers.base import CalendarClient
from broker.providers.caldav import CalDavClient
from broker.settings import AppleSettings
from sandbox.icloud import seed
from sandbox.radicale_events import event, wrap
from tests import faults
from tests.providers.contract import (
    HOUR,
    NOW,
    TUESDAY,
    ProviderContract,
    Remote,
    events_of,
    read,
)
from tests.providers.icloud_remote import PASSWORD, PERSON, ICloudRemote

SPAN = ("DTSTART:20261124T130000Z", "DTEND:20261124T140000Z")


@pytest.fixture
def window() -> Window:
    return window_at(NOW)


@pytest.fixture
def remote() -> ICloudRemote:
    return ICloudRemote(FixedClock(NOW))


@pytest.fixture
def client(remote: ICloudRemote) -> CalDavClient:
    return connect(remote)


def connect(remote: ICloudRemote) -> CalDavClient:
    """Give the view of ada's login."""
    apple = Apple(remote.http(), remote.clock, AppleSettings())
    return apple.client(apple.verify(Login("", PERSON, PASSWORD))[0])


def _refused(href: str, status: int) -> bytes:
    return (
        f'<multistatus xmlns="DAV:"><response><href>{href}</href>'
        f"<status>HTTP/1.1 {status} No</status></response></multistatus>"
    ).encode()


def reports(remote: ICloudRemote, name: str) -> int:
    """Count the REPORTs of one kind."""
    return sum(call.report == name for call in remote.calls)


class TestContractWithoutSync(ProviderContract):
    """iCloud's paths and habits on a server that has only a ctag."""

    @pytest.fixture
    def remote(self, clock: FixedClock) -> ICloudRemote:
        remote = ICloudRemote(clock)
        remote.faults.set(None, "no_sync")
        return remote

    @pytest.fixture
    def provider(self, remote: ICloudRemote, clock: FixedClock) -> Apple:
        return Apple(remote.http(), clock, AppleSettings())

    @pytest.fixture
    def credential(self, provider: Apple) -> Any:
        return provider.verify(Login("", PERSON, PASSWORD))[0]

    def test_forgotten_cursor_is_expired(
        self, client: CalendarClient, remote: Remote, window: Window
    ) -> None:
        """A ctag is never forgotten: what it no longer equals is listed anew."""
        cursor = read(client, remote, None, window)[-1].cursor
        remote.forget_cursors()
        remote.add_event("Later", TUESDAY, TUESDAY + HOUR)

        listed = events_of(read(client, remote, cursor, window))
        assert "Later" in {found.content.summary for found in listed}

    test_changes_show_up_once = None  # type: ignore[assignment]  # a change lists everything


class TestNotServedYet:
    """A server that announces what it cannot give yet."""

    def test_delta_keeps_the_token(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        cursor = read(client, remote, None, window)[-1].cursor
        remote.add_event("Early", TUESDAY, TUESDAY + HOUR)
        remote.add_event("Late", TUESDAY, TUESDAY + HOUR)
        remote.faults.set(PERSON, "delayed_multiget", times=1)

        first = read(client, remote, cursor, window)
        second = read(client, remote, first[-1].cursor, window)

        assert ["Early"] == [e.content.summary for e in events_of(first)]
        assert {"Early", "Late"} == {e.content.summary for e in events_of(second)}
        assert not any(page.deleted for page in first + second)

    def test_full_read_names_what_is_to_come(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        remote.add_event("Early", TUESDAY, TUESDAY + HOUR)
        late = remote.add_event("Late", TUESDAY, TUESDAY + HOUR)
        remote.faults.set(PERSON, "delayed_multiget", times=2)

        first = read(client, remote, None, window)
        assert {late} == set().union(*(page.skipped for page in first))
        assert str(first[-1].cursor).startswith("sync+1:")
        second = read(client, remote, first[-1].cursor, window)
        assert [] == events_of(second)
        third = read(client, remote, second[-1].cursor, window)

        assert ["Late"] == [e.content.summary for e in events_of(third)]
        assert str(third[-1].cursor).startswith("sync:")
        fourth = read(client, remote, third[-1].cursor, window)
        assert [] == events_of(fourth)

    def test_changes_and_what_is_to_come_in_one_pass(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        remote.add_event("Late", TUESDAY, TUESDAY + HOUR)
        remote.faults.set(PERSON, "delayed_multiget", times=1)
        cursor = read(client, remote, None, window)[-1].cursor
        remote.add_event("New", TUESDAY, TUESDAY + HOUR)

        pages = read(client, remote, cursor, window)

        assert {"Late", "New"} == {e.content.summary for e in events_of(pages)}

    def test_waiting_after_a_full_read_ends(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        remote.add_event("Never", TUESDAY, TUESDAY + HOUR)
        remote.faults.set(PERSON, "delayed_multiget")
        cursor = read(client, remote, None, window)[-1].cursor

        seen = [cursor]
        for _ in range(5):
            seen.append(read(client, remote, seen[-1], window)[-1].cursor)

        assert ["sync+1", "sync+2", "sync+3", "sync+4", "sync+5", "sync"] == [
            str(cursor).partition(":")[0] for cursor in seen
        ]

    def test_ctag_reads_again(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        remote.faults.set(PERSON, "no_sync")
        remote.add_event("Late", TUESDAY, TUESDAY + HOUR)
        remote.faults.set(PERSON, "delayed_multiget", times=1)
        cursor = read(client, remote, None, window)[-1].cursor
        assert str(cursor).startswith("ctag+1:")

        pages = read(client, remote, cursor, window)

        assert ["Late"] == [e.content.summary for e in events_of(pages)]
        assert str(pages[-1].cursor).startswith("ctag:")

    def test_deleted_before_it_was_fetched(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        cursor = read(client, remote, None, window)[-1].cursor
        made = remote.add_event("Brief", TUESDAY, TUESDAY + HOUR)

        def vanish(good: Response) -> Response:
            if b"sync-token" in good.get_data() and made.encode() in good.get_data():
                remote.delete_event(made)
            return good

        remote.faulty.add(vanish, times=1)
        first = read(client, remote, cursor, window)
        second = read(client, remote, first[-1].cursor, window)

        assert [] == events_of(first) + events_of(second)
        assert {made} == set().union(*(page.deleted for page in second))


class TestServers:
    """Habits of servers."""

    def test_sync_that_wants_another_depth(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        cursor = read(client, remote, None, window)[-1].cursor
        remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        remote.faulty.add(
            faults.status(400),
            applies=lambda e: e["REQUEST_METHOD"] == "REPORT" and e["HTTP_DEPTH"] == "0",
        )

        pages = read(client, remote, cursor, window)

        assert ["Talk"] == [e.content.summary for e in events_of(pages)]

    def test_enormous_listing_is_asked_for_in_halves(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        made = {
            remote.add_event(f"T {n}", NOW + timedelta(days=n), NOW + timedelta(days=n, hours=1))
            for n in range(0, 180, 20)
        }
        blank = b" " * (21 * 1024 * 1024)
        remote.faulty.add(
            lambda good: Response(blank, 207),
            times=3,
            applies=lambda e: e["REQUEST_METHOD"] == "REPORT" and e["HTTP_DEPTH"] == "1",
        )

        pages = read(client, remote, None, window)

        assert made == {e.remote_id for e in events_of(pages)}
        assert len(made) == len(events_of(pages))

    def test_listing_that_never_fits_is_no_empty_calendar(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        blank = b" " * (21 * 1024 * 1024)
        remote.faulty.add(
            lambda good: Response(blank, 207), applies=lambda e: e["REQUEST_METHOD"] == "REPORT"
        )

        with pytest.raises(ProviderUnavailable):
            list(client.changes(remote.calendar_id, None, Window(NOW, NOW + timedelta(days=3))))

    @pytest.mark.parametrize("status", [401, 403, 404, 423, 500, 507])
    def test_listing_that_failed_is_no_empty_calendar(
        self, client: CalDavClient, remote: ICloudRemote, window: Window, status: int
    ) -> None:
        """A 207 may say of the calendar itself that it was not listed."""
        refused = faults.body(_refused(remote.calendar_id, status))
        remote.faulty.add(refused, applies=lambda e: e["REQUEST_METHOD"] == "REPORT")

        with pytest.raises(ProviderUnavailable):
            list(client.changes(remote.calendar_id, None, window))

    @pytest.mark.parametrize("status", [401, 403, 423, 500])
    def test_member_that_is_not_shown_is_not_gone(
        self, client: CalDavClient, remote: ICloudRemote, window: Window, status: int
    ) -> None:
        refused = faults.body(_refused(remote.calendar_id + "secret.ics", status))
        remote.faulty.add(refused, applies=lambda e: e["REQUEST_METHOD"] == "REPORT")

        (page,) = read(client, remote, None, window)

        assert page.complete and page.skipped == {remote.calendar_id + "secret.ics"}

    @pytest.mark.parametrize("status", [403, 500])
    def test_change_that_is_not_shown_is_asked_for_again(
        self, client: CalDavClient, remote: ICloudRemote, window: Window, status: int
    ) -> None:
        cursor = read(client, remote, None, window)[-1].cursor
        member = remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        token = b"<sync-token>later</sync-token></multistatus>"
        refused = faults.body(_refused(member, status).replace(b"</multistatus>", token))
        fault = remote.faulty.add(refused, applies=lambda e: e["REQUEST_METHOD"] == "REPORT")

        cursor = read(client, remote, cursor, window)[-1].cursor

        assert str(cursor).startswith("sync+1:") and "later" not in str(cursor)
        remote.faulty.faults.remove(fault)
        pages = read(client, remote, cursor, window)
        assert ["Talk"] == [e.content.summary for e in events_of(pages)]

    def test_renamed_calendar_keeps_its_place(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        cursor = read(client, remote, None, window)[-1].cursor
        remote.ada.rename_calendar("Laboratory", remote.lab)

        names = {c.remote_id: c.name for c in client.calendars()}

        assert "Laboratory" == names[remote.calendar_id]
        assert [] == events_of(read(client, remote, cursor, window))

    def test_deleted_calendar_leaves_the_list(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        cursor = read(client, remote, None, window)[-1].cursor
        remote.delete_calendar()

        assert remote.calendar_id not in {c.remote_id for c in client.calendars()}
        with pytest.raises(CalendarGone):
            read(client, remote, cursor, window)

    @pytest.mark.parametrize("fault", ["no_privileges", "no_ctag", "etag_flap"])
    def test_missing_properties(
        self, client: CalDavClient, remote: ICloudRemote, window: Window, fault: str
    ) -> None:
        remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        remote.faults.set(PERSON, fault)

        assert remote.calendar_id in {c.remote_id for c in client.calendars()}
        assert ["Talk"] == [
            e.content.summary for e in events_of(read(client, remote, None, window))
        ]

    def test_token_that_answers_with_everything_deletes_nothing(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        made = {remote.add_event(f"T {n}", TUESDAY, TUESDAY + HOUR) for n in range(3)}
        cursor = read(client, remote, None, window)[-1].cursor
        remote.faults.set(PERSON, "token_expired", style="everything")

        pages = read(client, remote, cursor, window)

        assert made == {e.remote_id for e in events_of(pages)}
        assert not any(page.deleted or page.complete for page in pages)

    @pytest.mark.parametrize(
        "cursor", ["sync+1:", "sync:", "ctag+x:1", "sync+12:x", "list", ":x", "sync+1:\n/a"]
    )
    def test_cursors_that_were_never_given(
        self, client: CalDavClient, remote: ICloudRemote, window: Window, cursor: str
    ) -> None:
        with pytest.raises(CursorExpired):
            read(client, remote, cursor, window)


class TestObjects:
    """Rules that are not followed are marked, and everything else is read."""

    def test_this_and_future_is_told(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        series = event("s", *SPAN, "RRULE:FREQ=DAILY;COUNT=9", "SUMMARY:Before")
        later = event(
            "s",
            "RECURRENCE-ID;RANGE=THISANDFUTURE:20261126T130000Z",
            "DTSTART:20261126T150000Z",
            "DTEND:20261126T160000Z",
            "SUMMARY:After",
        )
        path = remote.put("s.ics", wrap("-//T//EN", series, later))

        pages = read(client, remote, None, window)

        assert ["Before", "After"] == [e.content.summary for e in events_of(pages)]
        assert [False, True] == [e.this_and_future for e in events_of(pages)]
        assert {path} == {e.series_id or e.remote_id for e in events_of(pages)}
        assert not any(page.skipped or page.deleted for page in pages)

    def test_events_of_another_uid_are_marked(self) -> None:
        """RFC 4791 section 4.1: an object is about one. What is left out is not left unsaid."""
        text = wrap("x", event("one", *SPAN), event("two", *SPAN))

        reading = read_object(Source("/s.ics", "1", text))

        assert ["/s.ics"] == [found.remote_id for found in reading.events]
        assert {"/s.ics#uid"} == reading.unfollowed
        assert not reading.skipped

    def test_exrule_is_marked(self) -> None:
        text = wrap("x", event("s", *SPAN, "RRULE:FREQ=DAILY", "EXRULE:FREQ=WEEKLY"))

        reading = read_object(Source("/s.ics", "1", text))

        assert ("RRULE:FREQ=DAILY",) == reading.events[0].recurrence
        assert {"/s.ics#exrule"} == reading.unfollowed
        assert not reading.skipped

    @pytest.mark.parametrize(
        ("first", "second", "winner"),
        [
            (("SEQUENCE:2", "20260101"), ("SEQUENCE:1", "20260601"), "first"),
            (("SEQUENCE:1", "20260101"), ("SEQUENCE:2", "20250101"), "second"),
            (("SEQUENCE:1", "20260601"), ("SEQUENCE:1", "20260101"), "first"),
            (("SEQUENCE:x", "20260101"), ("", "20260601"), "second"),
        ],
    )
    def test_of_two_masters_the_later_version_counts(
        self, first: tuple[str, str], second: tuple[str, str], winner: str
    ) -> None:
        parts = [
            event("s", *SPAN, line, f"SUMMARY:{name}").replace("DTSTAMP:20260101", f"DTSTAMP:{day}")
            for name, (line, day) in (("first", first), ("second", second))
        ]

        reading = read_object(Source("/s.ics", "1", wrap("x", *parts)))

        assert [winner] == [e.content.summary for e in reading.events]

    def test_two_objects_of_one_uid_are_two_events(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        remote.calendar_id = remote.ada.path()
        remote.faults.set(PERSON, "dup_uid")

        found = [
            e.remote_id
            for e in events_of(read(client, remote, None, window))
            if "dup_uid" in e.remote_id
        ]

        assert 2 == len(set(found)) == len(found)


def test_pages_hold_some_batches_and_the_cursor_comes_last(
    remote: ICloudRemote, client: CalDavClient, window: Window
) -> None:
    seed.add_generated(remote.state, PERSON, 450, remote.lab)

    pages = read(client, remote, None, window)

    assert [200, 200, 50] == [len(page.events) for page in pages]
    assert [None, None, True] == [page.cursor and True for page in pages]
    assert 9 == reports(remote, "calendar-multiget")


def test_page_of_large_objects_is_short(
    remote: ICloudRemote, client: CalDavClient, window: Window
) -> None:
    essay = f"DESCRIPTION:{'long ' * 20_000}"
    for number in range(120):
        remote.put(f"{number}.ics", wrap("-//T//EN", event(f"u{number}@x.test", *SPAN, essay)))

    pages = read(client, remote, None, window)

    assert [50, 50, 20] == [len(page.events) for page in pages]


def test_pages_are_not_kept(remote: ICloudRemote, window: Window) -> None:
    """Ten times the events need little more memory: lists of paths, not of objects."""

    def peak(count: int) -> int:
        seed.add_generated(remote.state, PERSON, count, remote.lab)
        client = connect(remote)
        read_all(client, remote, window)
        tracemalloc.start()
        read_all(client, remote, window)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    small, large = peak(200), peak(1800)

    assert large < small * 4


def read_all(client: CalDavClient, remote: ICloudRemote, window: Window) -> int:
    """Read a calendar a page at a time and keep none."""
    return max(len(page.events) for page in client.changes(remote.calendar_id, None, window))
