"""Asking a pooled connection whether it works: only when that is in doubt."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any, cast

import pytest

from broker.clock import FixedClock
from broker.models.engines import RESTED, Pings
from tests.world import NOW


class Line:
    """A connection in the place of a driver's, and the end that its server holds."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()

    def fileno(self) -> int:
        """Give what can be waited for."""
        return self.ours.fileno()

    def close(self) -> None:
        """End both ends."""
        self.ours.close()
        self.theirs.close()


class Server:
    """Counts what it is asked: a dialect's `do_ping`."""

    def __init__(self) -> None:
        self.asked = 0

    def do_ping(self, _connection: Any) -> bool:
        """Be there."""
        self.asked += 1
        return True


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.close()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def pings(server: Server, clock: FixedClock, line: Line) -> Pings:
    """A pool that has used the line once."""
    made = Pings(cast(Any, server), clock)
    made.do_ping(cast(Any, line))
    server.asked = 0
    return made


def test_one_that_was_just_used_is_not_asked(pings: Pings, server: Server, line: Line) -> None:
    assert pings.do_ping(cast(Any, line))

    assert server.asked == 0


def test_one_that_has_rested_is_asked_once(
    pings: Pings, server: Server, line: Line, clock: FixedClock
) -> None:
    clock.advance(seconds=RESTED.total_seconds())

    assert pings.do_ping(cast(Any, line))
    assert pings.do_ping(cast(Any, line))

    assert server.asked == 1


def test_one_of_unknown_age_is_asked(pings: Pings, server: Server) -> None:
    unknown = Line()

    assert pings.do_ping(cast(Any, unknown))

    unknown.close()
    assert server.asked == 1


@pytest.mark.parametrize("farewell", [b"", b"FATAL"])
def test_one_whose_server_has_hung_up_is_asked(
    pings: Pings, server: Server, line: Line, farewell: bytes
) -> None:
    line.theirs.sendall(farewell)
    line.theirs.close()

    assert pings.do_ping(cast(Any, line))

    assert server.asked == 1
