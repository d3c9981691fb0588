"""Exchange against the sandbox: the contract, and what only Exchange does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.clock import FixedClock
from broker.domain import Busy, Window, window_at
from broker.errors import (
    AuthorizationLost,
    CursorExpired,
    LoginRejected,
    ProviderUnavailable,
    RateLimited,
)
from broker.logins import Login, PasswordCredential
from broker.providers.exchange import Exchange
from sandbox.exchange.seed import ADA, ALAN, GRACE, PASSWORD
from tests.providers.contract import HOUR, NOW, TUESDAY, ProviderContract
from tests.providers.exchange_remote import ExchangeRemote


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def window() -> Window:
    return window_at(NOW)


@pytest.fixture
def remote(tmp_path: Path, clock: FixedClock) -> Iterator[ExchangeRemote]:
    made = ExchangeRemote(tmp_path, clock)
    yield made
    made.close()


@pytest.fixture
def provider(remote: ExchangeRemote, clock: FixedClock) -> Exchange:
    return Exchange(remote.http(), clock)


@pytest.fixture
def credential(remote: ExchangeRemote) -> PasswordCredential:
    return remote.credential()


class TestContract(ProviderContract):
    """A server of today, with NTLM."""


class TestContractWithBasic(ProviderContract):
    """A server of today, with Basic."""

    @pytest.fixture
    def credential(self, remote: ExchangeRemote) -> PasswordCredential:
        return remote.credential("Basic")


class TestContractOf2007(ProviderContract):
    """The oldest server that we talk to."""

    @pytest.fixture
    def remote(self, tmp_path: Path, clock: FixedClock) -> Iterator[ExchangeRemote]:
        made = ExchangeRemote(tmp_path, clock)
        made.faults.set(None, "version", style="Exchange2007_SP1")
        yield made
        made.close()


def login(remote: ExchangeRemote, **typed: Any) -> Login:
    """Give what a person types who knows their server."""
    given = {"url": remote.url, "username": "", "password": PASSWORD, "email": ADA}
    return Login(**(given | typed))


@pytest.mark.parametrize("schemes", ["negotiate,ntlm,basic", "ntlm", "negotiate", "basic"])
@pytest.mark.parametrize("name", ["", "CORP\\ada", "CORP/ada", ADA])
def test_a_login_is_proved_with_every_scheme_and_name(
    remote: ExchangeRemote, provider: Exchange, schemes: str, name: str
) -> None:
    remote.faults.set(None, "schemes", style=schemes)
    credential, account, _ = provider.verify(login(remote, username=name))

    assert (ADA, ADA) == (account.email, account.profile_name)
    assert (ADA,) == credential.addresses
    assert provider.client(credential).calendars()
    assert 0 == remote.ada.person.bad_logons


def test_connecting_lists_the_calendars_once(remote: ExchangeRemote, provider: Exchange) -> None:
    verified = provider.verify(login(remote))

    assert verified.calendars == provider.client(verified.credential).calendars()
    assert 2 == remote.operations().count("FindFolder")


def test_the_same_mailbox_is_the_same_login_under_every_name(
    remote: ExchangeRemote, provider: Exchange
) -> None:
    subjects = {
        provider.verify(login(remote, username=name))[1].subject for name in ("", "CORP\\ada", ADA)
    }
    other = provider.verify(login(remote, email=GRACE))[1]

    assert 1 == len(subjects) and other.subject not in subjects


def test_a_colleagues_address_is_not_believed(remote: ExchangeRemote, provider: Exchange) -> None:
    mine = provider.verify(login(remote))[1]
    _, claimed, _ = provider.verify(login(remote, email=GRACE, username="CORP\\ada"))

    assert (mine.subject, None, "CORP\\ada") == (
        claimed.subject,
        claimed.email,
        claimed.profile_name,
    )


@pytest.mark.parametrize("schemes", ["negotiate,ntlm,basic", "basic"])
@pytest.mark.parametrize(
    "wrong", [{"password": "wrong"}, {"username": "CORP\\nobody"}, {"email": ALAN}]
)
def test_a_wrong_login_is_refused_once(
    remote: ExchangeRemote, provider: Exchange, schemes: str, wrong: dict[str, str]
) -> None:
    remote.faults.set(None, "schemes", style=schemes)
    with pytest.raises(LoginRejected):
        provider.verify(login(remote, **wrong))

    # The last request alone carried a proof.
    refused = [call for call in remote.calls if call.status == 401 and call.scheme]
    assert 1 == len(refused) - (schemes != "basic")
    assert remote.ada.person.bad_logons <= 1


@pytest.mark.parametrize(
    ("style", "detail"),
    [
        ("wrong_name", "certificate for another name"),
        ("expired", "certificate expired"),
        ("unknown_ca", "certificate not trusted"),
    ],
)
def test_a_bad_certificate_is_named_and_gets_no_password(
    remote: ExchangeRemote, provider: Exchange, style: str, detail: str
) -> None:
    remote.faults.set(None, "certificate", style=style)
    with pytest.raises(ProviderUnavailable) as raised:
        provider.verify(login(remote))
    assert detail == raised.value.detail
    assert [] == list(remote.calls)


def test_extended_protection_is_satisfied(remote: ExchangeRemote, provider: Exchange) -> None:
    remote.faults.set(None, "extended_protection", style="require")
    assert provider.verify(login(remote))
    remote.faults.set(None, "extended_protection", style="bridged")
    with pytest.raises(LoginRejected):
        provider.verify(login(remote))


@pytest.mark.parametrize(
    "fault", ["reset_before", "reset_after", "endless_body", "gzip_bomb", "bad_gateway"]
)
def test_hostile_weather_ends_the_reading_and_nothing_else(
    remote: ExchangeRemote, provider: Exchange, window: Window, fault: str
) -> None:
    remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
    remote.faults.set(None, fault)
    with pytest.raises(ProviderUnavailable):
        list(provider.client(remote.credential()).changes(remote.calendar_id, None, window))


@pytest.mark.parametrize("fault", ["control_characters", "byte_order_mark", "unknown_kinds"])
def test_odd_answers_are_read(
    remote: ExchangeRemote, provider: Exchange, window: Window, fault: str
) -> None:
    made = remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
    remote.faults.set(None, fault)
    pages = list(provider.client(remote.credential()).changes(remote.calendar_id, None, window))
    assert made in [event.remote_id for page in pages for event in page.events]


@pytest.mark.parametrize("style", ["", "response", "inner", "status"])
def test_a_busy_server_is_left_alone_for_as_long_as_it_says(
    remote: ExchangeRemote, provider: Exchange, style: str
) -> None:
    remote.faults.set(None, "busy", seconds=90, **({"style": style} if style else {}))
    with pytest.raises(RateLimited) as raised:
        provider.client(remote.credential()).calendars()
    assert timedelta(seconds=90) == raised.value.retry_after


def test_an_unchanged_calendar_costs_one_request(
    remote: ExchangeRemote, provider: Exchange, window: Window
) -> None:
    remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
    client = provider.client(remote.credential())
    cursor = list(client.changes(remote.calendar_id, None, window))[-1].cursor
    remote.calls.clear()
    list(client.changes(remote.calendar_id, cursor, window))

    assert ["SyncFolderItems"] == [call.operation for call in remote.calls]


def test_the_calendars_of_a_mailbox(remote: ExchangeRemote, provider: Exchange) -> None:
    calendars = {one.name: one for one in provider.client(remote.credential()).calendars()}

    assert {"Calendar", "Engine works", "Birthdays", "Lab"} == set(calendars)
    assert [True] == [one.primary for one in calendars.values() if one.primary]
    assert calendars["Calendar"].primary
    assert calendars["Birthdays"].read_only and not calendars["Birthdays"].counts_as_busy


def test_adas_own_calendar_reads_as_it_is(
    remote: ExchangeRemote, provider: Exchange, window: Window
) -> None:
    client = provider.client(remote.credential())
    main = next(one for one in client.calendars() if one.primary)
    events = [e for page in client.changes(main.remote_id, None, window) for e in page.events]
    found = {event.content.summary: event for event in events}

    assert found["Dentist"].content.private
    assert Busy.OUT_OF_OFFICE is found["Holiday in Ockham"].busy
    assert found["Holiday in Ockham"].all_day
    assert Busy.FREE is found["Lunch"].busy
    review = found["Engine review; drums & cards"]
    assert "Agenda" in review.content.description and "<" not in review.content.description
    assert "grace@corp.calbroker.test" in [one.email for one in review.content.attendees]
    standup = found["Daily stand-up"]
    assert standup.start is not None and "Europe/London" == standup.start.tzid
    assert 2 == len(standup.recurrence)
    assert standup.remote_id == found["Daily stand-up (long)"].series_id


def test_a_dripping_body_ends_the_reading(
    remote: ExchangeRemote, provider: Exchange, window: Window
) -> None:
    """The stand-in drips as long as it is let; the caller's deadline is shorter."""
    remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
    client = provider.client(remote.credential())
    client.calendars()
    remote.faults.set(None, "drip", seconds=120)
    remote.listening.front.sleep = lambda seconds: remote.clock.sleep(timedelta(seconds=seconds))
    with pytest.raises(ProviderUnavailable):
        list(client.changes(remote.calendar_id, None, window))


