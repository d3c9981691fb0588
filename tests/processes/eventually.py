"""Waiting for something to become true, without guessing how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LOOK_EVERY_S = 0.02


def eventually(look: Callable[[], T], *, within_s: float, what: str = "") -> T:
    """Give the first truthy thing that *look* returns; fail when there is none in time."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or 'it'} is still {found!r} after {within_s:g} s")
        time.sleep(LOOK_EVERY_S)


def seconds_until(look: Callable[[], object], *, within_s: float, what: str = "") -> float:
    """Wait as `eventually` does, and tell how long it took."""
    began = time.monotonic()
    eventually(look, within_s=within_s, what=what)
    return time.monotonic() - began
