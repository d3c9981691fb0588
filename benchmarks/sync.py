"""Reading a calendar for the first time and again, without the stand-in's own work."""

from __future__ import annotations

import statistics
from threading import Thread

from benchmarks.installation import InProcess
from benchmarks.measure import in_process_ms, median_of
from benchmarks.table import Row
from broker.services import credentials
from tests.processes.people import ADA, Google
from tests.processes.stack import Stack

CALLERS = 8


def first_sync_row(ours: InProcess, database: str) -> Row:
    """Measure the first sync of 10,000 events, parsed, sealed and stored."""

    def once() -> float:
        ours.forget_copy()
        ours.make_syncs_due()
        return in_process_ms(ours.drain) / 1000

    return Row(f"first sync, 10,000 Google events, {database}", median_of(3, once), 1.5, "CPU-s")


def empty_sync_rows(stack: Stack, ours: InProcess, database: str) -> list[Row]:
    """Measure a sync that finds nothing new, and count its requests."""
    google = Google(stack, ADA)
    before = google.all_calls()
    costs: list[float] = []
    syncs = 0
    for _ in range(21):
        due = ours.make_syncs_due()
        costs.append(in_process_ms(lambda due=due: ours.run(due)) / len(due))
        syncs += len(due)
    requests = (google.all_calls() - before) / syncs
    return [
        Row(f"sync that finds nothing new, {database}", statistics.median(costs), 5),
        Row(f"  its requests for each calendar, {database}", requests, 1, "requests"),
    ]


def refresh_row(stack: Stack, ours: InProcess) -> Row:
    """Let eight callers at once need a new token of the same login."""
    google = Google(stack, ADA)
    connection_id = stack.sql("select id from connections order by created_at limit 1")[0][0]
    before = google.calls("POST /token")
    answers: list[int] = []

    def call() -> None:
        with ours.app.app_context():
            client, version = credentials.client(ours.runtime, connection_id, stale=1)
            answers.append(len(client.calendars()) and version)

    threads = [Thread(target=call) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refreshes = google.calls("POST /token") - before
    good = refreshes == 1 and answers == [2] * CALLERS
    operation = f"upstream refreshes for {CALLERS} callers at once ({len(answers)} good answers)"
    return Row(operation, refreshes, 1, "refreshes", good=good)
