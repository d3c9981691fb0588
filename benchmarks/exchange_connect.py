"""Finding a mailbox and proving a login, as often as it takes, weighed by itself.

`python -m benchmarks.exchange_connect TLS_PORT CA_FILE` prints JSON: for each way to connect the
CPU and wall time of one login in milliseconds, the least of each, and how many requests it makes.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

from broker.addresses import AddressPolicy
from broker.clock import SystemClock
from broker.http import Http
from broker.logins import Login
from broker.providers.exchange import Exchange
from broker.trace import Step
from sandbox.exchange.accounts import DOMAIN
from sandbox.exchange.seed import ADA, PASSWORD

ROUNDS = 21
_WARM_UP_ROUNDS = 2
WAYS = {
    "found": Login("", "", PASSWORD, email=ADA),
    "typed": Login(f"mail.{DOMAIN}", "CORP\\ada", PASSWORD, email=ADA),
}


def measure(tls_port: int, ca_file: str) -> dict[str, Any]:
    """Connect in each way, in turn."""
    policy = AddressPolicy(("127.0.0.1",), detours={DOMAIN: ("127.0.0.1", tls_port)})
    clock = SystemClock()
    http = Http(clock, policy=policy, ca_file=ca_file)
    spent: dict[str, list[tuple[float, float, int]]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS + _WARM_UP_ROUNDS):
        for way, login in WAYS.items():
            steps: list[Step] = []
            # The connections of the one before are of no help.
            own = http.alone().traced(steps)
            began_cpu, began = time.process_time(), time.monotonic()
            Exchange(own, clock).verify(login)
            cpu_ms = (time.process_time() - began_cpu) * 1000
            spent[way].append((cpu_ms, (time.monotonic() - began) * 1000, len(steps)))
    return {way: _told(rounds[_WARM_UP_ROUNDS:]) for way, rounds in spent.items()}


def _told(rounds: list[tuple[float, float, int]]) -> dict[str, float]:
    cpu_ms, wall_ms, requests = (list(one) for one in zip(*rounds, strict=True))
    return {
        "cpu_ms": statistics.median(cpu_ms),
        "least_cpu_ms": min(cpu_ms),
        "wall_ms": statistics.median(wall_ms),
        "least_wall_ms": min(wall_ms),
        "requests": statistics.median(requests),
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), sys.argv[2])))
