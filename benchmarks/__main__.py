"""Measure everything and print one table. A missed target is marked and is not an error."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator

from benchmarks import (
    caldav,
    django_peer,
    exchange,
    http_server,
    jobs,
    startup,
    sync,
    table,
    workers,
)
from benchmarks.installation import InProcess, installed
from benchmarks.measure import pace_ms
from benchmarks.table import Row
from tests.postgres.cluster import Cluster

EVENTS = 10_000

_READ_AS = (
    "Medians, and the least of the rounds; ratios are of rounds next to each other. "
    "Our CPU only: database servers are not in it."
)


def on_sqlite() -> Iterator[Row]:
    """Measure what has peers beside them, and the work in this process."""
    with installed() as stack:
        ours = InProcess(stack)
        ada = http_server.connect_with_events(stack, EVENTS)
        ours.drain()
        with http_server.authlib() as authlib, django_peer.django() as django:
            yield http_server.refresh_row(stack, ada, "SQLite", authlib=authlib, django=django)
        yield sync.first_sync_row(ours, "SQLite")
        yield from sync.empty_sync_rows(stack, ours, "SQLite")
        yield sync.refresh_row(stack, ours)
        with http_server.empty_route() as empty:
            yield from http_server.reading_rows(stack, ours, ada, empty)
        yield jobs.job_row(stack)


def on_postgresql() -> Iterator[Row]:
    """Measure what the database has a part in once more."""
    with Cluster() as cluster, installed(DATABASE_URL=cluster.create("bench")) as stack:
        ours = InProcess(stack)
        ada = http_server.connect_with_events(stack, EVENTS)
        ours.drain()
        with http_server.authlib() as authlib:
            yield http_server.refresh_row(stack, ada, "PostgreSQL", authlib=authlib)
        yield sync.first_sync_row(ours, "PostgreSQL")
        yield from sync.empty_sync_rows(stack, ours, "PostgreSQL")


def with_workers() -> Iterator[Row]:
    """Measure the whole, as it runs in production."""
    with installed() as stack:
        yield from workers.worker_rows(stack)
    yield startup.startup_row()


def main() -> int:
    """Run every part."""
    print(table.machine(), flush=True)
    began, rows, paces = time.monotonic(), list[Row](), [pace_ms()]
    parts: list[Callable[[], Iterator[Row]]] = [
        on_sqlite,
        on_postgresql,
        with_workers,
        caldav.rows,
        exchange.rows,
    ]
    for part in parts:
        for row in part():
            rows.append(row)
            paces.append(pace_ms())
            print(".", end="", file=sys.stderr, flush=True)
    print(f"\n{table.show(rows)}\n")
    print(f"{time.monotonic() - began:.0f} s. {_READ_AS}")
    print(
        f"Between the rows the same plain Python took {min(paces):.0f} to {max(paces):.0f} CPU-ms, "
        f"{statistics.median(paces):.0f} in the middle: so uneven was the machine itself."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
