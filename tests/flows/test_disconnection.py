"""How connections end, and the bad days on which they must not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from broker.models import Connection, Profile, transaction
from broker.services import connections, housekeeping, tasks, work
from broker.services.tasks import Kind
from tests.world import ADA, GRACE, Tokens, World, csrf

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

FULL_DAY = {"start": {"date": "2026-03-10"}, "end": {"date": "2026-03-11"}}


def summaries(world: World, tokens: Tokens) -> list[str]:
    """Read the titles that the application sees, with a token that is still good."""
    return sorted(event["summary"] for event in world.events(world.renew(tokens)))


def refuse(world: World) -> None:
    """Let Google end the grant, and let us notice."""
    world.faults.set(ADA, "revoked_grant")
    world.clock.advance(hours=2)
    world.work()


# -- a clear refusal


def test_a_revoked_grant_disconnects_and_stops_every_task(world: World) -> None:
    """Only a provider's clear refusal ends a connection; one refusal stops all jobs."""
    tokens = world.connected(ADA)
    world.work()
    before = summaries(world, tokens)
    refused = world.calls("/token")

    refuse(world)

    profile = world.profile(tokens)
    assert profile["profile_connected"] is False
    assert profile["profile_relink_url"] == (
        f"{world.settings.public_url}/relink/{profile['profile_id']}"
    )
    assert profile["profile_sync"]["reason"] == "authorization_lost"
    assert "next_due" not in profile["profile_sync"]
    assert world.rows("SELECT kind FROM tasks") == []
    assert world.calls("/token") == refused + 1
    assert summaries(world, tokens) == before
    world.clock.advance(days=3)
    assert world.work() == 0


def test_a_permission_taken_away_disconnects_and_connecting_again_gives_it_back(
    world: World,
) -> None:
    """google.md 20: 403 insufficientPermissions means to ask the person again."""
    tokens = world.connected(ADA)
    world.work()
    for token in world.state.world.refresh_tokens.values():
        token.scopes = ["openid"]
    world.clock.advance(hours=2)

    world.work()

    profile = world.profile(tokens)
    assert profile["profile_connected"] is False
    assert profile["profile_sync"]["reason"] == "permission_missing"
    assert "connect the calendar again" in profile["profile_sync"]["reason_text"]
    assert world.rows("SELECT kind FROM tasks") == []
    world.relink(profile["profile_id"])
    world.work()
    healed = world.profile(tokens)
    assert healed["profile_connected"] is True
    assert "reason" not in healed["profile_sync"]


@pytest.mark.parametrize("reason", ["domainPolicy", "notACalendarUser", "something new"])
def test_what_connecting_again_cannot_mend_asks_nobody_to(world: World, reason: str) -> None:
    tokens = world.connected(ADA)
    world.work()
    world.google.app = _refusing(world.google.app, 403, reason)

    for _ in range(3):
        world.clock.advance(hours=2)
        world.work()

    profile = world.profile(tokens)
    assert profile["profile_connected"] is True
    assert profile["profile_sync"]["reason"] == "not_permitted"
    assert "again" not in profile["profile_sync"]["reason_text"]


def test_a_relink_heals_in_one_step_and_keeps_the_profile(world: World) -> None:
    """product-behaviour 1.14."""
    tokens = world.connected(ADA)
    world.work()
    profile_id = world.profile(tokens)["profile_id"]
    refuse(world)
    world.faults.clear()
    world.state.person(ADA).create_event(summary="While away", **FULL_DAY)

    page = world.relink(profile_id)
    world.work()

    assert page.status_code == 200
    assert "Your calendar is connected again" in page.text
    healed = world.profile(tokens)
    assert healed["profile_id"] == profile_id
    assert healed["profile_connected"] is True
    assert "profile_relink_url" not in healed
    assert "reason" not in healed["profile_sync"]
    assert "While away" in summaries(world, tokens)
    world.state.person(ADA).create_event(summary="Afterwards", **FULL_DAY)
    world.work()
    assert "Afterwards" in summaries(world, tokens)


