"""One worker that reads a CalDAV account for the first time and again, weighed by itself.

`python -m benchmarks.caldav_worker apple|caldav URL` prints JSON. The server is another
process, so what is counted here is ours alone.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import update

from benchmarks.measure import peak_mb
from broker.addresses import AddressPolicy
from broker.clock import FixedClock
from broker.http import Http
from broker.models import Task, transaction
from broker.models.base import table_of
from broker.services import tasks, work
from broker.settings import AppleSettings
from broker.worker import settle
from sandbox.icloud import seed
from sandbox.radicale import PASSWORD, USER
from tests.world import World

ROUNDS = 15
_TASKS = table_of(Task)


def world_on(folder: Path, url: str) -> World:
    """Make a broker whose clock shows today and whose wire is real."""
    world = World(folder, apple=AppleSettings(url), allowed_hosts=("127.0.0.1",))
    world.clock.advance(seconds=(datetime.now(UTC) - world.clock.now()).total_seconds())
    wire = Http(Ticking(world.clock.now()), policy=AddressPolicy(("127.0.0.1",)))
    world.runtime.http.__dict__.update(vars(wire))
    return world


class Ticking(FixedClock):
    """The day of the world, and seconds that pass, so that deadlines mean something."""

    def monotonic(self) -> float:
        """Tell seconds."""
        return time.monotonic()


def connect(world: World, kind: str, url: str) -> None:
    """Send the form; anything but success ends the benchmark."""
    browser = world.browser()
    page = world.open(browser, provider_name=kind)
    if kind == "apple":
        typed = {"email": seed.ADA, "app_code": seed.PASSWORD}
    else:
        typed = {"url": url, "username": USER, "password": PASSWORD}
    answer = world.press(browser, page, **typed)
    if answer.status_code != 303:
        raise RuntimeError(f"not connected: {answer.status_code}")


def syncs(world: World) -> list[str]:
    """Make every sync due; gives their task ids."""
    with world.app.app_context(), transaction() as session:
        now = world.clock.now()
        mine = _TASKS.c.kind == tasks.Kind.SYNC_CALENDAR.value
        session.execute(update(_TASKS).where(mine).values(due_at=now, queued_until=None))
        return list(session.scalars(_TASKS.select().with_only_columns(_TASKS.c.id).where(mine)))


def unchanged_ms(world: World) -> tuple[float, int]:
    """Give the CPU-ms of a sync that finds nothing new, and how many syncs there were."""
    costs, count = [], 0
    for _ in range(ROUNDS):
        due = syncs(world)
        began = time.process_time()
        for task_id in due:
            with world.app.app_context():
                work.run(world.runtime, task_id)
        costs.append((time.process_time() - began) * 1000 / len(due))
        count += len(due)
    return statistics.median(costs), count


def served(kind: str, url: str) -> int:
    """Ask the stand-in how many requests it has answered; Radicale does not say."""
    if kind != "apple":
        return 0
    calls = requests.get(f"{url}__state", timeout=30).json()["calls"]
    return sum(count for name, count in calls.items() if not name.endswith("/__state"))


def measure(kind: str, url: str) -> dict[str, Any]:
    """Connect, read everything, and read again."""
    with tempfile.TemporaryDirectory(prefix="calbroker-") as folder:
        world = world_on(Path(folder), url)
        settle()
        began, began_cpu = time.monotonic(), time.process_time()
        connect(world, kind, url)
        connected = time.monotonic()
        world.work()
        sync_s = time.monotonic() - connected
        wall_s, cpu_s = time.monotonic() - began, time.process_time() - began_cpu
        most_mb = peak_mb()
        events = world.count("events")
        before = served(kind, url)
        again_ms, count = unchanged_ms(world)
        requests_each = (served(kind, url) - before) / count
        world.close()
    return {
        "wall_s": wall_s,
        "sync_s": sync_s,
        "cpu_s": cpu_s,
        "events": events,
        "rss_mb": most_mb,
        "unchanged_ms": again_ms,
        "requests": requests_each,
    }


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:3])))
