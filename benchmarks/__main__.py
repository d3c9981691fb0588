"""Measure everything and print one table. A missed target is marked and is not an error."""

from __future__ import annotations

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
from benchmarks.table import Row
from tests.postgres.cluster import Cluster

EVENTS = 10_000


def on_sqlite() -> Iterator[Row]:
    """Measure what has peers, and the work in this process."""
    empty_ms = http_server.measure_empty_route()
    authlib_ms = http_server.measure_authlib()
    django_ms = django_peer.measure_django()
    beside = f"; django-oauth-toolkit, {django_ms:.2f}" if django_ms else ""
    with installed() as stack:
        ours = InProcess(stack)
        ada = http_server.connect_with_events(stack, EVENTS)
        ours.drain()
        yield http_server.refresh_row(stack, ada, "SQLite", authlib_ms, beside)
        yield sync.first_sync_row(ours, "SQLite")
        yield from sync.empty_sync_rows(stack, ours, "SQLite")
        yield sync.refresh_row(stack, ours)
        yield from http_server.reading_rows(stack, ours, ada, empty_ms)
        yield jobs.job_row(stack)


def on_postgresql() -> Iterator[Row]:
    """Measure what the database has a part in once more."""
    authlib_ms = http_server.measure_authlib()
    with Cluster() as cluster, installed(DATABASE_URL=cluster.create("bench")) as stack:
        ours = InProcess(stack)
        ada = http_server.connect_with_events(stack, EVENTS)
        ours.drain()
        yield http_server.refresh_row(stack, ada, "PostgreSQL", authlib_ms)
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
    began, rows = time.monotonic(), list[Row]()
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
            print(".", end="", file=sys.stderr, flush=True)
    print(f"\n{table.show(rows)}\n")
    print(f"{time.monotonic() - began:.0f} s; medians; our CPU only, database servers excluded")
    return 0


if __name__ == "__main__":
    sys.exit(main())
