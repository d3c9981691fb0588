"""The parts of making a connection are measured, whether it comes about or not."""

from __future__ import annotations

import pytest

from broker.clock import FixedClock
from broker.laps import Lap, Laps, lap, measuring
from tests.world import NOW


def test_each_part_adds_up() -> None:
    clock = FixedClock(NOW)
    laps = Laps(clock)

    with measuring(laps):
        for seconds in (0.5, 0.25):
            with lap(Lap.TCP):
                clock.advance(seconds=seconds)
        with lap(Lap.TLS):
            clock.advance(seconds=0.0001)

    assert laps.spent_ms == {Lap.TCP: 750, Lap.TLS: 1}


def test_what_fails_took_time_too() -> None:
    clock = FixedClock(NOW)
    laps = Laps(clock)

    with pytest.raises(OSError, match="gone"), measuring(laps), lap(Lap.DNS):
        clock.advance(seconds=3)
        raise OSError("gone")

    assert laps.spent_ms == {Lap.DNS: 3000}


def test_nothing_is_measured_when_nobody_asked() -> None:
    laps = Laps(FixedClock(NOW))
    with measuring(laps):
        pass

    with lap(Lap.DNS):
        pass

    assert laps.spent_ms == {}