def test_connecting_again_through_the_application_heals_too(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()
    refuse(world)
    world.faults.clear()

    again = world.connected(ADA)
    world.work()

    assert again.sub == tokens.sub
    assert world.profile(tokens)["profile_connected"] is True
    assert world.count("connections") == 1


def test_a_relink_of_a_connection_nobody_uses_does_not_start_it_again(world: World) -> None:
    """Without a live grant nobody may read: the copy is not kept fresh for nobody."""
    tokens = world.connected(ADA)
    world.work()
    profile_id = world.profile(tokens)["profile_id"]
    world.revoke(tokens)

    world.relink(profile_id)

    kinds = {kind for (kind,) in world.rows("SELECT kind FROM tasks")}
    assert kinds <= {"retire", "unsubscribe"}
    assert world.work() == 0


# -- faults that pass


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("server_error_500", "provider_unavailable"),
        ("bad_gateway_502", "provider_unavailable"),
        ("unavailable_503", "provider_unavailable"),
        ("gateway_timeout_504", "provider_unavailable"),
        ("slow", "provider_unavailable"),
        ("slow_headers", "provider_unavailable"),
        ("throttled_429", "rate_limited"),
        ("throttled_403", "rate_limited"),
        ("quota_403", "rate_limited"),
        ("truncated_body", "provider_unavailable"),
        ("invalid_json", "unreadable_answer"),
        ("refresh_500", "provider_unavailable"),
        ("invalid_client", "configuration_refused"),
    ],
)
def test_a_fault_that_passes_loses_nothing_and_heals(world: World, fault: str, reason: str) -> None:
    """A network fault never ends a connection; status says why, and stops saying it."""
    tokens = world.connected(ADA)
    world.work()
    before = summaries(world, tokens)
    world.faults.set(ADA, "lost_push")
    world.state.person(ADA).create_event(summary="Meanwhile", **FULL_DAY)
    world.faults.set(None, fault, seconds=300)

    for _ in range(4):
        world.clock.advance(hours=2)
        world.work()

    profile = world.profile(tokens)
    assert profile["profile_connected"] is True
    assert profile["profile_sync"]["reason"] == reason
    assert profile["profile_sync"]["reason_text"]
    assert profile["profile_sync"]["last_attempt"] > profile["profile_sync"]["last_success"]
    assert summaries(world, tokens) == before
    assert world.count("connections") == 1
    world.faults.clear()
    world.clock.advance(hours=2)
    world.work()
    assert "reason" not in world.profile(tokens)["profile_sync"]
    assert summaries(world, tokens) == sorted([*before, "Meanwhile"])


