"""Many people of one company who connect at once teach one server, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from broker.logins import KnownServer, Login, PasswordCredential, RemoteAccount
from broker.models import db
from broker.services import learned_servers
from broker.services.connect import Proved
from tests.world import World

pytestmark = pytest.mark.postgres

THREADS = 8
EMAIL = "ada@contoso.example"
URL, OLD = (f"https://{name}.contoso.example/EWS/Exchange.asmx" for name in ("mail", "old"))


def learn_at_once(world: World, known: tuple[KnownServer, ...] = ()) -> None:
    """Let as many logins as there are threads be proved at one moment."""
    barrier = Barrier(THREADS)
    account = RemoteAccount("subject", "exchange", EMAIL, EMAIL)
    proved = Proved("exchange", PasswordCredential(URL, EMAIL, "secret"), account, [])

    def learn(_: int) -> None:
        with world.app.app_context():
            barrier.wait(20)
            login = Login("", "", "secret", email=EMAIL, known=known)
            learned_servers.learn(world.runtime, "exchange", login, proved)
            db.session.remove()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(learn, range(THREADS)))


def test_one_server_is_one_row_and_no_success_is_lost(any_world: World) -> None:
    learn_at_once(any_world)
    learn_at_once(any_world)

    counted = any_world.rows("SELECT successes, misses FROM learned_servers")

    assert [(2 * THREADS, 0)] == [tuple(row) for row in counted]


def test_a_server_that_all_pass_over_is_out(any_world: World) -> None:
    with any_world.app.app_context():
        learned_servers.pin(any_world.runtime, "contoso.example", OLD)

    learn_at_once(any_world, (KnownServer(OLD),))

    with any_world.app.app_context():
        found = learned_servers.listed(any_world.runtime)
    assert [(URL, 0), (OLD, learned_servers.MISSES)] == [
        (one.server.url, one.misses) for one in found
    ]
