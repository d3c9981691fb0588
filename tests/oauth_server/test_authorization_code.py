"""Codes become tokens once, for the right client, address and verifier."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import select

from broker.clock import FixedClock
from broker.crypto import s256_challenge
from broker.models import AuthorizationCode, reading
from tests.oauth_server.partner import (
    CALLBACK,
    VERIFIER,
    Partner,
    acts,
    answer_of,
    description_of,
    error_of,
)

PKCE = {"code_challenge": s256_challenge(VERIFIER), "code_challenge_method": "S256"}
WRONG_VERIFIER = "another-verifier-of-the-length-that-is-wanted"


def test_token_answer_has_every_key_that_sdks_read(partner: Partner) -> None:
    """RFC 6749 section 5.1, and the partner API's additions."""
    answer = partner.tokens(scope="read_write")

    access, refresh = answer.pop("access_token"), answer.pop("refresh_token")
    assert {
        "token_type": "bearer",
        "expires_in": 3600,
        "scope": "read_write",
        "account_id": partner.account_id,
        "sub": partner.account_id,
        "linking_profile": description_of(partner.name),
    } == answer
    assert len(access) == len(refresh) == 32
    assert access != refresh


def test_access_token_speaks_for_the_account(acme: Partner, app: Flask) -> None:
    token = acme.tokens()["access_token"]

    with app.app_context():
        bearer = acme.server.find_bearer(token)

    assert bearer is not None
    assert (bearer.application_id, bearer.account_id) == ("app_acme", "acc_acme")
    assert bearer.scope == "read_write"


@pytest.mark.parametrize("junk", ["", "x", "ü" * 32, "x" * 4096, "None"])
def test_junk_is_nobodys_token(acme: Partner, junk: str) -> None:
    assert not acme.is_live(junk)


def test_access_token_ends_after_its_hour(acme: Partner, clock: FixedClock) -> None:
    token = acme.tokens()["access_token"]

    clock.advance(minutes=59, seconds=59)
    lasts = acme.is_live(token)
    clock.advance(seconds=1)

    assert lasts
    assert not acme.is_live(token)


def test_second_use_fails_and_ends_the_grant(
    partner: Partner, app: Flask, revoked: list[str]
) -> None:
    """RFC 6749 section 4.1.2: deny, and revoke what the first use gave."""
    code = partner.authorize()
    first = answer_of(partner.exchange(code))

    second = partner.exchange(code)

    assert second.status_code == 400
    assert second.json == {
        "error": "invalid_grant",
        "error_description": "code: errors.unknown_or_used",
    }
    assert not partner.is_live(first["access_token"])
    assert error_of(partner.refresh(first["refresh_token"])) == (400, "invalid_grant")
    assert [partner.account_id] == revoked
    assert ["oauth.grant_revoked", "oauth.code_replayed"] == acts(app)


def test_second_use_after_expiry_still_ends_the_grant(acme: Partner, clock: FixedClock) -> None:
    code = acme.authorize()
    token = answer_of(acme.exchange(code))["access_token"]

    clock.advance(minutes=11)
    second = acme.exchange(code)

    assert error_of(second) == (400, "invalid_grant")
    assert not acme.is_live(token)


def test_third_use_writes_no_more_audit(acme: Partner, app: Flask) -> None:
    code = acme.authorize()
    for _ in range(4):
        acme.exchange(code)

    assert ["oauth.grant_revoked", "oauth.code_replayed"] == acts(app)


def test_who_only_found_a_used_code_cannot_end_the_grant(mobile: Partner) -> None:
    """A public client's id is no secret: without the verifier it is not a second use."""
    code = mobile.authorize()
    token = answer_of(mobile.exchange(code))["access_token"]

    replay = mobile.exchange(code, code_verifier=WRONG_VERIFIER)

    assert error_of(replay) == (400, "invalid_grant")
    assert mobile.is_live(token)


def test_two_exchanges_at_once_give_one_answer(partner: Partner) -> None:
    """Security promise A3: query, issue and delete in turn would let both pass."""
    for _ in range(5):
        code, barrier = partner.authorize(), Barrier(2)

        def exchange(code: str = code, barrier: Barrier = barrier) -> int:
            barrier.wait()
            return partner.exchange(code).status_code

        with ThreadPoolExecutor(2) as pool:
            statuses = [future.result() for future in [pool.submit(exchange) for _ in range(2)]]

        assert [200, 400] == sorted(statuses)


