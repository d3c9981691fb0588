"""Revoking: any token of a grant ends it, and the answer tells nothing (RFC 7009)."""

from __future__ import annotations

import pytest
from flask import Flask

from broker.clock import FixedClock
from broker.models import Account, transaction
from tests.oauth_server.partner import NOW, Partner, acts, answer_of, error_of


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_any_token_ends_the_whole_grant(
    partner: Partner, kind: str, revoked: list[str], app: Flask
) -> None:
    first = partner.tokens()
    second = answer_of(partner.refresh(first["refresh_token"]))

    answer = partner.revoke(token=first[kind])

    assert (200, b"") == (answer.status_code, answer.data)
    assert not partner.is_live(first["access_token"])
    assert not partner.is_live(second["access_token"])
    assert error_of(partner.refresh(second["refresh_token"])) == (400, "invalid_grant")
    assert [partner.account_id] == revoked
    assert ["oauth.grant_revoked"] == acts(app)


def test_every_grant_of_the_application_on_the_account_ends(acme: Partner) -> None:
    """An application that authorized twice and leaves means to leave."""
    first, second = acme.tokens(), acme.tokens()

    acme.revoke(token=first["access_token"])

    assert not acme.is_live(second["access_token"])
    assert 400 == acme.refresh(second["refresh_token"]).status_code


def test_sub_ends_every_grant_with_the_account(acme: Partner, revoked: list[str]) -> None:
    first, second = acme.tokens(), acme.tokens()

    answer = acme.revoke(sub="acc_acme", request_pii_erasure=True)

    assert (200, b"") == (answer.status_code, answer.data)
    assert not acme.is_live(first["access_token"])
    assert not acme.is_live(second["access_token"])
    assert ["acc_acme"] == revoked


def test_token_wins_over_sub(acme: Partner) -> None:
    first, second = acme.tokens(), acme.tokens()

    acme.revoke(token="unknown", sub="acc_acme")

    assert acme.is_live(first["access_token"])
    assert acme.is_live(second["access_token"])


def test_node_sends_a_refresh_token_field(acme: Partner) -> None:
    tokens = acme.tokens()

    acme.revoke(refresh_token=tokens["refresh_token"])

    assert not acme.is_live(tokens["access_token"])


def test_expired_access_token_still_names_its_grant(acme: Partner, clock: FixedClock) -> None:
    """pycronofy revokes with the access token that it has, however old."""
    tokens = acme.tokens()
    clock.advance(days=1)

    acme.revoke(token=tokens["access_token"])

    assert error_of(acme.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


def test_rotated_refresh_token_still_names_its_grant(mobile: Partner) -> None:
    tokens = mobile.tokens()
    mobile.refresh(tokens["refresh_token"])

    mobile.revoke(token=tokens["refresh_token"])

    assert not mobile.is_live(tokens["access_token"])


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "something", ""])
def test_hint_changes_nothing(acme: Partner, hint: str) -> None:
    """RFC 7009 section 2.1: a server may ignore it."""
    tokens = acme.tokens()

    answer = acme.revoke(token=tokens["refresh_token"], token_type_hint=hint)

    assert answer.status_code == 200
    assert not acme.is_live(tokens["access_token"])


@pytest.mark.parametrize("fields", [{"token": "unknown"}, {"sub": "acc_unknown"}])
def test_unknown_is_a_success(acme: Partner, fields: dict[str, str], revoked: list[str]) -> None:
    """RFC 7009 section 2.2."""
    answer = acme.revoke(**fields)

    assert (200, b"") == (answer.status_code, answer.data)
    assert [] == revoked


def test_revoking_twice_is_a_success_and_happens_once(acme: Partner, revoked: list[str]) -> None:
    token = acme.tokens()["access_token"]

    statuses = [acme.revoke(token=token).status_code for _ in range(2)]

    assert [200, 200] == statuses
    assert ["acc_acme"] == revoked


def test_another_applications_token_looks_unknown_and_stays(
    acme: Partner, rival: Partner, mobile: Partner
) -> None:
    """Security promise A10: not even that the token exists."""
    tokens = acme.tokens()

    for stranger in (rival, mobile):
        for kind in ("access_token", "refresh_token"):
            answer = stranger.revoke(token=tokens[kind])
            assert (200, b"") == (answer.status_code, answer.data)

    assert acme.is_live(tokens["access_token"])


def test_another_applications_account_looks_unknown_and_stays(
    acme: Partner, rival: Partner
) -> None:
    token = acme.tokens()["access_token"]

    answer = rival.revoke(sub="acc_acme")

    assert (200, b"") == (answer.status_code, answer.data)
    assert acme.is_live(token)


def test_public_client_may_not_revoke_by_sub(mobile: Partner) -> None:
    """Its client_id is no secret: anybody could send this."""
    token = mobile.tokens()["access_token"]

    answer = mobile.revoke(sub="acc_mobile")

    assert error_of(answer) == (400, "unauthorized_client")
    assert mobile.is_live(token)


def test_neither_token_nor_sub_is_an_invalid_request(acme: Partner) -> None:
    assert error_of(acme.revoke()) == (400, "invalid_request")


def test_wrong_secret_revokes_nothing(acme: Partner) -> None:
    token = acme.tokens()["access_token"]

    answer = acme.revoke(token=token, client_secret="wrong")

    assert error_of(answer) == (401, "invalid_client")
    assert acme.is_live(token)


@pytest.mark.parametrize("path", ["/oauth/token/revoke", "/oauth/revoke", "/oauth/revoke/"])
def test_every_address_of_the_endpoint_works(acme: Partner, path: str) -> None:
    token = acme.tokens()["access_token"]

    acme.post(path, token=token)

    assert not acme.is_live(token)


def test_caller_learns_what_ended(acme: Partner, app: Flask) -> None:
    """Services revoke in their own transaction, for instance when a profile goes."""
    acme.tokens()
    with app.app_context():
        with transaction() as session:
            session.add(Account(id="acc_new", application_id="app_acme", created_at=NOW))
        bearer = acme.server.find_bearer(acme.tokens()["access_token"])
        assert bearer is not None
        with transaction() as session:
            ended = acme.server.revoke_grants(session, [bearer.grant_id])
            again = acme.server.revoke_grants(session, [bearer.grant_id])
            nothing = acme.server.revoke_grants(session, [])

    assert [bearer] == ended
    assert [] == again == nothing
