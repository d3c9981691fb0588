"""Processes die, Redis forgets, jobs hang: nothing is lost and nothing comes twice."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from signal import SIGKILL

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from broker.queues import QUEUE_NAME, RUN_TASK
from tests.processes.eventually import eventually, seconds_until
from tests.processes.people import ADA, ALAN, GRACE, Google, Partner, connect
from tests.processes.stack import Process, Stack

pytestmark = pytest.mark.processes

SYNC_S = 40
RECOVERY_S = 15
TOMORROW = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"


@pytest.fixture
def worker(stack: Stack) -> Process:
    """The only worker, waiting for work: a new one, unless the test before left just that."""
    left = stack.workers
    if len(left) == 1 and left[0].poll() is None and stack.is_idle():
        return left[0]
    for one in left:
        stack.end(one)
    return stack.start_ready_worker()


def difference(partner: Partner, google: Google) -> Counter[str]:
    """Give the titles that are missing here (negative: too many), against the provider's list."""
    wanted = Counter(
        item.get("summary", "")
        for item in google.listing(singleEvents="true", **window())
        if item["status"] != "cancelled"
    )
    own = partner.calendar_id(google.person)
    found = Counter(
        event["summary"]
        for event in partner.events(**{"from": window_days()[0], "to": window_days()[1]})
        if event["calendar_id"] == own
    )
    wanted.subtract(found)
    return Counter({title: count for title, count in wanted.items() if count})


def window_days() -> tuple[str, str]:
    """Give the days to compare: well inside the copy's window."""
    today = datetime.now(UTC).date()
    return str(today - timedelta(days=35)), str(today + timedelta(days=190))


def window() -> dict[str, str]:
    begin, end = window_days()
    return {"timeMin": f"{begin}T00:00:00Z", "timeMax": f"{end}T00:00:00Z"}


def connected(stack: Stack, person: str) -> Partner:
    partner = connect(stack, person)
    eventually(partner.is_synced, within_s=SYNC_S, what="first sync")
    eventually(lambda: Google(stack, person).channels() == 3, within_s=SYNC_S, what="push")
    stack.settle()
    return partner


def test_a_worker_killed_in_the_middle_of_a_page_is_replaced(stack: Stack, worker: Process) -> None:
    google = Google(stack, ADA)
    ada = connected(stack, ADA)
    before = stack.count("events")
    google.fault("slow", seconds=1, times=1)
    google.fault("slow", person=None, seconds=60, times=1)
    google.seed(1100)
    eventually(lambda: stack.count("events") > before, within_s=30, what="the first page")
    half = stack.count("events")
    stack.start_ready_worker()

    stack.end(worker, SIGKILL)

    took_s = seconds_until(
        lambda: stack.count("events") == before + 1100, within_s=SYNC_S, what="recovery"
    )
    assert half < before + 1100
    assert took_s <= RECOVERY_S
    eventually(lambda: not difference(ada, google), within_s=SYNC_S, what="the calendar")


def test_flushall_during_a_sync_loses_nothing(stack: Stack, worker: Process) -> None:
    google = Google(stack, GRACE)
    redis = Redis.from_url(stack.redis.url)
    grace = connected(stack, GRACE)
    google.slow_call(3, lambda: google.seed(200))
    alan = connect(stack, ALAN)

    redis.flushall()

    eventually(alan.is_synced, within_s=60, what="what had been queued")
    google.create("After the flood", TOMORROW)
    eventually(lambda: not difference(grace, google), within_s=60, what="the calendar")
    assert worker.poll() is None


def test_redis_may_be_killed_while_a_job_runs(stack: Stack, worker: Process) -> None:
    """A worker that loses Redis ends or reconnects; if it ends, the platform starts another."""
    google = Google(stack, GRACE)
    grace = connected(stack, GRACE)
    google.slow_call(3, lambda: google.seed(100))
    assert stack.redis.pid

    os.kill(stack.redis.pid, SIGKILL)
    google.seed(50)
    eventually(stack.redis.ensure, within_s=10, what="a new server")

    eventually(
        lambda: stack.restart_dead_workers() or not difference(grace, google),
        within_s=60,
        what="the calendar",
    )
    for one in stack.workers:
        stack.end(one)


def test_a_hung_job_is_stopped_by_its_timeout(stack: Stack, worker: Process) -> None:
    google = Google(stack, ALAN)
    alan = connected(stack, ALAN)
    stack.end(stack.clock)
    google.fault("lost_push")
    google.seed(1)
    google.fault("slow", seconds=50, times=1)
    task_id = stack.sql(ALANS_SYNC)[0][0]
    stack.change("update tasks set due_at = '2026-01-01 00:00:00' where id = :id", id=task_id)
    queue = Queue(QUEUE_NAME, connection=Redis.from_url(stack.redis.url), serializer=JSONSerializer)

    queue.enqueue_call(RUN_TASK, (task_id,), timeout=2)

    stopped = "select 1 from tasks where id = :id and reason = 'unexpected'"
    took_s = seconds_until(lambda: stack.sql(stopped, id=task_id), within_s=20, what="the timeout")
    assert took_s < 10
    assert worker.poll() is None
    stack.clock = stack.start_clock()
    eventually(lambda: not difference(alan, google), within_s=SYNC_S, what="the second try")
    google.clear_faults()


ALANS_SYNC = """
select tasks.id from tasks join calendars on calendars.id = tasks.subject_id
join connections on connections.id = calendars.connection_id
where tasks.kind = 'sync_calendar' and calendars."primary"
order by connections.created_at desc limit 1
"""
