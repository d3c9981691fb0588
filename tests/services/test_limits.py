"""Limits: counted per process, shared now and then, and never in the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from broker.clock import FixedClock
from broker.crypto import Vault
from broker.errors import TooManyRequests
from broker.services.limits import AWAY_FOR_S, Limits
from broker.settings import Settings
from tests.web.api_world import FakeRedis

MINUTE = timedelta(minutes=1)
VAULT = Vault({"test": bytes(range(32))}, bytes(range(32, 64)))


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 3, 9, 10, 0, tzinfo=UTC))


@pytest.fixture
def redis() -> FakeRedis:
    return FakeRedis()


def process(clock: FixedClock, redis: FakeRedis, **limits: int) -> Limits:
    """Make the counters of one more process."""
    usual: dict[str, Any] = {"requests_per_second": 50, "requests_per_minute": 500}
    settings = Settings(
        public_url="https://broker.example",
        database_url="",
        redis_url="",
        secret_key=b"",
        digest_key=b"",
        key_ring={},
        **(usual | limits),
    )
    server: Any = redis
    return Limits(settings, VAULT, clock, server)


def spend(limits: Limits, times: int, application_id: str = "app_acme") -> int:
    """Spend up to *times*; gives how often that was allowed."""
    for spent in range(times):
        try:
            limits.spend(application_id)
        except TooManyRequests:
            return spent
    return times


def test_second_is_limited_and_the_next_one_is_new(clock: FixedClock, redis: FakeRedis) -> None:
    limits = process(clock, redis)

    assert spend(limits, 60) == 50
    clock.advance(seconds=1)
    assert spend(limits, 60) == 50


def test_minute_is_limited_over_many_seconds(clock: FixedClock, redis: FakeRedis) -> None:
    limits = process(clock, redis)
    allowed = 0
    for _ in range(20):
        allowed += spend(limits, 40)
        clock.advance(seconds=1)

    assert allowed == 500
    with pytest.raises(TooManyRequests) as refusal:
        limits.spend("app_acme")
    assert refusal.value.retry_after == timedelta(seconds=40)
    clock.advance(seconds=40)
    assert spend(limits, 1) == 1


def test_applications_do_not_share_a_limit(clock: FixedClock, redis: FakeRedis) -> None:
    limits = process(clock, redis)
    spend(limits, 60)

    assert spend(limits, 50, "app_rival") == 50


def test_what_is_refused_is_not_counted(clock: FixedClock, redis: FakeRedis) -> None:
    limits = process(clock, redis, requests_per_minute=100)
    spend(limits, 50)
    for _ in range(200):
        spend(limits, 1)
    clock.advance(seconds=1)

    assert spend(limits, 60) == 50


def test_processes_learn_from_each_other(clock: FixedClock, redis: FakeRedis) -> None:
    one, other = process(clock, redis), process(clock, redis)
    spend(one, 1)
    spend(other, 1)
    spend(one, 48)
    clock.advance(milliseconds=200)
    spend(one, 1)

    clock.advance(milliseconds=100)

    assert spend(other, 60) == 0


def test_many_requests_share_one_round_trip(clock: FixedClock, redis: FakeRedis) -> None:
    limits = process(clock, redis)

    spend(limits, 40)
    assert redis.round_trips == 1
    clock.advance(milliseconds=200)
    spend(limits, 5)
    assert redis.round_trips == 2
    assert sorted(redis.values.values()) == [41, 41]


def test_redis_being_away_loosens_and_never_refuses(clock: FixedClock, redis: FakeRedis) -> None:
    limits = process(clock, redis)
    redis.gone = True

    assert spend(limits, 60) == 50
    assert redis.round_trips == 1

    redis.gone = False
    clock.advance(seconds=AWAY_FOR_S)
    spend(limits, 1)
    assert 51 in redis.values.values()


def test_redis_is_left_alone_for_a_while_after_a_failure(
    clock: FixedClock, redis: FakeRedis
) -> None:
    limits = process(clock, redis)
    redis.gone = True
    limits.count("client:acme", per=MINUTE)
    clock.advance(seconds=AWAY_FOR_S / 2)

    for _ in range(10):
        limits.count("client:acme", per=MINUTE)
        limits.check("client:acme", limit=100, per=MINUTE)

    assert redis.round_trips == 1


def test_emptied_redis_does_not_forget_what_we_counted(clock: FixedClock, redis: FakeRedis) -> None:
    limits = process(clock, redis)
    spend(limits, 49)
    redis.values.clear()
    clock.advance(milliseconds=300)

    assert spend(limits, 60) == 1


def test_failures_are_seen_by_every_process_at_once(clock: FixedClock, redis: FakeRedis) -> None:
    one = process(clock, redis).throttle(limit=3, per=MINUTE)
    other = process(clock, redis).throttle(limit=3, per=MINUTE)
    one.check("client:acme")
    for throttle in (one, other, one):
        throttle.check("client:acme")
        throttle.count("client:acme")

    for throttle in (one, other):
        with pytest.raises(TooManyRequests):
            throttle.check("client:acme")
        throttle.check("client:rival")
    clock.advance(minutes=1)
    one.check("client:acme")


def test_counters_end_by_themselves_and_name_nobody(clock: FixedClock, redis: FakeRedis) -> None:
    limits = process(clock, redis)

    limits.count("login:maria.keller@example.com", per=timedelta(minutes=15))

    ((name, lifetime),) = redis.lifetimes.items()
    assert lifetime == 901
    assert "maria" not in name


def test_old_windows_are_swept(clock: FixedClock, redis: FakeRedis) -> None:
    limits = process(clock, redis)
    redis.gone = True

    for wave in range(10):
        for number in range(800):
            limits.count(f"login:{wave}:{number}", per=MINUTE)
        clock.advance(minutes=1)

    assert len(limits._counts) < 2000
    assert len(limits._unshared) < 2000
