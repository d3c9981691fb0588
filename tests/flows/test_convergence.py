"""Random lives of a calendar and of its service: in the end the copy says what Google says.

What is expected comes from the stand-in's own expansion, which shares no code with the broker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import Phase
from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from sandbox.google.driver import connect
from sandbox.google.errors import ApiError
from tests.world import ADA, NOW, World

FAULTS = (
    "expired_sync_token", "throttled_429", "throttled_403", "quota_403", "server_error_500",
    "bad_gateway_502", "unavailable_503", "truncated_body", "invalid_json", "empty_page",
    "out_of_order", "dup_events", "gone_calendar", "lost_push", "dup_push", "rotate_refresh",
    "refresh_500", "invalid_client",
)  # fmt: skip
RULES = {
    "RRULE:FREQ=DAILY;COUNT=20": 1,
    "RRULE:FREQ=WEEKLY;COUNT=8": 7,
    "RRULE:FREQ=WEEKLY;INTERVAL=2": 14,
}
DAY = timedelta(days=1)
# Around what both sides look at, and further from its ends than any event or wait is long.
FIRST, LAST = NOW - 35 * DAY, NOW + 180 * DAY

days, hours, picks = st.integers(-80, 150), st.integers(0, 22), st.integers(0, 99)
zones = st.sampled_from(["UTC", "Europe/London", "America/New_York"])
rules = st.sampled_from(sorted(RULES))


@dataclass(frozen=True)
class Series:
    """A series as it was made."""

    event_id: str
    begin: datetime
    step: int

    def occurrence(self, number: int) -> str:
        """Name one occurrence as Google does: by its first start, at the same time of day."""
        start = self.begin + timedelta(days=self.step * number)
        return f"{self.event_id}_{start.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def timed(day: int, hour: int, zone: str) -> tuple[datetime, dict[str, Any]]:
    """Give a start, and the fields of an hour from then on."""
    wall = datetime(NOW.year, NOW.month, NOW.day, hour) + timedelta(days=day)
    begin = wall.replace(tzinfo=ZoneInfo(zone))
    end = begin.astimezone(UTC) + timedelta(hours=1)
    return begin, {
        "start": {"dateTime": begin.isoformat(), "timeZone": zone},
        "end": {"dateTime": end.isoformat(), "timeZone": zone},
    }


class CalendarLife(RuleBasedStateMachine):
    """Ada edits her calendar while Google has bad days and the broker works now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.world = World(Path(self.folder.name))
        self.ada = self.world.state.person(ADA)
        self.tokens = self.world.connected(ADA)
        self.series: list[Series] = []
        self.made = 0

    def title(self) -> str:
        self.made += 1
        return f"Event {self.made}"

    @contextmanager
    def chosen(self, number: int) -> Iterator[str]:
        """Choose an event; one that Google does not let us edit like this stays as it is."""
        with suppress(ApiError):
            live = self.ada.events()
            yield live[number % len(live)]["id"]

    @contextmanager
    def occurrence(self, number: int, which: int) -> Iterator[str]:
        """Choose an occurrence of a series that was made here; there may be none any more."""
        with suppress(ApiError, LookupError):
            yield self.series[number % len(self.series)].occurrence(which) if self.series else ""

    @rule(day=days, hour=hours, zone=zones)
    def add(self, day: int, hour: int, zone: str) -> None:
        self.ada.create_event(summary=self.title(), **timed(day, hour, zone)[1])

    @rule(day=days, length=st.integers(1, 3))
    def add_all_day(self, day: int, length: int) -> None:
        first = NOW.date() + timedelta(days=day)
        last = first + timedelta(days=length)
        self.ada.create_event(
            summary=self.title(), start={"date": str(first)}, end={"date": str(last)}
        )

    @rule(day=st.integers(-30, 30), hour=hours, zone=zones, line=rules)
    def repeat(self, day: int, hour: int, zone: str, line: str) -> None:
        begin, fields = timed(day, hour, zone)
        made = self.ada.create_event(summary=self.title(), recurrence=[line], **fields)
        self.series.append(Series(made["id"], begin, RULES[line]))

    @rule(number=picks)
    def rename(self, number: int) -> None:
        with self.chosen(number) as event_id:
            self.ada.update_event(event_id, summary=self.title())

    @rule(number=picks, day=days, hour=hours, zone=zones)
    def move(self, number: int, day: int, hour: int, zone: str) -> None:
        with self.chosen(number) as event_id:
            self.ada.update_event(event_id, **timed(day, hour, zone)[1])

    @rule(number=picks)
    def delete(self, number: int) -> None:
        with self.chosen(number) as event_id:
            self.ada.delete_event(event_id)

    @rule(number=picks, line=rules)
    def repeat_otherwise(self, number: int, line: str) -> None:
        if self.series:
            with suppress(ApiError):
                chosen = self.series[number % len(self.series)]
                self.ada.update_event(chosen.event_id, recurrence=[line])

    @rule(number=picks, which=st.integers(0, 7), day=days, hour=hours, zone=zones)
    def move_one(self, number: int, which: int, day: int, hour: int, zone: str) -> None:
        with self.occurrence(number, which) as event_id:
            self.ada.update_event(event_id, summary=self.title(), **timed(day, hour, zone)[1])

    @rule(number=picks, which=st.integers(0, 7))
    def cancel_one(self, number: int, which: int) -> None:
        with self.occurrence(number, which) as event_id:
            self.ada.delete_event(event_id)

    @rule(number=picks, which=st.integers(0, 7))
    def restore_one(self, number: int, which: int) -> None:
        with self.occurrence(number, which) as event_id:
            self.ada.update_event(event_id, status="confirmed")

    @rule(fault=st.sampled_from(FAULTS), times=st.sampled_from([1, 2, 5]))
    def fail(self, fault: str, times: int) -> None:
        self.world.faults.set(ADA if times > 1 else None, fault, times)

    @rule()
    def forget_cursors(self) -> None:
        self.world.state.expire_sync_tokens(ADA)

    @rule(minutes=st.sampled_from([0, 1, 10, 70]))
    def work(self, minutes: int) -> None:
        self.world.clock.advance(minutes=minutes)
        self.world.work()

    def teardown(self) -> None:
        """Let the bad days end: then nothing is missing, and nothing is there that should not."""
        try:
            self.world.faults.clear()
            for _ in range(3):
                self.world.clock.advance(hours=2)
                self.world.work()
            profile = self.world.profile(self.tokens)
            assert profile["profile_connected"] is True
            assert profile["profile_initial_sync_required"] is False
            assert "reason" not in profile["profile_sync"]
            assert self.ours() == self.googles()
        finally:
            self.world.close()
            self.folder.cleanup()

    def googles(self) -> Counter[tuple[str, str, str]]:
        """Count what happens according to Google."""
        reader = connect(self.world.google_app, ADA)
        bounds = {"timeMin": FIRST.isoformat(), "timeMax": LAST.isoformat()}
        found, _token = reader.events(singleEvents="true", **bounds)
        return counted(
            (event.get("summary", ""), spoken(event["start"]), spoken(event["end"]))
            for event in found
            if event["status"] != "cancelled"
        )

    def ours(self) -> Counter[tuple[str, str, str]]:
        """Count what happens according to the broker."""
        tokens = self.world.renew(self.tokens)
        calendars = self.world.get(tokens, "/v1/calendars").get_json()["calendars"]
        (primary,) = [c["calendar_id"] for c in calendars if c["calendar_primary"]]
        bounds = {"from": str(FIRST.date()), "to": str(LAST.date())}
        return counted(
            (event["summary"], event["start"], event["end"])
            for event in self.world.events(tokens, **bounds)
            if event["calendar_id"] == primary
        )


def counted(happenings: Iterable[tuple[str, str, str]]) -> Counter[tuple[str, str, str]]:
    """Count what is not at the ends, where the two sides' bounds mean different moments."""
    first, last = (str((at + days).date()) for at, days in ((FIRST, 3 * DAY), (LAST, -3 * DAY)))
    return Counter(found for found in happenings if first < found[1] < last)


def spoken(moment: dict[str, str]) -> str:
    """Write a moment as the partner API does."""
    if "date" in moment:
        return moment["date"]
    at = datetime.fromisoformat(moment["dateTime"]).astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


TestCalendarLife = CalendarLife.TestCase
TestCalendarLife.settings = limits(
    max_examples=6,
    stateful_step_count=25,
    database=None,
    phases=[Phase.generate],
)