def test_an_oversized_answer_loses_nothing(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()
    before = summaries(world, tokens)
    world.faults.set(ADA, "oversized_body", times=1)
    world.clock.advance(hours=2)

    world.work()

    assert world.profile(tokens)["profile_connected"] is True
    assert summaries(world, tokens) == before


def test_a_lost_connection_loses_nothing(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()
    before = summaries(world, tokens)

    def away(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise ConnectionResetError("gone")

    world.google.app = away
    for _ in range(5):
        world.clock.advance(hours=2)
        world.work()

    profile = world.profile(tokens)
    assert profile["profile_connected"] is True
    assert profile["profile_sync"]["reason"] == "provider_unavailable"
    assert summaries(world, tokens) == before


def test_a_service_without_push_is_well(world: World) -> None:
    """Polling finds what push does not tell: nothing is out of date."""
    google = world.google.app

    def without_push(environ: dict[str, Any], start_response: Any) -> Any:
        is_watch = environ["PATH_INFO"].endswith("/watch")
        return (_unavailable if is_watch else google)(environ, start_response)

    world.google.app = without_push
    tokens = world.connected(ADA)
    world.work()
    world.clock.advance(minutes=10)
    world.state.person(ADA).create_event(summary="Polled", **FULL_DAY)
    world.work()

    assert world.rows("SELECT reason FROM tasks WHERE kind = 'subscribe' AND reason IS NOT NULL")
    assert "Polled" in summaries(world, tokens)
    assert "reason" not in world.profile(tokens)["profile_sync"]


def test_retry_after_is_obeyed_and_push_does_not_override_it(world: World) -> None:
    """RFC 9110 section 10.2.3: we come back when we are told to."""
    tokens = world.connected(ADA)
    world.work()
    world.faults.set(ADA, "throttled_429")
    world.clock.advance(hours=2)
    world.work()
    asked = world.calls("/events", method="GET")

    for _ in range(5):
        world.state.person(ADA).create_event(summary="Push", **FULL_DAY)
        world.work()

    assert world.calls("/events", method="GET") == asked
    world.faults.clear()
    world.clock.advance(seconds=3)
    world.work()
    assert "Push" in summaries(world, tokens)


@pytest.mark.parametrize(("fault", "pause"), [("throttled_429", 2), ("quota_403", 3600)])
def test_a_pause_is_the_whole_logins(world: World, fault: str, pause: int) -> None:
    """google.md 20: quotas are counted per person; the second call makes it worse."""
    tokens = world.connected(ADA)
    world.work()
    world.clock.advance(hours=2)
    world.faults.set(ADA, fault)
    asked = world.calls("/calendar/v3")
    world.work()

    world.state.person(ADA).create_event(summary="Push", **FULL_DAY)
    world.clock.advance(seconds=pause - 1)
    world.work()

    assert world.calls("/calendar/v3") == asked + 1
    assert world.profile(tokens)["profile_sync"]["reason"] == "rate_limited"
    world.clock.advance(seconds=1)
    world.work()
    assert world.calls("/calendar/v3") == asked + 2
    world.faults.clear()
    world.clock.advance(seconds=pause)
    world.work()
    assert "Push" in summaries(world, tokens)
    assert "reason" not in world.profile(tokens)["profile_sync"]


def test_a_pause_without_a_given_length_grows_for_all_together(world: World) -> None:
    world.connected(ADA)
    world.work()
    world.clock.advance(hours=2)
    world.faults.set(ADA, "throttled_403")
    asked = world.calls("/calendar/v3")

    for _ in range(60):
        world.work()
        world.clock.advance(minutes=1)

    assert world.calls("/calendar/v3") - asked <= 12


def test_one_persons_pause_is_nobody_elses(world: World) -> None:
    world.connected(ADA)
    grace = world.connected(GRACE)
    world.work()
    world.clock.advance(hours=2)
    world.faults.set(ADA, "quota_403")
    world.work()
    world.state.person(GRACE).create_event(summary="Grace's", **FULL_DAY)

    world.work()

    assert "Grace's" in summaries(world, grace)


def test_failures_are_retried_ever_more_slowly(world: World) -> None:
    world.connected(ADA)
    world.work()
    world.faults.set(ADA, "server_error_500")
    world.clock.advance(hours=2)
    world.work()
    asked = world.calls("/events", method="GET")

    for _ in range(60):
        world.clock.advance(minutes=1)
        world.work()

    # Three calendars; doubling from 5 s to an hour: a few tries each, not sixty.
    assert world.calls("/events", method="GET") - asked <= 60


# -- credentials


def test_an_expired_access_token_is_renewed_before_it_is_used(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()
    spent = world.calls("/token")
    world.clock.advance(hours=2)

    world.work()

    assert world.calls("/token") == spent + 1
    assert world.profile(tokens)["profile_connected"] is True


def test_one_refused_access_token_is_renewed_once(world: World) -> None:
    """A 401 is first taken for an expired token: one forced refresh, then the same call."""
    tokens = world.connected(ADA)
    world.work()
    spent = world.calls("/token")
    world.state.world.access_tokens.clear()
    world.state.person(ADA).create_event(summary="Still there", **FULL_DAY)

    world.work()

    assert world.calls("/token") == spent + 1
    assert "Still there" in summaries(world, tokens)


def test_an_api_that_refuses_every_token_ends_no_connection(world: World) -> None:
    """Only the refusal to renew may: an API that is ill must not send everybody away."""
    tokens = world.connected(ADA)
    world.work()
    before = summaries(world, tokens)
    real, world.google.app = world.google.app, _refusing(world.google.app, 401, "authError")

    for _ in range(4):
        world.clock.advance(hours=2)
        world.work()

    profile = world.profile(tokens)
    assert profile["profile_connected"] is True
    assert profile["profile_sync"]["reason"] == "provider_unavailable"
    assert summaries(world, tokens) == before
    world.google.app = real
    world.state.person(ADA).create_event(summary="Afterwards", **FULL_DAY)
    world.clock.advance(hours=2)
    world.work()
    assert "reason" not in world.profile(tokens)["profile_sync"]
    assert "Afterwards" in summaries(world, tokens)


def _refusing(google: WSGIApplication, status: int, reason: str) -> WSGIApplication:
    """Let the API refuse what the token endpoint gives."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith("/calendar/v3"):
            return google(environ, start_response)
        start_response(f"{status} No", [("Content-Type", "application/json")])
        return [json.dumps({"error": {"code": status, "errors": [{"reason": reason}]}}).encode()]

    return app


def test_a_refused_refresh_is_not_tried_again(world: World) -> None:
    """One clear refusal is enough."""
    world.connected(ADA)
    world.work()
    refused = world.calls("/token")
    world.state.world.refresh_tokens.clear()
    world.state.world.access_tokens.clear()
    world.clock.advance(hours=2)

    world.work()

    assert world.calls("/token") == refused + 1


def test_a_rotated_refresh_token_is_stored(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()
    world.faults.set(ADA, "rotate_refresh")

    for _ in range(3):
        world.clock.advance(hours=2)
        world.work()

    assert world.profile(tokens)["profile_connected"] is True
    assert world.calls("/token") >= 4


# -- leaving


def test_revoking_the_last_profile_gives_the_grant_back_once_and_shreds(world: World) -> None:
    """D3: nothing opens any more, and the rows are gone."""
    tokens = world.connected(ADA)
    world.work()

    answer = world.revoke_profile(tokens)
    world.work()

    assert answer.status_code == 202
    assert world.calls("/revoke") == 1
    assert world.state.world.refresh_tokens == {}
    for table in ("connections", "profiles", "calendars", "events", "occurrences", "revocations"):
        assert world.count(table) == 0, table
    assert world.get(world.renew(tokens), "/v1/profiles").get_json() == {"profiles": []}
    assert world.events(world.renew(tokens)) == []
    world.clock.advance(days=40)
    world.work()
    assert world.calls("/revoke") == 1


def test_the_grant_is_given_back_only_with_the_last_application(world: World) -> None:
    """product-behaviour 1.14: reference-counted, across applications."""
    first = world.connected(ADA)
    second = world.connected_to(world.partner())
    world.work()
    kept = summaries(world, second)

    world.revoke_profile(first)
    world.work()

    assert world.calls("/revoke") == 0
    assert summaries(world, second) == kept
    assert world.profile(second)["profile_connected"] is True
    world.revoke_profile(second)
    world.work()
    assert world.calls("/revoke") == 1
    assert world.count("connections") == 0


def test_the_grant_is_kept_while_another_access_mode_rests_on_it(world: World) -> None:
    """Google revokes per person and project: a second mode would die with the first."""
    tokens = world.connected(ADA)
    world.work()
    other = world.connected_to(world.partner())
    _split_into_another_mode(world, other)

    world.revoke_profile(tokens)
    world.work()
    assert (world.count("connections"), world.calls("/revoke")) == (1, 0)

    world.revoke_profile(other)
    world.work()

    assert (world.count("connections"), world.calls("/revoke")) == (0, 1)


def _split_into_another_mode(world: World, tokens: Tokens) -> None:
    """Give the account of *tokens* a connection of the same login in another mode."""
    with world.app.app_context(), transaction() as session:
        held = session.query(Connection).one()
        columns = {c.name: getattr(held, c.name) for c in Connection.__table__.columns}
        made = Connection(**columns | {"id": "con_other", "access_mode": "free_busy"})
        runtime = world.runtime
        secret = connections.credential(runtime.vault, held)
        who = connections.identity(runtime.vault, held)
        made.wrapped_key = runtime.vault.new_data_key(connections.key_place(made.id))
        key = connections.data_key(runtime.vault, made)
        made.sealed_credential = connections.seal_credential(key, made.id, secret)
        made.sealed_identity = connections.seal_identity(key, made.id, who)
        session.add(made)
        session.flush()
        profile = session.query(Profile).filter_by(account_id=tokens.sub).one()
        profile.connection_id = made.id


def test_a_revocation_that_fails_is_tried_again_and_given_up_in_the_end(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()
    leave_while_google_is_away(world, tokens)
    assert world.count("connections") == 0

    world.clock.advance(hours=1)
    world.work()

    assert world.calls("/revoke") == 1
    assert world.count("revocations") == 0

    again = world.connected(ADA)
    world.work()
    world.google.app = _unavailable
    world.revoke_profile(again)
    for _ in range(20):
        world.clock.advance(hours=2)
        world.work()
    assert world.count("revocations") == 0


def test_a_late_revocation_does_not_end_the_grant_of_who_has_connected_again(world: World) -> None:
    """Google revokes per person and project: the new grant would die with the old one."""
    left = world.connected(ADA)
    world.work()
    leave_while_google_is_away(world, left)
    tokens = world.connected(ADA)

    world.clock.advance(hours=2)
    world.work()

    assert (world.count("revocations"), world.calls("/revoke")) == (0, 0)
    assert world.profile(tokens)["profile_connected"] is True
    world.revoke_profile(tokens)
    world.work()
    assert (world.count("revocations"), world.calls("/revoke")) == (0, 1)


def leave_while_google_is_away(world: World, tokens: Tokens) -> None:
    """Let a person leave whose grant cannot be given back."""
    real, world.google.app = world.google.app, _unavailable
    world.revoke_profile(tokens)
    world.work()
    world.google.app = real
    assert world.count("revocations") == 1


def _unavailable(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("503 Away", [("Content-Type", "text/plain")])
    return [b""]


def test_revoking_the_token_stops_the_sync_and_retires_the_connection_later(
    world: World,
) -> None:
    """RFC 7009, and what is kept for retention_days only."""
    tokens = world.connected(ADA)
    world.work()
    reads = world.calls("/events")

    world.revoke(tokens)
    world.clock.advance(days=29)
    world.work()

    assert world.calls("/events") == reads
    assert world.count("connections") == 1
    world.clock.advance(days=2)
    world.work()
    assert world.count("connections") == 0
    assert world.count("events") == 0
    assert world.calls("/revoke") == 1


def test_connecting_again_before_that_revives(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()
    world.revoke(tokens)
    world.clock.advance(days=29)
    world.state.person(ADA).create_event(summary="While away", **FULL_DAY)

    again = world.connected(ADA)
    world.clock.advance(days=5)
    world.work()

    assert again.sub == tokens.sub
    assert world.count("connections") == 1
    assert world.calls("/revoke") == 0
    assert "While away" in summaries(world, again)


def test_revoking_one_of_two_applications_tokens_stops_nothing(world: World) -> None:
    first = world.connected(ADA)
    second = world.connected_to(world.partner())
    world.work()

    world.revoke(first)
    world.state.person(ADA).create_event(summary="Later", **FULL_DAY)
    world.work()

    assert "Later" in summaries(world, second)


def test_revoking_the_grant_that_was_left_stops_after_a_profile_was_revoked(
    world: World,
) -> None:
    first = world.connected(ADA)
    second = world.connected_to(world.partner())
    world.work()
    world.revoke(second)

    world.revoke_profile(first)

    (unused,) = world.rows("SELECT unused_since FROM connections")
    assert unused[0] is not None
    assert {kind for (kind,) in world.rows("SELECT kind FROM tasks")} <= {
        "retire",
        "unsubscribe",
        "clean_up",
    }


def test_a_grant_whose_code_was_never_exchanged_is_cleaned_up(world: World) -> None:
    """Nobody holds a token of it, so nobody may read: it counts as revoked."""
    world.connect(ADA)
    _clean_up(world, timedelta(0))
    world.work()
    assert world.rows("SELECT revoked_at FROM grants")[0][0] is None

    _clean_up(world, timedelta(hours=1))

    assert world.rows("SELECT revoked_at FROM grants")[0][0] is not None
    (unused,) = world.rows("SELECT unused_since FROM connections")
    assert unused[0] is not None
    reads = world.calls("/events")
    world.clock.advance(days=31)
    world.work()
    assert world.calls("/events") == reads
    assert world.count("connections") == 0


def test_a_grant_in_use_survives_the_clean_up(world: World) -> None:
    tokens = world.connected(ADA)
    world.connect(ADA)
    world.work()

    for _ in range(4):
        _clean_up(world, timedelta(hours=13))
        world.work()

    assert world.profile(tokens)["profile_connected"] is True
    assert len(world.events(world.renew(tokens))) > 20
    assert world.count("authorization_codes") == 0


def test_the_last_access_token_of_a_grant_ends_it_however_old(world: World) -> None:
    """pycronofy revokes by the access token that it has; earlier ones are cleaned up."""
    first = world.connected(ADA)
    world.clock.advance(minutes=1)
    tokens = world.renew(first)
    assert world.count("access_tokens") == 2

    _clean_up(world, timedelta(days=40))
    assert world.count("access_tokens") == 1
    answer = world.browser().post("/oauth/token/revoke", json={**world.own, "token": tokens.access})

    assert answer.status_code == 200
    assert world.rows("SELECT revoked_at FROM grants")[0][0] is not None
    _clean_up(world, timedelta(hours=1))
    assert world.count("access_tokens") == 0


def _clean_up(world: World, after: timedelta) -> None:
    world.clock.advance(seconds=after.total_seconds())
    with world.app.app_context():
        housekeeping.ensure(world.runtime)
        now = world.clock.now()
        with transaction() as session:
            task_id = tasks.want(session, Kind.CLEAN_UP, "broker", now, now)
        assert work.run(world.runtime, task_id)


def test_a_refusal_of_the_old_login_does_not_end_the_one_that_replaced_it(world: World) -> None:
    """The person connects again while Google is still refusing the old refresh token."""
    tokens = world.connected(ADA)
    world.work()
    world.state.world.access_tokens.clear()
    real = world.google.app

    def slow_refusal(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        world.google.app = real
        world.connected(ADA)
        start_response("400 Bad Request", [("Content-Type", "application/json")])
        return [b'{"error": "invalid_grant"}']

    world.google.app = slow_refusal
    world.clock.advance(hours=2)

    world.work()

    assert world.profile(tokens)["profile_connected"] is True
    assert world.rows("SELECT disconnected_reason FROM connections") == [(None,)]


def test_a_relink_that_is_cancelled_does_not_say_that_it_worked(world: World) -> None:
    tokens = world.connected(ADA)
    world.work()
    refuse(world)
    profile = world.profile(world.renew(tokens))
    browser = world.browser()
    relink = profile["profile_relink_url"].removeprefix(world.settings.public_url)
    opened = world.begin(browser, relink)
    handle = opened.headers["Location"].split("/")[2]
    page = browser.get(opened.headers["Location"])

    left = browser.post(f"/connect/{handle}/cancel", data={"csrf_token": csrf(page)})

    for _time in range(2):
        shown = browser.get(left.headers["Location"])
        assert "connected again" not in shown.text
        assert "Nothing was connected" in shown.text
    assert world.profile(world.renew(tokens))["profile_connected"] is False


def test_a_token_that_lives_for_seconds_is_not_refreshed_without_end(world: World) -> None:
    world.connected(ADA)
    google, asked = world.google.app, [0]

    def hasty(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = b"".join(google(environ, start_response))
        if not environ["PATH_INFO"].endswith("/token"):
            return [body]
        asked[0] += 1
        return [json.dumps(json.loads(body) | {"expires_in": 9}).encode()]

    world.google.app = hasty
    world.clock.advance(hours=1)

    tasks_run = world.work()

    assert 0 < asked[0] <= tasks_run + 1


def test_revoking_any_token_ends_every_grant_of_that_application(world: World) -> None:
    """An application that authorized twice and leaves means to leave (RFC 7009 section 2.1)."""
    first = world.connected(ADA)
    second = world.connected(ADA)

    world.browser().post(
        "/oauth/token/revoke",
        json={
            "client_id": "sandbox-app",
            "client_secret": "sandbox-secret-for-local-use-only",
            "token": second.refresh,
        },
    )

    assert 401 == world.get(first, "/v1/account").status_code
    refused = world.token(grant_type="refresh_token", refresh_token=first.refresh)
    assert (400, "invalid_grant") == (refused.status_code, refused.get_json()["error"])
