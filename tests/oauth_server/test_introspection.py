"""Introspection: an application asks about its own tokens (RFC 7662)."""

from __future__ import annotations

from werkzeug.test import TestResponse

from broker.clock import FixedClock
from tests.oauth_server.partner import ISSUER, NOW, Partner, answer_of, error_of

INACTIVE = {"active": False}


def introspect(partner: Partner, token: str, **fields: str) -> TestResponse:
    return partner.post("/oauth/introspect", token=token, **fields)


def test_live_access_token_is_described(acme: Partner) -> None:
    token = acme.tokens()["access_token"]

    assert introspect(acme, token).json == {
        "active": True,
        "iss": ISSUER,
        "sub": "acc_acme",
        "client_id": "client-acme",
        "scope": "read_write",
        "token_type": "bearer",
        "exp": int(NOW.timestamp()) + 3600,
    }


def test_refresh_token_has_no_end(acme: Partner) -> None:
    answer = answer_of(introspect(acme, acme.tokens()["refresh_token"], token_type_hint="junk"))

    assert answer["active"] is True
    assert "exp" not in answer


def test_narrowed_token_is_described_as_narrow(acme: Partner) -> None:
    refresh = acme.tokens()["refresh_token"]
    token = answer_of(acme.refresh(refresh, scope="free_busy"))["access_token"]

    assert "free_busy" == answer_of(introspect(acme, token))["scope"]


def test_what_does_not_work_is_just_inactive(acme: Partner, clock: FixedClock) -> None:
    expired = acme.tokens()["access_token"]
    clock.advance(hours=1)
    tokens = acme.tokens()
    acme.revoke(token=tokens["access_token"])

    dead = (expired, tokens["access_token"], tokens["refresh_token"], "unknown")

    assert all(introspect(acme, token).json == INACTIVE for token in dead)


def test_another_applications_token_is_just_inactive(acme: Partner, rival: Partner) -> None:
    tokens = acme.tokens()

    assert introspect(rival, tokens["access_token"]).json == INACTIVE
    assert introspect(rival, tokens["refresh_token"]).json == INACTIVE


def test_caller_must_be_authenticated(acme: Partner, mobile: Partner) -> None:
    """Section 2.1: so that nobody can fish for tokens; a public client cannot be."""
    anonymous = introspect(acme, "x", client_secret="")
    public = introspect(mobile, mobile.tokens()["access_token"])

    assert error_of(anonymous) == (401, "invalid_client")
    assert error_of(public) == (401, "invalid_client")


def test_missing_token_is_an_invalid_request(acme: Partner) -> None:
    assert error_of(introspect(acme, "")) == (400, "invalid_request")
