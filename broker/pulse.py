"""Telling work that takes long from work that is stuck."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

from broker.clock import Clock

STUCK_AFTER = timedelta(minutes=5)


class Stuck(Exception):
    """A piece of work did not get on for so long that it is given up."""


class Pulse:
    """Shows whether a loop goes round: the loop beats, another thread looks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beaten_at = clock.monotonic()

    def beat(self) -> None:
        """Note that the loop got on."""
        self._beaten_at = self._clock.monotonic()

    @property
    def is_felt(self) -> bool:
        """Tell whether the last beat is not long ago."""
        return self._clock.monotonic() - self._beaten_at < STUCK_AFTER.total_seconds()


@contextmanager
def given_up_after(silence: timedelta) -> Iterator[Callable[[], None]]:
    """Give a function that work must call at least every *silence*; in the main thread only.

    Otherwise Stuck is raised inside the work. However long it takes in all, work that gets on
    is left alone: a large calendar would have to be read from its beginning again for ever.
    """

    def give_up(_number: int, _frame: FrameType | None) -> None:
        raise Stuck(f"nothing for {silence}")

    def get_on() -> None:
        signal.setitimer(signal.ITIMER_REAL, silence.total_seconds())

    before = signal.signal(signal.SIGALRM, give_up)
    get_on()
    try:
        yield get_on
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
