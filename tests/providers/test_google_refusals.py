"""What Google's refusals mean: read by reason first, status last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from flask import Response, request

from broker.domain import window_at
from broker.errors import (
    AuthorizationLost,
    BrokerError,
    CalendarGone,
    ConfigurationRefused,
    CursorExpired,
    EditConflict,
    PermissionMissing,
    ProtocolError,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    ScopeMissing,
)
from broker.http import Answer
from broker.logins import OAuthCredential
from broker.providers._google_api import refusal
from broker.providers.google import GoogleClient
from tests.providers.test_google import NOW
from tests.providers.test_google_oauth import Canned

CREDENTIAL = OAuthCredential("ya29.access", "1//refresh", NOW)
EVENTS = "calendars/ann%40corp.example/events"
HTML = b"<!DOCTYPE html><title>Error 502 (Server Error)!!1</title>"


def answer(status: int, body: Any, **headers: str) -> Answer:
    """Make an answer; *body* is JSON unless it is bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, headers, raw, "https://google.test/")


def envelope(reason: str, **more: Any) -> dict[str, Any]:
    """Make Google's error envelope."""
    return {"error": {"errors": [{"domain": "global", "reason": reason}], **more}}


@pytest.mark.parametrize(
    ("status", "reason", "expected", "detail"),
    [
        (400, "timeRangeEmpty", ProtocolError, ""),
        (400, "invalid", ProtocolError, ""),
        (401, "authError", AuthorizationLost, ""),
        (401, "required", AuthorizationLost, ""),
        (403, "insufficientPermissions", ScopeMissing, "permission_unticked"),
        (403, "accessNotConfigured", ConfigurationRefused, "api_disabled"),
        (403, "forbidden", CalendarGone, ""),
        (403, "requiredAccessLevel", CalendarGone, ""),
        (403, "forbiddenForServiceAccounts", PermissionMissing, ""),
        (403, "notACalendarUser", PermissionMissing, "calendar_service_off"),
        (403, "domainPolicy", PermissionMissing, "domain_policy"),
        (403, "userRateLimitExceeded", RateLimited, ""),
        (403, "rateLimitExceeded", RateLimited, ""),
        (429, "rateLimitExceeded", RateLimited, ""),
        (403, "quotaExceeded", RateLimited, "quota"),
        (403, "dailyLimitExceeded", RateLimited, "quota"),
        (404, "notFound", CalendarGone, ""),
        (410, "fullSyncRequired", CursorExpired, ""),
        (410, "updatedMinTooLongAgo", CursorExpired, ""),
        (500, "backendError", ProviderUnavailable, ""),
        (503, "backendError", ProviderUnavailable, ""),
        (503, "quotaExceeded", ProviderUnavailable, ""),
    ],
)
def test_reason_decides(
    status: int, reason: str, expected: type[ProviderError], detail: str
) -> None:
    error = refusal(answer(status, envelope(reason)), "events.list", EVENTS, NOW)

    assert isinstance(error, ProviderError)
    assert (expected, detail, status) == (type(error), error.detail, error.status)


@pytest.mark.parametrize(("status", "reason"), [(409, "duplicate"), (412, "conditionNotMet")])
def test_conflict(status: int, reason: str) -> None:
    error = refusal(answer(status, envelope(reason)), "events.patch", EVENTS, NOW)

    assert EditConflict is type(error)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            403,
            {
                "error": {
                    "status": "PERMISSION_DENIED",
                    "details": [{"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}],
                }
            },
            ScopeMissing,
        ),
        (
            403,
            {
                "error": {
                    "status": "PERMISSION_DENIED",
                    "details": [{"@type": "Help"}, {"reason": "SERVICE_DISABLED"}],
                }
            },
            ConfigurationRefused,
        ),
        (429, {"error": {"status": "RESOURCE_EXHAUSTED"}}, RateLimited),
        (401, {"error": {"status": "UNAUTHENTICATED"}}, AuthorizationLost),
        (404, {"error": {"status": "NOT_FOUND"}}, CalendarGone),
        (403, {"error": {"status": "PERMISSION_DENIED"}}, PermissionMissing),
        (429, HTML, RateLimited),
        (410, b"", CursorExpired),
        (502, HTML, ProviderUnavailable),
        (500, b"", ProviderUnavailable),
        (401, HTML, ProviderUnavailable),
        (403, HTML, ProviderUnavailable),
        (404, HTML, ProviderUnavailable),
        (302, b"", ProviderUnavailable),
        (404, {"error": "not_found"}, ProviderUnavailable),
        (404, b"\xff", ProviderUnavailable),
    ],
)
def test_without_a_reason_the_next_best_decides(
    status: int, body: Any, expected: type[BrokerError]
) -> None:
    assert expected is type(refusal(answer(status, body), "events.list", EVENTS, NOW))


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [(404, "notFound", ProtocolError), (403, "forbidden", PermissionMissing)],
)
def test_only_a_calendar_can_be_gone(status: int, reason: str, expected: type[BrokerError]) -> None:
    error = refusal(
        answer(status, envelope(reason)), "calendarList.list", "users/me/calendarList", NOW
    )

    assert expected is type(error)


