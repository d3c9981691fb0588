"""Waiting for something to become true, without guessing how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LOOK_EVERY_S = 0.02
# Whoever is waited for needs the processor, and so do those who answer the questions.
REST = 3
ASK_EVERY_S = 0.25


def eventually(look: Callable[[], T], *, within_s: float = 30, what: str = "") -> T:
    """Give the first truthy thing that *look* returns; fail when there is none in time."""
    deadline = time.monotonic() + within_s
    while True:
        began = time.monotonic()
        found = look()
        took_s = time.monotonic() - began
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or 'it'} is still {found!r} after {within_s:g} s")
        time.sleep(max(LOOK_EVERY_S, REST * took_s))


def seconds_until(look: Callable[[], object], *, within_s: float, what: str = "") -> float:
    """Wait as `eventually` does, and tell how long it took."""
    began = time.monotonic()
    eventually(look, within_s=within_s, what=what)
    return time.monotonic() - began


def all_the_while(ask: Callable[[], list[T]], *, for_s: float) -> list[T]:
    """Ask again and again for some time; gives all that was answered."""
    deadline = time.monotonic() + for_s
    answers = ask()
    while time.monotonic() < deadline:
        time.sleep(ASK_EVERY_S)
        answers += ask()
    return answers
