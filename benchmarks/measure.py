"""Counting CPU time, the way that disturbs least: what the kernel has charged to a process.

Servers are gunicorn with threads, as in production, each under a caller that sends one request
after the other over one connection. The kernel's clock of their processes is read before and
after, in nanoseconds; the caller's own CPU is not in it.

CPU time is no constant: on a busy machine the same work costs half as much again, and so it
does on another processor. So what is compared is measured in turn, in many short rounds (ours,
the peer, ours, the peer), and the ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import http.client
import json
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROUNDS = 21
_WARM_UP_ROUNDS = 2

Exchange = tuple[str, str, dict[str, str], str | None]
"""Method, path, headers and body of a request."""


def cpu_s(pid: int) -> float:
    """Give the CPU seconds of a process and its living children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    # As clock_getcpuclockid(3) makes it of a process id: all threads, also those that ended.
    own = time.clock_gettime(~pid << 3 | 2)
    return own + sum(cpu_s(int(child)) for child in children)


def rss_mb(pid: int) -> float:
    """Give the resident memory of a process in MB."""
    return _memory_mb(str(pid), "VmRSS")


def peak_mb() -> float:
    """Give the most resident memory that this program has had, in MB.

    `getrusage` would count what the process was before it became this program: a copy of
    the benchmark, which is larger.
    """
    return _memory_mb("self", "VmHWM")


def _memory_mb(process: str, name: str) -> float:
    """Read a line of proc(5)'s status."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def own_cpu_s() -> float:
    """Give the CPU seconds of this process and of its children that have ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def median_of(rounds: int, once: Callable[[], float]) -> float:
    """Measure several times and give the median."""
    return statistics.median(once() for _ in range(rounds))


def pace_ms() -> float:
    """Give the CPU-ms that plain Python takes which never changes: the pace of the machine."""
    return in_process_ms(lambda: {str(number): (number,) for number in range(200_000)})


def in_process_ms(action: Callable[[], object]) -> float:
    """Give the CPU-ms that this process spends on an action, in all its threads."""
    began = time.process_time()
    action()
    return (time.process_time() - began) * 1000


class Caller:
    """Sends requests to a server over one connection and weighs what they cost it."""

    def __init__(self, port: int, pid: int) -> None:
        self._pid = pid
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def send(self, exchange: Exchange) -> Any:
        """Make one request; anything but 200 ends the benchmark."""
        method, path, headers, body = exchange
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {text[:300]!r}")
        return json.loads(text)

    def cpu_s(self) -> float:
        """Give the CPU seconds that the server has used."""
        return cpu_s(self._pid)


class Load:
    """Requests of one kind to one server, so many in a round.

    *following* makes a request from the answer to the one before (None at first).
    """

    def __init__(self, caller: Caller, following: Callable[[Any], Exchange], requests: int) -> None:
        self._caller = caller
        self._following = following
        self._requests = requests
        self._last: Any = None

    def round_ms(self) -> float:
        """Send a round; gives the server's CPU-ms for one request."""
        before = self._caller.cpu_s()
        for _ in range(self._requests):
            self._last = self._caller.send(self._following(self._last))
        return (self._caller.cpu_s() - before) / self._requests * 1000


@dataclass(frozen=True)
class Cost:
    """What one request costs: CPU-ms, by round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle round, with whatever else the machine did."""
        return statistics.median(self.rounds)

    @property
    def least(self) -> float:
        """The best round: what else the machine does only ever adds."""
        return min(self.rounds)

    def ratio(self, other: Cost) -> float:
        """Divide by what another cost in the same rounds."""
        return statistics.median(a / b for a, b in zip(self.rounds, other.rounds, strict=True))


def side_by_side(*loads: Load) -> list[Cost]:
    """Measure in turn, so that what disturbs one disturbs all."""
    for _ in range(_WARM_UP_ROUNDS):
        for load in loads:
            load.round_ms()
    rounds = [[load.round_ms() for load in loads] for _ in range(ROUNDS)]
    return [Cost(costs) for costs in zip(*rounds, strict=True)]


def always(exchange: Exchange) -> Callable[[Any], Exchange]:
    """Make the same request every time."""
    return lambda _last: exchange
