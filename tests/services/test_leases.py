"""One thread renews the leases of all that runs, for as long as it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread

import pytest

from broker.services.leases import LeaseKeeper

AT_ONCE = timedelta(milliseconds=1)
NEVER = timedelta(days=1)
PATIENCE_S = 10


class Renewals:
    """Counts the renewals of one lease, each of which ends as *outcome* says."""

    def __init__(self, outcome: Callable[[], bool] = lambda: True) -> None:
        self.count = 0
        self._outcome = outcome
        self._some = Event()

    def __call__(self) -> bool:
        self.count += 1
        if self.count >= 3:
            self._some.set()
        return self._outcome()

    def go_on(self) -> bool:
        """Wait until the lease was renewed several times."""
        return self._some.wait(PATIENCE_S)


def began(action: Callable[[], object]) -> set[Thread]:
    """Give the threads that an action leaves running."""
    before = set(threading.enumerate())
    action()
    return set(threading.enumerate()) - before


def test_a_lease_is_renewed_again_and_again() -> None:
    renewals = Renewals()

    with LeaseKeeper(AT_ONCE).keep(renewals):
        assert renewals.go_on()


def test_work_that_ends_soon_needs_no_renewal() -> None:
    renewals = Renewals()

    with LeaseKeeper(NEVER).keep(renewals):
        pass

    assert renewals.count == 0


def test_trouble_is_not_loss() -> None:
    def trouble() -> bool:
        raise ConnectionError("the database is away")

    renewals = Renewals(trouble)

    with LeaseKeeper(AT_ONCE).keep(renewals):
        assert renewals.go_on()


def test_a_lost_lease_is_not_renewed_again() -> None:
    keeper, lost, other = LeaseKeeper(AT_ONCE), Renewals(lambda: False), Renewals()

    with keeper.keep(lost), keeper.keep(other):
        assert other.go_on()

    assert lost.count == 1


def test_work_that_fails_is_over_too() -> None:
    keeper, failed, other = LeaseKeeper(AT_ONCE), Renewals(), Renewals()

    with pytest.raises(RuntimeError, match="on purpose"), keeper.keep(failed):
        raise RuntimeError("on purpose")
    counted = failed.count
    with keeper.keep(other):
        assert other.go_on()

    # One that had begun may have ended since.
    assert failed.count <= counted + 1


def test_all_leases_share_one_thread() -> None:
    keeper = LeaseKeeper(NEVER)

    def work() -> None:
        for _ in range(3):
            with keeper.keep(Renewals()), keeper.keep(Renewals()):
                pass

    assert len(began(work)) == 1


def test_the_thread_ends_after_the_last_lease_and_another_begins_with_the_next() -> None:
    keeper = LeaseKeeper(AT_ONCE)
    for _ in range(2):
        found: list[Thread] = []

        def renew(found: list[Thread] = found) -> bool:
            found.append(threading.current_thread())
            return True

        renewals = Renewals(renew)
        with keeper.keep(renewals):
            assert renewals.go_on()

        found[0].join(PATIENCE_S)
        assert not found[0].is_alive()