def test_a_dead_sync_state_is_read_anew_and_not_taken_for_an_empty_calendar(
    remote: ExchangeRemote, provider: Exchange, window: Window
) -> None:
    remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
    client = provider.client(remote.credential())
    (*_, last) = client.changes(remote.calendar_id, None, window)
    remote.faults.set(None, "sync_state_dead", 1)
    with pytest.raises(CursorExpired):
        list(client.changes(remote.calendar_id, last.cursor, window))
    assert list(client.changes(remote.calendar_id, None, window))


def test_a_batch_that_stopped_loses_nothing(
    remote: ExchangeRemote, provider: Exchange, window: Window
) -> None:
    made = {remote.add_event(f"Talk {n}", TUESDAY, TUESDAY + HOUR) for n in range(5)}
    remote.faults.set(None, "batch_stopped", 1)
    pages = list(provider.client(remote.credential()).changes(remote.calendar_id, None, window))
    assert made == {event.remote_id for page in pages for event in page.events}
    assert not any(page.skipped for page in pages)


def test_a_damaged_event_is_left_out_until_it_is_well(
    remote: ExchangeRemote, provider: Exchange, window: Window
) -> None:
    made = {
        name: remote.add_event(name, TUESDAY, TUESDAY + HOUR) for name in ("Talk", "Bad", "Tea")
    }
    remote.faults.set(ADA, "damaged_item", style="Bad")
    client = provider.client(remote.credential())
    pages = list(client.changes(remote.calendar_id, None, window))
    assert {made["Bad"]} == pages[0].skipped and pages[-1].cursor
    assert {made["Talk"], made["Tea"]} == {event.remote_id for event in pages[0].events}

    remote.faults.clear()
    pages = list(client.changes(remote.calendar_id, None, window))
    assert 3 == len(pages[0].events) and not pages[0].skipped


def test_a_spurious_refusal_is_never_tried_again_by_itself(
    remote: ExchangeRemote, provider: Exchange
) -> None:
    remote.faults.set(None, "spurious_401", 1)
    client = provider.client(remote.credential())
    with pytest.raises(AuthorizationLost):
        client.calendars()
    assert client.calendars()
