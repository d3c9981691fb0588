"""The instants at which clocks change, and series that run across them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from broker.domain import Window
from tests.sync.series import DAY

HALF_HOUR = timedelta(minutes=30)
CHANGING = [
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Asia/Gaza",
    "Pacific/Chatham",
]


class Edge(NamedTuple):
    """One change of a zone's clock: *wall* is what it showed just before."""

    tzid: str
    at: datetime
    wall: datetime
    by: timedelta

    def window(self, days: int = 12) -> Window:
        """Give some days on both sides."""
        return Window(self.at - days * DAY, self.at + days * DAY)


@cache
def edges(tzid: str, first: int = 2024, last: int = 2026) -> list[Edge]:
    """Find every change of a zone's clock in some years; those of history if there is none."""
    zone, found = ZoneInfo(tzid), []
    at, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last + 1, 1, 1, tzinfo=UTC)
    before = _offset(at, zone)
    while at < end:
        at += HALF_HOUR
        after = _offset(at, zone)
        if after != before:
            found.append(Edge(tzid, at, (at + before).replace(tzinfo=None), after - before))
            before = after
    return found or edges(tzid, first - 9, last - 9)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


EDGES = [edge for tzid in CHANGING for edge in edges(tzid)]
