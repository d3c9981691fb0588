"""Exchange: the first sync beside exchangelib, memory, and syncs that find nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from benchmarks.exchange_worker import LOGIN
from benchmarks.table import Row
from broker.supervisor import Child, end_group, spawn
from sandbox.exchange.seed import ADA, PASSWORD
from tests.processes.eventually import eventually
from tests.processes.stack import free_ports

MANY, FEW = 10_000, 1_000
ROUNDS = 3
_PEER = Path(__file__).parent / "peers" / "exchange_library.py"


@dataclass(frozen=True)
class StandIn:
    """A running stand-in: its pages, its EWS, and the authority that its certificate is of."""

    site: str
    url: str
    ca_file: str


def rows() -> Iterator[Row]:
    """Measure everything about Exchange."""
    with _stand_in(FEW) as small:
        few = _worker(small)
        ways = _connect(small)
    with _stand_in(MANY) as large:
        # Once, because it takes a while; between ours, because the machine is not always the same.
        runs = [_worker(large)]
        theirs_s = _exchangelib_s(large)
        runs += [_worker(large) for _ in range(ROUNDS - 1)]
    many = sorted(runs, key=lambda run: float(run["cpu_s"]))[ROUNDS // 2]
    for way, called in (("found", "with address and password"), ("typed", "with the server")):
        one = ways[way]
        many_of = f"{one['requests']:.0f} requests, at best"
        yield Row(
            f"connecting Exchange {called}",
            one["cpu_ms"],
            None,
            least=one["least_cpu_ms"],
            peer=f"{many_of} {one['least_wall_ms']:.0f} ms of wall time",
        )
    yield Row(
        f"first sync, {many['events']:,} Exchange items",
        many["cpu_s"],
        3,
        "CPU-s",
        ratio=many["cpu_s"] / theirs_s,
        peer=f"exchangelib, which only lists them, {theirs_s:.1f}",
    )
    yield Row("sync of an Exchange calendar that finds nothing new", many["unchanged_ms"], None)
    logins = f"and {many['handshakes']:.0f} of NTLM's handshake"
    yield Row("  its requests for each calendar", many["requests"], 1, "requests", peer=logins)
    growth = many["rss_mb"] / few["rss_mb"]
    yield Row(
        "peak memory of that worker",
        many["rss_mb"],
        None,
        "MB",
        ratio=growth,
        peer=f"the same with {FEW:,} items, {few['rss_mb']:.0f}",
        good=growth <= 1.15,
    )


@contextmanager
def _stand_in(events: int) -> Iterator[StandIn]:
    """Run a new stand-in with so many items in Ada's calendar."""
    port, tls_port = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="calbroker-") as folder:
        argv = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "4"]
        env = os.environ | {"VAR_DIR": folder, "EXCHANGE_PORT": str(tls_port)}
        process = spawn(Child("stand-in", [*argv, "sandbox.wsgi:app"], env))
        try:
            site = f"http://127.0.0.1:{port}/exchange/"
            eventually(lambda: _is_up(site), within_s=30, what="the stand-in")
            body = {"person": ADA, "events": events}
            requests.post(f"{site}seed", json=body, timeout=60).raise_for_status()
            url = f"https://127.0.0.1:{tls_port}/EWS/Exchange.asmx"
            yield StandIn(site, url, str(Path(folder) / "sandbox-ca.pem"))
        finally:
            end_group(process)


def _worker(server: StandIn) -> dict[str, Any]:
    module = [sys.executable, "-m", "benchmarks.exchange_worker"]
    found: dict[str, Any] = json.loads(_run([*module, server.site, server.url, server.ca_file]))
    return found


def _connect(server: StandIn) -> dict[str, Any]:
    port = str(urlsplit(server.url).port)
    module = [sys.executable, "-m", "benchmarks.exchange_connect"]
    found: dict[str, Any] = json.loads(_run([*module, port, server.ca_file]))
    return found


def _exchangelib_s(server: StandIn) -> float:
    peer = [sys.executable, str(_PEER), server.url, server.ca_file, ADA, LOGIN, PASSWORD]
    return float(_run(peer).split()[0])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"{command[1:3]}: {done.stderr[-1000:]}")
    return done.stdout.splitlines()[-1]


def _is_up(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code > 0
    except requests.RequestException:
        return False
