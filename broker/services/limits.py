"""Limits: how often an application, a client or a mailbox may do something.

Fixed windows. Each process counts for itself and adds what it counted to Redis at most every
200 ms, in one round trip, so that a request pays next to nothing; several processes together
may overshoot by what they admit within that time. Redis may be away or emptied at any moment:
each process then holds to the limit alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

from redis import Redis
from redis.exceptions import RedisError

from broker.clock import Clock
from broker.crypto import Vault
from broker.errors import TooManyRequests
from broker.settings import Settings

log = logging.getLogger(__name__)

SHARE_EVERY_S = 0.2
AWAY_FOR_S = 5.0
_SWEEP_ABOVE = 1_000

_Key = tuple[str, int]


@dataclass(slots=True)
class _Count:
    """One key in one window: *known* includes the other processes, *pending* is ours alone."""

    window: int
    known: int = 0
    pending: int = 0

    @property
    def total(self) -> int:
        return self.known + self.pending


class Limits:
    """Counts by key. One per process; safe between threads.

    Keys may hold addresses: only their keyed digests leave the process.
    """

    def __init__(self, settings: Settings, vault: Vault, clock: Clock, redis: Redis) -> None:
        self._per_second = settings.requests_per_second
        self._per_minute = settings.requests_per_minute
        self._vault = vault
        self._clock = clock
        self._redis = redis
        self._counts: dict[_Key, _Count] = {}
        self._unshared: dict[_Key, _Count] = {}
        self._sweep_at = _SWEEP_ABOVE
        self._lock = Lock()
        self._share_at = 0.0

    def spend(self, application_id: str) -> None:
        """Count one API request or issued token of an application.

        Raises TooManyRequests, and counts nothing, when its second or minute is used up.
        """
        key = f"application:{application_id}"
        with self._lock:
            now = self._clock.now().timestamp()
            second = self._at((key, 1), now)
            minute = self._at((key, 60), now)
            if minute.total >= self._per_minute:
                raise _refusal(now, 60)
            if second.total >= self._per_second:
                raise _refusal(now, 1)
            self._add((key, 1), second, 1)
            self._add((key, 60), minute, 1)
            is_due = self._clock.monotonic() >= self._share_at
        if is_due:
            self._share()
            self._refuse(key, ((self._per_minute, 60), (self._per_second, 1)))

    def check(self, key: str, *, limit: int, per: timedelta) -> None:
        """Raise TooManyRequests when *key* was counted *limit* times in this stretch of *per*."""
        window_s = self._touch(key, per, 0)
        self._share()
        self._refuse(key, ((limit - 1, window_s),))

    def count(self, key: str, *, per: timedelta) -> None:
        """Count one happening of *key*, for example a failed login, and tell the others."""
        self._touch(key, per, 1)
        self._share()

    def throttle(self, *, limit: int, per: timedelta) -> Throttle:
        """Give a counter with its limit built in."""
        return Throttle(self, limit, per)

    def _touch(self, key: str, per: timedelta, amount: int) -> int:
        """Count *amount*, and share this key next time; gives the window's length in seconds."""
        window_s = int(per.total_seconds())
        with self._lock:
            found = self._at((key, window_s), self._clock.now().timestamp())
            self._add((key, window_s), found, amount)
        return window_s

    def _add(self, key: _Key, count: _Count, amount: int) -> None:
        """Count; the lock is held."""
        count.pending += amount
        self._unshared[key] = count

    def _refuse(self, key: str, limits: Iterable[tuple[int, int]]) -> None:
        """Raise TooManyRequests when *key* went over one of *limits* (limit, window seconds)."""
        now = self._clock.now().timestamp()
        for limit, window_s in limits:
            with self._lock:
                total = self._at((key, window_s), now).total
            if total > limit:
                raise _refusal(now, window_s)

    def _at(self, key: _Key, now: float) -> _Count:
        """Give the count of the current window; the lock is held."""
        window = int(now // key[1])
        found = self._counts.get(key)
        if found is None or found.window != window:
            if len(self._counts) >= self._sweep_at:
                self._sweep(now)
            found = self._counts[key] = _Count(window)
        return found

    def _sweep(self, now: float) -> None:
        over = [key for key, count in self._counts.items() if count.window != int(now // key[1])]
        for key in over:
            del self._counts[key]
            self._unshared.pop(key, None)
        self._sweep_at = max(_SWEEP_ABOVE, 2 * len(self._counts))

    def _share(self) -> None:
        """Add what is pending to Redis and learn what the others counted."""
        with self._lock:
            tick = self._clock.monotonic()
            if tick < self._share_at - SHARE_EVERY_S:  # Redis was away a moment ago
                return
            self._share_at = tick + SHARE_EVERY_S
            changed = [(key, count, count.pending) for key, count in self._unshared.items()]
            self._unshared.clear()
            for _, count, added in changed:
                count.known += added
                count.pending = 0
        try:
            totals = self._exchange(changed)
        except (RedisError, OSError):
            log.warning("counters are away")
            self._keep(changed, tick)
            return
        with self._lock:
            for (_, count, _), total in zip(changed, totals, strict=True):
                count.known = max(count.known, total)

    def _exchange(self, changed: list[tuple[_Key, _Count, int]]) -> list[int]:
        pipe = self._redis.pipeline(transaction=False)
        for (key, window_s), count, added in changed:
            name = self._name(key, window_s, count.window)
            pipe.incrby(name, added)
            pipe.expire(name, window_s + 1)
        return [int(answer) for answer in pipe.execute()[::2]]

    def _keep(self, changed: list[tuple[_Key, _Count, int]], tick: float) -> None:
        """Hold back what Redis did not take, and leave it alone for a while."""
        with self._lock:
            self._share_at = tick + AWAY_FOR_S
            for key, count, added in changed:
                count.known -= added
                count.pending += added
                # Of a window that is over, nobody asks any more.
                if self._counts.get(key) is count:
                    self._unshared[key] = count

    def _name(self, key: str, window_s: int, window: int) -> str:
        return f"limit:{self._vault.digest('limit', key)[:12].hex()}:{window_s}:{window}"


@dataclass(frozen=True, slots=True)
class Throttle:
    """Counts failures by key and refuses a key that has *limit* of them within *per*."""

    limits: Limits
    limit: int
    per: timedelta

    def check(self, key: str) -> None:
        """Raise TooManyRequests when *key* is over its limit."""
        self.limits.check(key, limit=self.limit, per=self.per)

    def count(self, key: str) -> None:
        """Count one failure."""
        self.limits.count(key, per=self.per)


def _refusal(now: float, window_s: int) -> TooManyRequests:
    return TooManyRequests(timedelta(seconds=window_s - now % window_s))