@pytest.mark.parametrize(
    ("reason", "headers", "pause"),
    [
        ("rateLimitExceeded", {}, None),
        ("rateLimitExceeded", {"Retry-After": "7"}, timedelta(seconds=7)),
        ("quotaExceeded", {}, timedelta(hours=1)),
        ("dailyLimitExceeded", {}, timedelta(hours=1)),
        ("quotaExceeded", {"Retry-After": "7200"}, timedelta(hours=2)),
    ],
)
def test_wait(reason: str, headers: Mapping[str, str], pause: timedelta | None) -> None:
    error = refusal(answer(403, envelope(reason), **headers), "events.list", EVENTS, NOW)

    assert isinstance(error, RateLimited)
    assert pause == error.retry_after


@pytest.mark.parametrize("body", [HTML, envelope("backendError")])
def test_trouble_says_how_long_it_takes(body: Any) -> None:
    error = refusal(answer(503, body, **{"Retry-After": "7"}), "events.list", EVENTS, NOW)

    assert isinstance(error, RateLimited)
    assert timedelta(seconds=7) == error.retry_after


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b'{"items": [', {}, ProtocolError),
        (b'{"items": {}, "nextSyncToken": "t"}', {}, ProtocolError),
        (b"[]", {}, ProtocolError),
        (b"", {}, ProtocolError),
        (b'{"items": []}', {}, ProtocolError),
        (b'{"nextSyncToken": "t"}', {}, ProtocolError),
        (b'{"items": null, "nextSyncToken": "t"}', {}, ProtocolError),
        (HTML, {"Content-Type": "text/html; charset=UTF-8"}, ProviderUnavailable),
        (b'{"items": [], "nextPageToken": "again"}', {}, ProtocolError),
    ],
)
def test_success_that_is_none(
    body: bytes, headers: Mapping[str, str], expected: type[ProviderError]
) -> None:
    canned = Canned().says(200, body, **headers)

    with pytest.raises(expected):
        list(canned.provider.client(CREDENTIAL).changes("ann@corp.example", None, window_at(NOW)))


class Masking(Canned):
    """A calendar without events, whose empty list shows only where no mask is asked for."""

    def answer(self, path: str) -> Response:
        self.says(200, {"nextSyncToken": "t"} | ({} if "fields" in request.args else {"items": []}))
        return super().answer(path)


@pytest.mark.parametrize(("cursor", "calls"), [(None, 2), ("before", 1)])
def test_an_empty_list_that_the_mask_left_out_is_asked_for(cursor: str | None, calls: int) -> None:
    masking = Masking()
    client = masking.provider.client(CREDENTIAL)

    (page,) = client.changes("ann@corp.example", cursor, window_at(NOW))

    assert ((), "t") == (page.events, page.cursor)
    assert calls == len(masking.forms)


@pytest.mark.parametrize("body", [b'{"items": [', b'{"items": [5]}', b'{"nextPageToken": "x"}'])
def test_calendar_list_that_cannot_be_read(body: bytes) -> None:
    canned = Canned().says(200, body)

    with pytest.raises(ProtocolError):
        canned.provider.client(CREDENTIAL).calendars()


@pytest.mark.parametrize("body", [b"{}", b'{"resourceId": "r", "expiration": "99999999999999999"}'])
def test_channel_that_cannot_be_read(body: bytes) -> None:
    canned = Canned().says(200, body)
    client: GoogleClient = canned.provider.client(CREDENTIAL)

    with pytest.raises(ProtocolError):
        canned.provider.open_subscription(
            client, "ann", subscription_id="s", callback_url="https://b.test/h", secret="hush"
        )


def test_refusal_quotes_nothing() -> None:
    body = envelope("surprise", message="title of the event", status="ODD ya29.access")

    error = refusal(answer(400, body), "events.list", EVENTS, NOW)

    assert "google events.list 400" == str(error)
    assert "title" not in repr(error.__dict__)
