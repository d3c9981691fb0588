"""Holding on to tasks while they run: one thread renews all the leases of this process.

A process that is stopped stops renewing too, and loses its tasks to others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Lock, Thread

log = logging.getLogger(__name__)

Renew = Callable[[], bool]
"""Renews one lease; False when it is lost, and then it is not asked again."""


class LeaseKeeper:
    """Has leases renewed *every* so often, from a thread of its own.

    The thread begins with the first lease and outlives the last by one round: a thread for each
    task would cost more than a small task does.
    """

    def __init__(self, every: timedelta) -> None:
        self._every_s = every.total_seconds()
        self._kept: set[Renew] = set()
        self._thread: Thread | None = None
        self._lock = Lock()

    @contextmanager
    def keep(self, renew: Renew) -> Iterator[None]:
        """Have a lease renewed for as long as the work inside takes.

        A renewal that has begun may end after the work: it must do no harm then.
        """
        with self._lock:
            self._kept.add(renew)
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._kept.discard(renew)

    def _run(self) -> None:
        never = Event()
        while True:
            never.wait(self._every_s)
            with self._lock:
                if not self._kept:
                    self._thread = None
                    return
                kept = tuple(self._kept)
            lost = {renew for renew in kept if not _is_renewed(renew)}
            with self._lock:
                self._kept -= lost


def _is_renewed(renew: Renew) -> bool:
    """Renew; trouble is not loss, and the next round may have better luck."""
    try:
        return renew()
    except Exception as error:
        log.warning("lease not renewed", extra={"error": type(error).__name__})
        return True
