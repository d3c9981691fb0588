"""Random lives of codes and tokens, beside a model that is simple enough to be right."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from broker.clock import FixedClock
from tests.oauth_server.partner import Partner


@dataclass(eq=False)
class ModelGrant:
    """What one authorization gave."""

    code: str
    code_until: datetime
    spent: bool = False
    revoked: bool = False
    access: dict[str, datetime] = field(default_factory=dict)


@dataclass(eq=False)
class ModelRefresh:
    """One refresh token; *successor* once it was rotated."""

    token: str
    grant: ModelGrant
    rotated_at: datetime | None = None
    successor: ModelRefresh | None = None


class TokenLife(RuleBasedStateMachine):
    """Authorize, exchange, replay, refresh, revoke, wait; for one application.

    All examples share a broker, which is slow to make; each looks at its own grants only.
    """

    partner: Partner
    rival: Partner
    clock: FixedClock

    grants: Bundle[ModelGrant] = Bundle("grants")
    refreshes: Bundle[ModelRefresh] = Bundle("refreshes")

    def __init__(self) -> None:
        super().__init__()
        self.all: list[ModelGrant] = []

    @initialize(target=refreshes)
    def begin(self) -> Any:
        return self.exchange_code(self.authorize_only())

    @rule(target=refreshes)
    def connect(self) -> Any:
        return self.exchange_code(self.authorize_only())

    @rule(target=grants)
    def authorize(self) -> ModelGrant:
        return self.authorize_only()

    @rule(target=refreshes, grant=grants)
    def exchange(self, grant: ModelGrant) -> Any:
        return self.exchange_code(grant)

    @rule(old=refreshes)
    def replay(self, old: ModelRefresh) -> None:
        self.exchange_code(old.grant)

    def authorize_only(self) -> ModelGrant:
        code = self.partner.authorize()
        grant = ModelGrant(code, self.clock.now() + timedelta(minutes=10))
        self.all.append(grant)
        return grant

    def exchange_code(self, grant: ModelGrant) -> Any:
        answer = self.partner.exchange(grant.code)
        good = not grant.spent and not grant.revoked and self.clock.now() < grant.code_until

        assert (200 if good else 400) == answer.status_code
        if not good:
            grant.revoked |= grant.spent
            return multiple()
        grant.spent = True
        self._note(grant, answer.json)
        return ModelRefresh(answer.json["refresh_token"], grant)

    @rule(target=refreshes, old=refreshes)
    def refresh(self, old: ModelRefresh) -> ModelRefresh:
        answer, now = self.partner.refresh(old.token), self.clock.now()
        is_late = old.rotated_at is not None and now - old.rotated_at > timedelta(seconds=30)

        if old.grant.revoked or is_late:
            assert 400 == answer.status_code
            old.grant.revoked |= is_late
            return old
        assert 200 == answer.status_code
        self._note(old.grant, answer.json)
        return self._successor(old, answer.json["refresh_token"], now)

    def _successor(self, old: ModelRefresh, token: str, now: datetime) -> ModelRefresh:
        if self.partner.secret is not None:
            assert old.token == token
            return old
        if old.successor is None:
            old.rotated_at, old.successor = now, ModelRefresh(token, old.grant)
        assert old.successor.token == token != old.token
        return old.successor

    @rule(old=refreshes)
    def steal(self, old: ModelRefresh) -> None:
        assert 400 == self.rival.exchange(old.grant.code).status_code
        assert 400 == self.rival.refresh(old.token).status_code
        assert 200 == self.rival.revoke(token=old.token).status_code

    @rule(old=refreshes)
    def revoke(self, old: ModelRefresh) -> None:
        assert 200 == self.partner.revoke(token=old.token).status_code
        for grant in self.all:
            grant.revoked = True

    @rule(seconds=st.sampled_from([10, 31, 600]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)

    @invariant()
    def access_tokens_work_as_long_as_they_should(self) -> None:
        for grant in self.all:
            for token, until in grant.access.items():
                expected = not grant.revoked and self.clock.now() < until
                assert expected == self.partner.is_live(token)

    def _note(self, grant: ModelGrant, answer: Any) -> None:
        grant.access[answer["access_token"]] = self.clock.now() + timedelta(hours=1)


def test_tokens_live_as_the_model_says(partner: Partner, rival: Partner, clock: FixedClock) -> None:
    machine = type("Life", (TokenLife,), {"partner": partner, "rival": rival, "clock": clock})
    case = machine.TestCase
    case.settings = limits(
        max_examples=60,
        stateful_step_count=20,
        database=None,
    )
    case("runTest").runTest()
