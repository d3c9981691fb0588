"""One worker that reads an Exchange mailbox for the first time and again, weighed by itself.

`python -m benchmarks.exchange_worker SITE EWS_URL CA_FILE` prints JSON. The server is another
process, so what is counted here is ours alone.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from benchmarks.caldav_worker import Ticking, unchanged_ms
from benchmarks.measure import peak_mb
from broker.addresses import AddressPolicy
from broker.http import Http
from broker.worker import settle
from sandbox.exchange.seed import ADA, PASSWORD
from tests.world import World

LOGIN = "CORP\\ada"


def world_on(folder: Path, ca_file: str) -> World:
    """Make a broker whose clock shows today and whose wire is real."""
    world = World(folder, allowed_hosts=("127.0.0.1",))
    world.clock.advance(seconds=(datetime.now(UTC) - world.clock.now()).total_seconds())
    policy = AddressPolicy(("127.0.0.1",))
    wire = Http(Ticking(world.clock.now()), policy=policy, ca_file=ca_file)
    world.runtime.http.__dict__.update(vars(wire))
    return world


def connect(world: World, url: str) -> None:
    """Send the form; anything but success ends the benchmark."""
    browser = world.browser()
    page = world.open(browser, provider_name="exchange")
    typed = {"email": ADA, "password": PASSWORD, "url": url, "username": LOGIN}
    answer = world.press(browser, page, **typed)
    if answer.status_code != 303:
        raise RuntimeError(f"not connected: {answer.status_code}")


def served(site: str) -> tuple[int, int]:
    """Ask the stand-in how many operations it has done, and how often it wanted a login first."""
    state = requests.get(f"{site}__state", timeout=30).json()
    done = sum(count for name, count in state["calls"].items() if " " not in name)
    return done, sum(state["refused"].values())


def measure(site: str, url: str, ca_file: str) -> dict[str, Any]:
    """Connect, read everything, and read again."""
    with tempfile.TemporaryDirectory(prefix="calbroker-") as folder:
        world = world_on(Path(folder), ca_file)
        connect(world, url)
        settle()
        began_cpu, began = time.process_time(), time.monotonic()
        world.work()
        cpu_s, wall_s = time.process_time() - began_cpu, time.monotonic() - began
        most_mb = peak_mb()
        events = world.count("events")
        done, refused = served(site)
        again_ms, count = unchanged_ms(world)
        done_after, refused_after = served(site)
        world.close()
    return {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "events": events,
        "rss_mb": most_mb,
        "unchanged_ms": again_ms,
        "requests": (done_after - done) / count,
        "handshakes": (refused_after - refused) / count,
    }


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:4])))
