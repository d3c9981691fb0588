"""What making a connection tells: how long it takes to find, reach and greet the host, and what
the host shows of itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil

from broker.clock import Clock


class Lap(StrEnum):
    """A part of making a connection; one that is kept open has none of them."""

    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class Laps:
    """What was measured, in milliseconds; what was not done is absent.

    *chain* is what the host showed last, in DER, its own certificate first.
    """

    clock: Clock
    spent_ms: dict[Lap, int] = field(default_factory=dict)
    chain: list[bytes] = field(default_factory=list)


_laps: ContextVar[Laps | None] = ContextVar("laps", default=None)


@contextmanager
def measuring(laps: Laps) -> Iterator[None]:
    """Measure every connection that is made inside."""
    token = _laps.set(laps)
    try:
        yield
    finally:
        _laps.reset(token)


@contextmanager
def lap(name: Lap) -> Iterator[None]:
    """Count the time inside for *name*, also when it fails; nothing when nobody measures."""
    laps = _laps.get()
    if laps is None:
        yield
        return
    started = laps.clock.monotonic()
    try:
        yield
    finally:
        spent_ms = ceil((laps.clock.monotonic() - started) * 1000)
        laps.spent_ms[name] = laps.spent_ms.get(name, 0) + spent_ms


def shown(chain: Sequence[bytes]) -> None:
    """Remember what a host showed, for whoever measures."""
    laps = _laps.get()
    if laps is not None:
        laps.chain[:] = chain
