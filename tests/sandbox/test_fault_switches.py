"""The switchboard of faults, asked by many requests at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from sandbox.stand_in.faults import Faults

AT_ONCE = 8


@pytest.fixture
def hasty() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
def test_a_fault_that_applies_once_applies_to_one_of_those_who_come_at_once() -> None:
    faults = Faults({"busy": "The server is busy."})
    gate = Barrier(AT_ONCE)

    def come(_: int) -> bool:
        gate.wait(10)
        return faults.take("ada", "busy") is not None

    with ThreadPoolExecutor(AT_ONCE) as requests:
        for _ in range(100):
            faults.set(None, "busy", 1)
            assert sum(requests.map(come, range(AT_ONCE))) == 1
    assert faults.active() == []
