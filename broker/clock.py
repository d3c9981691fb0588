"""The only reader of the time, and the only sleeper."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Tell the time as an aware UTC datetime."""
        ...

    def monotonic(self) -> float:
        """Tell seconds on a clock that never goes back; only differences mean anything."""
        ...

    def sleep(self, duration: timedelta) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, duration: timedelta) -> None:
        time.sleep(duration.total_seconds())


class FixedClock:
    """A clock that tests move by hand; sleeping moves it forward and takes no time."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    def sleep(self, duration: timedelta) -> None:
        self._now += duration

    def advance(self, **units: float) -> None:
        """Move on, in the units of timedelta: `clock.advance(minutes=5)`."""
        self._now += timedelta(**units)
