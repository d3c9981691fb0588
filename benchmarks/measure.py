"""Counting CPU time, the way that disturbs least: what the kernel has charged to a process.

Servers are gunicorn with threads, as in production, under one caller that sends one request
after the other over one connection. Their CPU is read from /proc before and after; the
caller's own is not in it.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROUNDS = 5
_TICKS = os.sysconf("SC_CLK_TCK")

Exchange = tuple[str, str, dict[str, str], str | None]
"""Method, path, headers and body of a request."""


def cpu_s(pid: int) -> float:
    """Give the CPU seconds of a process and its living children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / _TICKS
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(cpu_s(int(child)) for child in children)


def rss_mb(pid: int) -> float:
    """Give the resident memory of a process in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def own_cpu_s() -> float:
    """Give the CPU seconds of this process and of its children that have ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def median_of(rounds: int, once: Callable[[], float]) -> float:
    """Measure several times and give the median."""
    return statistics.median(once() for _ in range(rounds))


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

    def cost_ms(self, following: Callable[[Any], Exchange], requests: int) -> float:
        """Give the server's CPU-ms for one request: the median of several rounds.

        *following* makes a request from the answer to the one before (None at first).
        """
        last: Any = None
        for _ in range(requests // 4):
            last = self.send(following(last))

        def once() -> float:
            nonlocal last
            before = cpu_s(self._pid)
            for _ in range(requests):
                last = self.send(following(last))
            return (cpu_s(self._pid) - before) / requests * 1000

        return median_of(ROUNDS, once)


def always(exchange: Exchange) -> Callable[[Any], Exchange]:
    """Make the same request every time."""
    return lambda _last: exchange
