"""Real workers: how fast a change arrives, how soon a dead one is replaced, how much they hold."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime, timedelta
from signal import SIGKILL

from benchmarks.http_server import connect_with_events
from benchmarks.measure import rss_mb
from benchmarks.table import Row
from tests.processes.eventually import eventually, seconds_until
from tests.processes.people import ADA, Google, Partner
from tests.processes.stack import Stack

CHANGES = 50
KILLS = 3


def worker_rows(stack: Stack) -> list[Row]:
    """Measure in one go, on a worker that has read 10,000 events."""
    worker = stack.start_ready_worker()
    ada = connect_with_events(stack, 10_000)
    eventually(ada.is_synced, within_s=60, what="first sync")
    google = Google(stack, ADA)
    eventually(lambda: google.channels() == 3, within_s=30, what="push")
    eventually(stack.is_idle, within_s=30, what="the rest")
    memory = Row("worker memory after 10,000 events", rss_mb(worker.pid), 80, "MB")
    return [memory, *_push_rows(ada, google), _recovery_row(stack, google)]


def _push_rows(partner: Partner, google: Google) -> list[Row]:
    day = datetime.now(UTC).date() + timedelta(days=195)
    span = {"from": str(day), "to": str(day + timedelta(days=1)), "tzid": "Etc/UTC"}
    delays = []
    for number in range(CHANGES):
        title = f"Change {number}"
        google.create(title, str(day))
        began = time.monotonic()
        while title not in partner.get("/v1/events", **span).text:
            if time.monotonic() - began > 30:
                raise RuntimeError("a change did not arrive")
        delays.append((time.monotonic() - began) * 1000)
    slowest = sorted(delays)[int(len(delays) * 0.99)]
    return [
        Row(
            "change at provider to seen in /v1/events, median",
            statistics.median(delays),
            None,
            "ms",
        ),
        Row("  the same, p99", slowest, 1000, "ms"),
    ]


def _recovery_row(stack: Stack, google: Google) -> Row:
    """Kill the worker that is reading a page, with another one idle."""
    times = []
    for _ in range(KILLS):
        victim = stack.workers[0]
        before = stack.count("events")
        google.fault("slow", seconds=60, times=1)
        google.seed(100)
        eventually(lambda: "slow" not in google.active_faults(), within_s=30, what="the page")
        stack.start_ready_worker()
        stack.end(victim, SIGKILL)
        times.append(
            seconds_until(lambda before=before: stack.count("events") == before + 100, within_s=60)
        )
    return Row("recovery after kill -9 of a worker in a page", statistics.median(times), 15, "s")
