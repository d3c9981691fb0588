"""A person connects and everything arrives, through real processes only."""

from __future__ import annotations

import re
import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from signal import SIGCONT, SIGSTOP, SIGTERM

import pytest
import requests
from redis import Redis

from sandbox.exchange.seed import ADA as EXCHANGE_ADA
from sandbox.exchange.seed import PASSWORD as EXCHANGE_PASSWORD
from tests.processes.eventually import eventually
from tests.processes.people import ADA, ALAN, GRACE, Google, Partner, connect, connect_by_password
from tests.processes.stack import Stack

pytestmark = pytest.mark.processes

SYNC_S = 30
TOMORROW = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"


@pytest.fixture(scope="module", autouse=True)
def workers(stack: Stack) -> None:
    """Two clocks and two workers at once, in every test of this module."""
    stack.start_clock()
    stack.start_ready_worker()
    stack.start_ready_worker()


@pytest.fixture(scope="module")
def ada(stack: Stack, workers: None) -> Partner:
    """Ada, who has connected through every page."""
    partner = connect(stack, ADA, by_hand=True)
    eventually(partner.is_synced, within_s=SYNC_S, what="first sync")
    return partner


def test_events_arrive_through_the_forms_and_the_workers(stack: Stack, ada: Partner) -> None:
    calendar = ada.calendar_id(ADA)

    found = {e["event_uid"] for e in ada.events() if e["calendar_id"] == calendar}

    assert len(found) > 20
    assert ada.events() == ada.events()


def test_a_change_comes_by_push(stack: Stack, ada: Partner) -> None:
    google = Google(stack, ADA)
    eventually(lambda: google.channels() == 3, within_s=SYNC_S, what="push channels")
    stack.settle()

    google.create("Dentist at noon", TOMORROW)

    eventually(lambda: "Dentist at noon" in ada.summaries(), within_s=SYNC_S, what="the change")


def test_two_clocks_and_two_workers_double_nothing(stack: Stack, ada: Partner) -> None:
    google = Google(stack, ADA)

    for number in range(10):
        google.create(f"Doubled {number}", TOMORROW)

    wanted = [f"Doubled {number}" for number in range(10)]
    eventually(lambda: doubled(ada) == wanted, within_s=SYNC_S, what="ten changes")
    assert doubled(ada) == wanted


def doubled(partner: Partner) -> list[str]:
    return [title for title in partner.summaries() if title.startswith("Doubled")]


def test_redis_holds_task_ids_only(stack: Stack, ada: Partner) -> None:
    """No title, no address, no token: neither while work waits nor after it failed."""
    redis = Redis.from_url(stack.redis.url)
    for worker in stack.workers:
        worker.send_signal(SIGSTOP)
    grace = connect(stack, GRACE)
    seen = dump(redis)
    for worker in stack.workers:
        worker.send_signal(SIGCONT)
    eventually(grace.is_synced, within_s=SYNC_S, what="first sync")
    google = Google(stack, GRACE)
    google.fault("invalid_json", times=1)
    google.seed(1)
    eventually(lambda: seen.extend(dump(redis)) or generated(grace), within_s=30, what="the change")

    texts = {readable(value) for value in seen}

    secrets = [ada.access, ada.refresh, grace.access, grace.refresh, stack.env["SECRET_KEY"]]
    content = [
        "@",
        "calbroker.test",
        "Stand-up",
        "Dentist",
        "Doubled",
        "Arrived",
        "Bearer",
        "Traceback",
    ]
    for word in [*secrets, *content]:
        assert not [text for text in texts if word in text], word
    arguments = {found for text in texts for found in re.findall(r"run_task\((.*?)\)", text)}
    assert arguments
    assert all(re.fullmatch(r"'tsk_[0-9a-f]+'", found) for found in arguments)


def readable(value: bytes) -> str:
    """Unpack what RQ compresses: what is packed would hide words, and could spell some."""
    with suppress(zlib.error):
        value = zlib.decompress(value)
    return value.decode("utf-8", "replace")


def generated(partner: Partner) -> int:
    return sum(title.startswith("Generated event") for title in partner.summaries())


def dump(redis: Redis) -> list[bytes]:
    """Give every key and value, of every kind."""
    found: list[bytes] = []
    for key in redis.scan_iter(count=1000):
        found.append(key)
        kind = redis.type(key)
        if kind == b"hash":
            found += [part for pair in redis.hgetall(key).items() for part in pair]
        elif kind == b"list":
            found += redis.lrange(key, 0, -1)
        elif kind == b"set":
            found += redis.smembers(key)
        elif kind == b"zset":
            found += redis.zrange(key, 0, -1)
        elif kind == b"stream":
            found += [p for _, f in redis.xrange(key) for pair in f.items() for p in pair]
        elif kind == b"string":
            found.append(redis.get(key) or b"")
    return found


# Eight processes wait until the last is there, then all call at once.
REFRESH = """
import os, sys
from wsgi import app
from broker.services import credentials
from broker.services.runtime import current_runtime
reader, writer = os.pipe()
children = []
for _ in range(8):
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        with app.app_context():
            client, version = credentials.client(current_runtime(), sys.argv[1], stale=1)
            os.write(1, f"answer {version} {len(client.calendars())}\\n".encode())
        os._exit(0)
    children.append(child)
os.close(writer)
for child in children:
    os.waitpid(child, 0)
"""


def test_eight_processes_need_one_refresh(stack: Stack, workers: None) -> None:
    alan = connect(stack, ALAN)
    eventually(alan.is_synced, within_s=SYNC_S, what="first sync")
    google = Google(stack, ALAN)
    connection_id = stack.sql(
        "select connection_id from profiles join accounts on accounts.id = profiles.account_id"
        " order by accounts.created_at desc limit 1"
    )[0][0]
    asked_before = google.calls("POST /token")

    lines = stack.script(REFRESH, connection_id)

    assert [line for line in lines if line.startswith("answer")] == ["answer 2 4"] * 8
    assert google.calls("POST /token") - asked_before == 1


def test_sigterm_lets_the_running_job_end(stack: Stack, ada: Partner) -> None:
    google = Google(stack, ADA)
    worker, *others = stack.workers
    for other in others:
        assert stack.end(other, SIGTERM) == 0
    stack.settle()
    google.slow_call(3, lambda: google.seed(1))

    status = stack.end(worker, SIGTERM)

    assert status == 0
    assert generated(ada) == 1
    assert not stack.leased("sync_calendar")


def test_a_changed_password_is_refused_once(stack: Stack, workers: None) -> None:
    """Of three calendars, by several workers: more would lock the account for everything."""
    while len(stack.workers) < 2:
        stack.start_ready_worker()
    sandbox = stack.layout.sandbox_url
    connect_by_password(stack, "exchange", email=EXCHANGE_ADA, password=EXCHANGE_PASSWORD)
    eventually(stack.is_idle, within_s=SYNC_S, what="the first sync")
    changed = {"provider": "exchange", "person": EXCHANGE_ADA, "fault": "password_changed"}
    requests.post(f"{sandbox}/scenarios", json=changed, timeout=5).raise_for_status()

    stack.change("update tasks set due_at = '2026-01-01 00:00:00' where kind = 'sync_calendar'")

    lost = "select 1 from connections where disconnected_reason is not null"
    eventually(lambda: stack.sql(lost), within_s=SYNC_S, what="the refusal")
    eventually(stack.is_idle, within_s=SYNC_S, what="the rest")
    state = requests.get(f"{sandbox}/exchange/__state", timeout=5).json()
    assert state["bad_logons"] == {EXCHANGE_ADA: 1}
