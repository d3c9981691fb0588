"""The database goes away for a while and comes back: PostgreSQL, in production's place."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from broker.services.applications import LOCAL_CLIENT_ID, LOCAL_SECRET
from tests.postgres.cluster import Cluster
from tests.processes.eventually import all_the_while, eventually
from tests.processes.people import ADA, GRACE, Google, connect
from tests.processes.stack import UNLIMITED, Stack

pytestmark = pytest.mark.processes

AWAY_S = 10


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of this module's own, because it is stopped."""
    with Cluster() as started:
        yield started


@pytest.fixture(scope="module")
def pg_stack(cluster: Cluster) -> Iterator[Stack]:
    """A broker in processes on PostgreSQL."""
    url = cluster.create("broker")
    with tempfile.TemporaryDirectory(prefix="calbroker-") as folder:
        with Stack(Path(folder), DATABASE_URL=url, **UNLIMITED) as started:
            yield started


def test_ten_seconds_without_a_database(cluster: Cluster, pg_stack: Stack) -> None:
    worker = pg_stack.start_ready_worker()
    google = Google(pg_stack, ADA)
    ada = connect(pg_stack, ADA)
    eventually(ada.is_synced, within_s=40, what="first sync")
    pg_stack.settle()
    google.slow_call(3, lambda: google.seed(100))

    cluster.stop()
    google.seed(20)
    answers = all_the_while(
        lambda: [ada.get("/v1/account"), *asked_for_tokens(pg_stack)], for_s=AWAY_S
    )
    page = request_to_authorize(pg_stack)
    cluster.start()

    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert all("application/json" in answer.headers["Content-Type"] for answer in answers)
    assert (page.status_code, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert "We have to pause for a moment" in page.text
    eventually(lambda: ada.get("/v1/account").status_code == 200, within_s=10, what="an answer")
    eventually(lambda: generated(ada.summaries()) == 120, within_s=60, what="everything")
    assert worker.poll() is None
    assert pg_stack.clock and pg_stack.clock.poll() is None


def test_a_change_told_while_the_database_is_away(cluster: Cluster, pg_stack: Stack) -> None:
    pg_stack.start_ready_worker()
    google = Google(pg_stack, GRACE)
    grace = connect(pg_stack, GRACE)
    eventually(grace.is_synced, within_s=40, what="first sync")
    eventually(lambda: google.channels() == 3, within_s=20, what="push channels")

    cluster.stop()
    google.seed(20)
    assert grace.get("/v1/account").status_code == 503
    cluster.start()

    eventually(lambda: grace.get("/v1/account").status_code == 200, within_s=10, what="an answer")
    eventually(lambda: generated(grace.summaries()) == 20, within_s=60, what="what was told")


def asked_for_tokens(stack: Stack) -> list[requests.Response]:
    """Refresh and revoke as an application does: each with a token that is not one."""
    client = {"client_id": LOCAL_CLIENT_ID, "client_secret": LOCAL_SECRET}
    refresh = client | {"grant_type": "refresh_token", "refresh_token": "unknown"}
    return [
        requests.post(f"{stack.layout.broker_url}{path}", json=body, timeout=20)
        for path, body in (
            ("/oauth/token", refresh),
            ("/oauth/token/revoke", client | {"token": "unknown"}),
        )
    ]


def request_to_authorize(stack: Stack) -> requests.Response:
    """Open the page that an application sends people to."""
    query = {
        "response_type": "code",
        "client_id": LOCAL_CLIENT_ID,
        "redirect_uri": f"{stack.layout.sandbox_url}/callback",
        "scope": "read_events",
    }
    return requests.get(f"{stack.layout.broker_url}/oauth/authorize", query, timeout=20)


def generated(titles: list[str]) -> int:
    return sum(title.startswith("Generated event") for title in titles)