def test_code_expires_after_ten_minutes(acme: Partner, clock: FixedClock) -> None:
    early, late = acme.authorize(), acme.authorize()

    clock.advance(minutes=9, seconds=59)
    in_time = acme.exchange(early)
    clock.advance(seconds=1)
    too_late = acme.exchange(late)

    assert in_time.status_code == 200
    assert error_of(too_late) == (400, "invalid_grant")


def test_code_of_another_application_is_refused_and_not_spent(
    acme: Partner, rival: Partner
) -> None:
    code = acme.authorize()

    stolen = rival.exchange(code)
    own = acme.exchange(code)

    assert error_of(stolen) == (400, "invalid_grant")
    assert own.status_code == 200


def test_replay_by_another_application_does_not_end_the_grant(
    acme: Partner, rival: Partner
) -> None:
    code = acme.authorize()
    token = answer_of(acme.exchange(code))["access_token"]

    rival.exchange(code)

    assert acme.is_live(token)


@pytest.mark.parametrize(
    "uri", [None, "", CALLBACK + "/", CALLBACK + "?a=b", "https://ACME.example/callback"]
)
def test_redirect_uri_must_be_the_one_of_the_request(acme: Partner, uri: str | None) -> None:
    """RFC 6749 section 4.1.3; a failed try does not spend the code."""
    code = acme.authorize()

    wrong = acme.exchange(code, redirect_uri=uri)
    right = acme.exchange(code)

    assert error_of(wrong) == (400, "invalid_grant")
    assert right.status_code == 200


def test_callback_url_is_another_name_for_redirect_uri(acme: Partner) -> None:
    answer = acme.exchange(acme.authorize(), redirect_uri=None, callback_url=CALLBACK)

    assert answer.status_code == 200


def test_old_refresh_token_beside_a_code_is_ignored(acme: Partner) -> None:
    """Cronofy's node SDK sends whatever it still has."""
    answer = acme.exchange(acme.authorize(), refresh_token="left-over")

    assert answer.status_code == 200


def test_confidential_client_may_use_pkce(acme: Partner) -> None:
    answer = acme.exchange(acme.authorize(**PKCE), code_verifier=VERIFIER)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("verifier", "error"),
    [
        (WRONG_VERIFIER, "invalid_grant"),
        (None, "invalid_request"),
        ("", "invalid_request"),
        ("short", "invalid_request"),
        (VERIFIER + "\n", "invalid_request"),
        (s256_challenge(VERIFIER), "invalid_grant"),
    ],
)
def test_wrong_verifier_is_refused(partner: Partner, verifier: str | None, error: str) -> None:
    """A4, RFC 7636 section 4.6; sending the challenge itself would be `plain`."""
    code = partner.authorize(**PKCE)

    wrong = partner.exchange(code, code_verifier=verifier)
    right = partner.exchange(code, code_verifier=VERIFIER)

    assert error_of(wrong) == (400, error)
    assert right.status_code == 200


def test_verifier_for_a_code_without_challenge_is_refused(acme: Partner) -> None:
    """A4, RFC 9700 section 4.8.2: somebody took the challenge out of the request."""
    answer = acme.exchange(acme.authorize(), code_verifier=VERIFIER)

    assert error_of(answer) == (400, "invalid_request")


def test_missing_code_is_an_invalid_request(acme: Partner) -> None:
    assert error_of(acme.exchange("")) == (400, "invalid_request")


@pytest.mark.parametrize("code", ["unknown", "x" * 4000, "ü", "x" * 32])
def test_unknown_code_is_an_invalid_grant(acme: Partner, code: str) -> None:
    assert error_of(acme.exchange(code)) == (400, "invalid_grant")


def test_code_of_a_revoked_grant_is_refused(acme: Partner) -> None:
    code = acme.authorize()
    acme.revoke(sub=acme.account_id)

    assert error_of(acme.exchange(code)) == (400, "invalid_grant")


def test_codes_are_random_and_kept_as_digests(acme: Partner, app: Flask) -> None:
    codes = {acme.authorize() for _ in range(20)}

    with app.app_context():
        digests = set(reading().execute(select(AuthorizationCode.digest)).scalars())

    assert len(codes) == 20
    assert {len(code) for code in codes} == {32}
    assert not {code.encode() for code in codes} & digests
