"""Errors: JSON for applications, pages for people, and nothing of what happened inside."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Response
from sqlalchemy.exc import OperationalError

from broker.errors import (
    BrokerError,
    EditConflict,
    Forbidden,
    NotFound,
    ProtocolError,
    ProviderUnavailable,
    RateLimited,
    SealBroken,
    TooManyRequests,
    UserError,
)
from broker.services.features import FeatureOff
from tests.web.api_world import Person, World, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


@pytest.fixture
def maria(world: World) -> Person:
    return world.person()


def raising(world: World, error: Exception, path: str) -> None:
    """Route *path* to something that fails."""

    def view() -> Response:
        raise error

    world.app.add_url_rule(path, endpoint=path, view_func=view)


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/nothing", "/v1/events/x", "/v1/availability", "/oauth/nothing", "/v1/a/b"],
)
def test_unknown_path_is_404_in_json(maria: Person, path: str) -> None:
    answer = maria.get(path)

    assert answer.status_code == 404
    assert answer.json == {"error": "not_found"}
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/calendars"),
        ("POST", "/v1/calendars/cal_x_1/events"),
        ("DELETE", "/v1/calendars/cal_x_1/events"),
        ("POST", "/v1/calendars/cal_x_1/events/evt_external_0/participation_status"),
        ("DELETE", "/v1/events?delete_all=True"),
        ("POST", "/v1/batch"),
        ("POST", "/v1/channels"),
        ("GET", "/v1/channels"),
        ("DELETE", "/v1/channels/chn_0"),
        ("POST", "/v1/link_tokens"),
    ],
)
def test_what_comes_later_says_so(world: World, maria: Person, method: str, path: str) -> None:
    world.grant(maria.token, "read_write create_calendar")

    answer = maria.http.open(path, method=method, headers=maria.headers, json={})

    assert answer.status_code == 501
    assert answer.json is not None
    assert answer.json["error"] == "not_implemented"
    assert "Nothing was changed" in answer.json["error_description"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_wrong_method_is_405_in_json(maria: Person, method: str) -> None:
    answer = maria.http.open("/v1/events", method=method, headers=maria.headers, json={})

    assert answer.status_code == 405
    assert answer.json == {"error": "method_not_allowed"}
    assert "GET" in answer.headers["Allow"]
    assert maria.get("/v1/profiles/pro_x/revoke").status_code == 405


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound("calendar"), 404, "not_found"),
        (Forbidden("no"), 403, "forbidden"),
        (FeatureOff("geo"), 402, "feature_off"),
        (EditConflict("etag"), 409, "conflict"),
        (UserError("address_private", "An internal answer."), 400, "address_private"),
        (RateLimited("google", "events"), 503, "temporarily_unavailable"),
        (ProviderUnavailable("google", "events", 502), 503, "temporarily_unavailable"),
        (OperationalError("SELECT secret", {}, Exception("gone")), 503, "temporarily_unavailable"),
        (ProtocolError("google", "events"), 500, "server_error"),
        (SealBroken("events"), 500, "server_error"),
        (BrokerError("secret"), 500, "server_error"),
        (ZeroDivisionError("secret"), 500, "server_error"),
    ],
)
def test_each_error_has_its_status(
    world: World, maria: Person, error: Exception, status: int, code: str
) -> None:
    raising(world, error, "/v1/failing")
    raising(world, error, "/page/failing")

    answer, shown = maria.get("/v1/failing"), maria.get("/page/failing")

    assert (answer.status_code, answer.json["error"]) == (status, code)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json.keys() <= {"error", "request_id"}
    for said in (answer, shown):
        assert ("Retry-After" in said.headers) is (status == 503)
    assert (shown.status_code, shown.text) == (status, f"page {code}")


@pytest.mark.parametrize(("seconds", "header"), [(0.2, "1"), (1.0, "1"), (41.5, "42")])
def test_too_many_requests_says_when_to_come_back(
    world: World, maria: Person, seconds: float, header: str
) -> None:
    raising(world, TooManyRequests(timedelta(seconds=seconds)), "/v1/failing")

    answer = maria.get("/v1/failing")

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, header)


def test_failure_is_found_in_the_log_by_its_id_and_tells_no_more(
    world: World, maria: Person, caplog: pytest.LogCaptureFixture
) -> None:
    raising(world, ZeroDivisionError("a secret"), "/v1/failing")

    with caplog.at_level(logging.ERROR, "broker.web.errors"):
        answer = maria.get("/v1/failing")

    (record,) = caplog.records
    assert answer.json["request_id"] == record.__dict__["reference"]
    assert "secret" not in answer.text
    assert record.exc_info is not None


def test_requests_over_the_limit_are_429(tmp_path: Path) -> None:
    with make_world(tmp_path, requests_per_second=3) as world:
        person, colleague = world.person(), world.person()
        for _ in range(5):
            assert world.app.test_client().get("/v1/account").status_code == 401
        assert [person.get("/v1/account").status_code for _ in range(4)] == [200, 200, 200, 429]

        answer = person.get("/v1/account")
        assert answer.json == {"error": "too_many_requests"}
        assert answer.headers["Retry-After"] == "1"
        assert colleague.get("/v1/account").status_code == 200
        world.clock.advance(seconds=1)
        assert person.get("/v1/account").status_code == 200
