"""Many who try one login at once reach the server three times, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock

import pytest

from broker.errors import BrokerError, LoginRejected
from broker.logins import Login
from broker.models import db
from broker.services import login_guard
from broker.services.login_rules import PER_ADDRESS, PER_LOGIN
from tests.world import World

pytestmark = pytest.mark.postgres

THREADS = 8


def guess_at_once(world: World, names: list[str], *, passwords: str = "") -> int:
    """Guess in as many threads as there are names; gives how many guesses were refused."""
    barrier, lock = Barrier(len(names)), Lock()
    refused = 0

    def guess(name: str, password: str) -> None:
        nonlocal refused
        with world.app.app_context():
            barrier.wait(20)
            try:
                with login_guard.guarding(
                    world.runtime,
                    "caldav",
                    Login("dav.example.com", name, password),
                    [],
                    client_address="203.0.113.7",
                    application_id="app_acme",
                ):
                    with lock:
                        refused += 1
                    raise LoginRejected("login_rejected")
            except BrokerError:
                pass
            finally:
                db.session.remove()

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(guess, names, passwords or ["wrong"] * len(names)))
    return refused


def test_guesses_at_one_login(any_world: World) -> None:
    rounds = [guess_at_once(any_world, ["ada"] * THREADS) for _ in range(3)]

    assert sum(rounds) == PER_LOGIN
    assert rounds[0] == PER_LOGIN
    ((pauses,),) = any_world.rows("SELECT max(pauses) FROM login_refusals")
    assert pauses == 1


def test_guesses_at_many_logins_from_one_address(any_world: World) -> None:
    """The rows of address and application are shared: nobody waits for ever, none is lost."""
    rounds = [
        guess_at_once(any_world, [f"user{turn}-{number}" for number in range(THREADS)])
        for turn in range(5)
    ]

    assert sum(rounds) == PER_ADDRESS


def test_a_pause_lets_one_of_many_other_passwords_through(any_world: World) -> None:
    guess_at_once(any_world, ["ada"] * THREADS)

    rounds = [guess_at_once(any_world, ["ada"] * THREADS, passwords="abcdefgh") for _ in range(3)]

    assert rounds == [1, 0, 0]
