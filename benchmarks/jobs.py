"""What it costs to run a task that does nothing, through RQ."""

from __future__ import annotations

import logging

from rq import Queue, Worker
from rq.serializers import JSONSerializer

from benchmarks.measure import own_cpu_s
from benchmarks.table import Row
from broker import worker
from broker.services.runtime import Runtime
from tests.processes.stack import Stack

ROUNDS = 3


def job_row(stack: Stack) -> Row:
    """Measure our worker and RQ's own in processes of their own."""
    ours = _measured(stack, "ours")
    default = _measured(stack, "default")
    peer = f"RQ's default worker, {default:.1f}"
    return Row("job overhead", ours, 3, ratio=ours / default, peer=peer)


def nothing() -> None:
    """Do nothing: what RQ's own worker runs."""


def main(which: str) -> None:
    """Print the CPU-ms of one job; runs in a process of its own."""
    from wsgi import app

    logging.disable(logging.WARNING)
    runtime: Runtime = app.extensions["calbroker"]

    def ours(count: int) -> None:
        runtime.queue.announce([f"tsk_{number}" for number in range(count)])
        worker.work(app, runtime, burst=True)

    def default(count: int) -> None:
        queue = Queue("plain", connection=runtime.redis, serializer=JSONSerializer)
        for _ in range(count):
            queue.enqueue(nothing, result_ttl=0)
        rq_worker = Worker([queue], connection=runtime.redis, serializer=JSONSerializer)
        rq_worker.work(burst=True, logging_level="ERROR")

    work, count = (ours, 300) if which == "ours" else (default, 60)
    work(10)
    costs = []
    for _ in range(ROUNDS):
        before = own_cpu_s()
        work(count)
        costs.append((own_cpu_s() - before) / count * 1000)
    print(sorted(costs)[ROUNDS // 2])


def _measured(stack: Stack, which: str) -> float:
    source = "import sys; from benchmarks.jobs import main; main(sys.argv[1])"
    return float(stack.script(source, which)[-1])
