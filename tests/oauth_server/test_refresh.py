"""Refreshing: confidential clients keep their token, public ones get the next."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from broker.clock import FixedClock
from broker.models import Grant, RefreshToken, reading, transaction
from broker.oauth_server.linked_profile import LinkedProfile
from tests.oauth_server.partner import Partner, acts, answer_of, description_of, error_of


def refresh_at_once(partner: Partner, token: str, times: int) -> list[Any]:
    barrier = Barrier(times)

    def refresh() -> Any:
        barrier.wait()
        return partner.refresh(token)

    with ThreadPoolExecutor(times) as pool:
        return [future.result() for future in [pool.submit(refresh) for _ in range(times)]]


def test_confidential_client_keeps_its_refresh_token(acme: Partner) -> None:
    """SDKs store whatever comes back, so the token is always in the answer."""
    first = acme.tokens()

    second = answer_of(acme.refresh(first["refresh_token"]))

    assert second["refresh_token"] == first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert second.keys() == first.keys()
    assert second["sub"] == second["account_id"] == "acc_acme"
    assert second["linking_profile"] == description_of("acme")
    assert second["expires_in"] == 3600


def test_earlier_access_tokens_live_on(partner: Partner) -> None:
    first = partner.tokens()

    second = answer_of(partner.refresh(first["refresh_token"]))

    assert partner.is_live(first["access_token"])
    assert partner.is_live(second["access_token"])


def test_refresh_token_outlives_access_tokens(partner: Partner, clock: FixedClock) -> None:
    token = partner.tokens()["refresh_token"]

    clock.advance(days=400)

    assert partner.refresh(token).status_code == 200


def test_eight_refreshes_at_once_all_succeed(partner: Partner) -> None:
    token = partner.tokens()["refresh_token"]

    answers = refresh_at_once(partner, token, 8)

    assert {200} == {answer.status_code for answer in answers}
    assert 1 == len({answer.json["refresh_token"] for answer in answers})
    assert 8 == len({answer.json["access_token"] for answer in answers})
    assert all(partner.is_live(answer.json["access_token"]) for answer in answers)


def test_eight_refreshes_at_once_leave_one_successor(mobile: Partner, app: Flask) -> None:
    refresh_at_once(mobile, mobile.tokens()["refresh_token"], 8)

    with app.app_context():
        rows = reading().execute(select(RefreshToken.digest)).all()

    assert 2 == len(rows)


def test_public_client_gets_the_next_refresh_token(mobile: Partner) -> None:
    """RFC 9700 section 4.14.2."""
    first = mobile.tokens()["refresh_token"]

    second = answer_of(mobile.refresh(first))["refresh_token"]
    third = answer_of(mobile.refresh(second))["refresh_token"]

    assert 3 == len({first, second, third})


def test_repeat_within_the_grace_period_gets_the_same_successor(
    mobile: Partner, clock: FixedClock
) -> None:
    first = mobile.tokens()["refresh_token"]
    second = answer_of(mobile.refresh(first))

    clock.advance(seconds=30)
    repeat = answer_of(mobile.refresh(first))

    assert repeat["refresh_token"] == second["refresh_token"]
    assert mobile.is_live(repeat["access_token"])


def test_later_reuse_ends_the_grant(
    mobile: Partner, clock: FixedClock, app: Flask, revoked: list[str]
) -> None:
    """Either the thief or the owner is the second: nobody keeps anything."""
    first = mobile.tokens()["refresh_token"]
    second = answer_of(mobile.refresh(first))

    clock.advance(seconds=31)
    reuse = mobile.refresh(first)

    assert error_of(reuse) == (400, "invalid_grant")
    assert not mobile.is_live(second["access_token"])
    assert error_of(mobile.refresh(second["refresh_token"])) == (400, "invalid_grant")
    assert ["acc_mobile"] == revoked
    assert ["oauth.grant_revoked", "oauth.refresh_reused"] == acts(app)


def test_refresh_token_of_another_application_is_refused(
    acme: Partner, rival: Partner, mobile: Partner
) -> None:
    token = acme.tokens()["refresh_token"]

    assert error_of(rival.refresh(token)) == (400, "invalid_grant")
    assert error_of(mobile.refresh(token)) == (400, "invalid_grant")
    assert acme.refresh(token).status_code == 200


@pytest.mark.parametrize("token", ["unknown", "x" * 4000, "ü"])
def test_unknown_refresh_token_is_an_invalid_grant(acme: Partner, token: str) -> None:
    assert error_of(acme.refresh(token)) == (400, "invalid_grant")


def test_access_token_is_no_refresh_token(acme: Partner) -> None:
    answer = acme.tokens()

    assert error_of(acme.refresh(answer["access_token"])) == (400, "invalid_grant")
    assert not acme.is_live(answer["refresh_token"])


def test_missing_refresh_token_is_an_invalid_request(acme: Partner) -> None:
    assert error_of(acme.refresh("")) == (400, "invalid_request")


def test_less_scope_may_be_asked_for(acme: Partner, app: Flask) -> None:
    """RFC 6749 section 6: the token must then be no wider, the grant stays as it is."""
    token = acme.tokens(scope="read_write")["refresh_token"]

    narrow = answer_of(acme.refresh(token, scope="read_events read_account"))
    wide = answer_of(acme.refresh(token))

    with app.app_context():
        bearer = acme.server.find_bearer(narrow["access_token"])
    assert bearer is not None
    assert "read_events read_account" == bearer.scope == narrow["scope"]
    assert "read_write" == wide["scope"]


@pytest.mark.parametrize("scope", ["create_calendar", "read_write create_calendar", "nope"])
def test_more_scope_may_not_be_asked_for(acme: Partner, scope: str) -> None:
    token = acme.tokens(scope="read_write")["refresh_token"]

    assert error_of(acme.refresh(token, scope=scope)) == (400, "invalid_scope")


def test_grant_that_ends_meanwhile_gives_no_tokens(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the check and the writing, somebody revokes: the insert itself asks again."""
    token, code = partner.tokens()["refresh_token"], partner.authorize()

    def revoke_everything(profile: LinkedProfile) -> None:
        with transaction() as session:
            partner.server.revoke_grants(session, list(session.execute(select(Grant.id)).scalars()))

    monkeypatch.setattr(partner.server._server, "_describe_profile", revoke_everything)

    assert error_of(partner.exchange(code)) == (400, "invalid_grant")
    assert error_of(partner.refresh(token)) == (400, "invalid_grant")


def test_token_that_never_rotated_has_no_successor(mobile: Partner, app: Flask) -> None:
    token, tokens = mobile.tokens()["refresh_token"], mobile.server._server.tokens

    with app.app_context():
        held = tokens.find_refresh(token)
        assert held is not None
        assert tokens.successor(held) is None


def test_answer_leaves_out_a_profile_that_is_gone(acme: Partner, app: Flask) -> None:
    token = acme.tokens()["refresh_token"]
    with app.app_context(), transaction() as session:
        session.execute(update(Grant).values(profile_id=None))

    assert "linking_profile" not in answer_of(acme.refresh(token))
