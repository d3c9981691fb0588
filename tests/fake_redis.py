"""The counters of a Redis server, in memory."""

from __future__ import annotations

from typing import cast

from redis import Redis
from redis.exceptions import ConnectionError as RedisGone


class FakeRedis:
    """Counts for whoever holds it; *gone* makes every call fail."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.lifetimes: dict[str, int] = {}
        self.round_trips = 0
        self.gone = False

    def ping(self) -> bool:
        """Answer, unless gone."""
        if self.gone:
            raise RedisGone("away")
        return True

    def config_get(self, name: str) -> dict[str, str]:
        """Give the one setting that the doctor asks for."""
        self.ping()
        return {name: "noeviction"}

    def pipeline(self, transaction: bool = True) -> FakePipeline:
        """Collect commands."""
        return FakePipeline(self)


def fake_redis() -> Redis:
    """Give one as what it stands for, where nobody looks into it."""
    return cast(Redis, FakeRedis())


class FakePipeline:
    """Collects commands and runs them at once."""

    def __init__(self, redis: FakeRedis) -> None:
        self._redis = redis
        self._commands: list[tuple[str, int, bool]] = []

    def incrby(self, name: str, amount: int) -> None:
        """Add to a counter."""
        self._commands.append((name, amount, True))

    def expire(self, name: str, seconds: int) -> None:
        """Give a counter a lifetime."""
        self._commands.append((name, seconds, False))

    def execute(self) -> list[int]:
        """Run what was collected."""
        self._redis.round_trips += 1
        self._redis.ping()
        answers = []
        for name, number, adds in self._commands:
            if adds:
                self._redis.values[name] = self._redis.values.get(name, 0) + number
                answers.append(self._redis.values[name])
            else:
                self._redis.lifetimes[name] = number
                answers.append(1)
        return answers
