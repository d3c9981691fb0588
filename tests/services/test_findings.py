"""Which step of connecting failed, from the trace and the error alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from broker.errors import (
    AddressRefused,
    AuthorizationLost,
    BrokerError,
    LoginRejected,
    ProtocolError,
    ProviderUnavailable,
    RateLimited,
    SealBroken,
    TooManyRequests,
    UserError,
)
from broker.laps import Lap
from broker.services.connect_reasons import reason_of
from broker.services.findings import Finding, StepName, StepState, derive
from broker.trace import Step

HOST = "dav.example.com"
FOUND = Step("discover", HOST, "207", 40)
LISTED = Step("calendars", HOST, "207", 60)


def unavailable(detail: str, operation: str = "discover") -> ProviderUnavailable:
    return ProviderUnavailable("caldav", operation, detail=detail)


def trace(detail: str) -> list[Step]:
    return [Step("discover", HOST, detail, 9)]


CASES: list[tuple[list[Step], BrokerError, str, str]] = [
    ([], AddressRefused("address_malformed"), "address", "address_malformed"),
    ([], AddressRefused("address_not_https"), "address", "address_not_https"),
    (trace("refused"), AddressRefused("address_private"), "address", "address_private"),
    ([FOUND], AddressRefused("address_private"), "discovery", "address_private"),
    ([FOUND], AddressRefused("redirect_refused"), "discovery", "redirect_refused"),
    (trace("name not found"), unavailable("name not found"), "dns", "name_not_found"),
    (trace("no connection"), unavailable("no connection"), "tcp", "address_unreachable"),
    (
        trace("no connection in time"),
        unavailable("no connection in time"),
        "tcp",
        "address_unreachable",
    ),
    (trace("x"), unavailable("no secure connection"), "tls", "not_https"),
    (trace("x"), unavailable("certificate not trusted"), "tls", "certificate_untrusted"),
    (trace("x"), unavailable("certificate for another name"), "tls", "certificate_wrong_name"),
    (trace("x"), unavailable("certificate expired"), "tls", "certificate_expired"),
    (trace("x"), unavailable("no answer in time"), "discovery", "provider_unavailable"),
    ([FOUND], UserError("not_caldav"), "discovery", "not_caldav"),
    (trace("503"), RateLimited("caldav", "discover", 503), "discovery", "rate_limited"),
    (trace("401"), LoginRejected("login_rejected"), "login", "login_rejected"),
    ([FOUND], AuthorizationLost("caldav", "calendars", 401), "login", "login_rejected"),
    ([FOUND], AuthorizationLost("apple", "calendars", 401), "login", "apple_login_rejected"),
    ([], UserError("app_password_shape"), "login", "app_password_shape"),
    ([], UserError("paused_after_refusals"), "login", "paused_after_refusals"),
    ([], TooManyRequests(timedelta(minutes=1)), "login", "too_many_attempts"),
    ([FOUND, LISTED], UserError("no_calendars"), "calendars", "no_calendars"),
    ([FOUND, LISTED], ProtocolError("caldav", "calendars"), "calendars", "unreadable_answer"),
    (
        [FOUND, LISTED],
        unavailable("too slow", "calendars"),
        "calendars",
        "provider_unavailable",
    ),
    ([FOUND, LISTED], SealBroken("x"), "calendars", "unexpected"),
    ([FOUND], UserError("anything_else"), "discovery", "anything_else"),
]


@pytest.mark.parametrize(("steps", "error", "step", "reason"), CASES)
def test_the_failed_step_and_its_reason(
    steps: list[Step], error: BrokerError, step: str, reason: str
) -> None:
    found = derive(HOST, steps, error)

    assert [one.step for one in found if one.state is StepState.FAILED] == [step]
    assert reason_of(error, typed=True) == reason


@pytest.mark.parametrize(("steps", "error", "step", "reason"), CASES)
def test_steps_come_in_order_and_end_at_the_failed_one(
    steps: list[Step], error: BrokerError, step: str, reason: str
) -> None:
    found = derive(HOST, steps, error, has_mailbox=True)

    assert [one.step for one in found] == list(StepName)
    at = [one.state for one in found].index(StepState.FAILED)
    good = StepState.OK if steps else StepState.NOT_REACHED
    assert {one.state for one in found[:at]} <= {good}
    assert {one.state for one in found[at + 1 :]} <= {StepState.NOT_REACHED}


def test_a_success_is_all_well_and_tells_how_long_it_took() -> None:
    found = derive(HOST, [FOUND, Step("principal", HOST, "207", 5), LISTED], None)

    assert {one.state for one in found} == {StepState.OK}
    assert found[4] == Finding(StepName.DISCOVERY, StepState.OK, HOST, 40)
    assert found[5] == Finding(StepName.LOGIN, StepState.OK, HOST, 5)
    assert found[6] == Finding(StepName.CALENDARS, StepState.OK, HOST, 60)


def test_each_step_tells_its_time_and_host() -> None:
    """Making a connection is told apart from what was said over it."""
    laps = {Lap.DNS: 3, Lap.TCP: 20, Lap.TLS: 30}
    other = "cal.example.com"
    steps = [
        Step("discover", HOST, "301", 60, laps=laps),
        Step("discover", other, "207", 70, laps={Lap.DNS: 1, Lap.TCP: 9, Lap.TLS: 40}),
        Step("principal", other, "207", 25),
        Step("calendars", other, "207", 15),
    ]

    found = {one.step: (one.milliseconds, one.host) for one in derive(HOST, steps, None)}

    assert found == {
        StepName.ADDRESS: (0, HOST),
        StepName.DNS: (4, other),
        StepName.TCP: (29, other),
        StepName.TLS: (70, other),
        StepName.DISCOVERY: (27, other),
        StepName.LOGIN: (25, other),
        StepName.CALENDARS: (15, other),
    }


def test_questions_to_dns_count_for_finding_the_server() -> None:
    steps = [
        Step("MX", "example.com", "found", 30),
        Step("discover", HOST, "207", 50, laps={Lap.DNS: 4}),
    ]

    found = {one.step: one for one in derive("example.com", steps, None)}

    assert found[StepName.DNS] == Finding(StepName.DNS, StepState.OK, HOST, 34)


def test_questions_to_dns_alone_are_no_steps() -> None:
    steps = [Step("SRV", "_caldavs._tcp.example.com", "found", 30)]

    found = derive("example.com", steps, UserError("host_unconfirmed"))

    assert {one.step: one.state for one in found if one.state is not StepState.NOT_REACHED} == {
        StepName.DISCOVERY: StepState.FAILED
    }
    assert sum(one.milliseconds for one in found) == 0


@pytest.mark.parametrize(
    ("steps", "error", "step", "spent_ms"),
    [
        ([Step("discover", HOST, "x", 90, laps={Lap.DNS: 90})],
         unavailable("name not found"), StepName.DNS, 90),
        ([Step("discover", HOST, "x", 90, laps={Lap.DNS: 2, Lap.TCP: 88})],
         unavailable("no connection"), StepName.TCP, 88),
        (trace("name not found"), unavailable("name not found"), StepName.DNS, 9),
        ([FOUND, Step("discover", HOST, "x", 30, laps={Lap.TCP: 5})],
         unavailable("no answer in time"), StepName.DISCOVERY, 65),
        ([Step("discover", HOST, "401", 30, laps={Lap.TCP: 5})],
         LoginRejected("login_rejected"), StepName.LOGIN, 25),
        ([FOUND, Step("calendars", HOST, "401", 12)],
         AuthorizationLost("caldav", "calendars", 401), StepName.LOGIN, 12),
    ],
)  # fmt: skip
def test_the_failed_step_tells_how_long_it_took(
    steps: list[Step], error: BrokerError, step: StepName, spent_ms: int
) -> None:
    found = {one.step: one for one in derive(HOST, steps, error)}

    assert found[step] == Finding(step, StepState.FAILED, HOST, spent_ms)


def test_plain_http_has_no_step_of_tls() -> None:
    found = derive("127.0.0.1", [Step("discover", "127.0.0.1", "207", 1, False)], None)

    assert StepName.TLS not in [one.step for one in found]


def test_the_known_service_is_not_the_persons_to_mend() -> None:
    error = ProviderUnavailable("apple", "discover", detail="certificate expired")

    assert reason_of(error, typed=True) == "provider_unavailable"


PROBED = Step("probe", HOST, "401", 20)
ASKED = Step("GetFolder", HOST, "401", 10)
OPENED = Step("GetFolder", HOST, "200", 7, tried="NTLM (name)")
FORBIDDEN = Step("GetFolder", HOST, "403", 5)


@pytest.mark.parametrize(
    ("steps", "error", "step"),
    [
        ([ASKED, OPENED], UserError("exchange_no_mailbox"), "mailbox"),
        ([PROBED], UserError("exchange_no_mailbox"), "discovery"),
        ([FORBIDDEN], UserError("exchange_ews_off"), "discovery"),
        ([ASKED, replace(FORBIDDEN, tried="Basic (name)")], UserError("exchange_ews_off"),
         "mailbox"),
        ([Step("GetFolder", HOST, "503", 5)], RateLimited("exchange", "GetFolder", 503),
         "discovery"),
        ([ASKED, replace(OPENED, outcome="connection lost")],
         ProviderUnavailable("exchange", "GetFolder", detail="connection lost"), "mailbox"),
        ([ASKED, OPENED, Step("FindFolder", HOST, "500", 5)],
         ProviderUnavailable("exchange", "FindFolder", 500), "calendars"),
        ([ASKED, replace(ASKED, tried="NTLM (name)")],
         LoginRejected("exchange_login_rejected"), "login"),
    ],
)  # fmt: skip
def test_a_mailbox_is_told_from_the_login_and_from_the_calendars(
    steps: list[Step], error: BrokerError, step: str
) -> None:
    found = derive(HOST, steps, error, has_mailbox=True)

    assert [step] == [one.step for one in found if one.state is StepState.FAILED]


def test_what_answers_401_is_about_the_login_and_the_rest_about_the_mailbox() -> None:
    steps = [PROBED, ASKED, ASKED, OPENED, Step("FindFolder", HOST, "200", 4)]

    found = {one.step: one.milliseconds for one in derive(HOST, steps, None, has_mailbox=True)}

    assert (20, 20, 7, 4) == tuple(found[name] for name in list(StepName)[4:])


def test_a_name_that_led_nowhere_did_not_do_the_step() -> None:
    inside = Step("probe", "mbx1.corp.local", "name not found", 3)
    steps = [PROBED, inside, ASKED, OPENED, Step("FindFolder", HOST, "200", 4)]

    found = derive(HOST, steps, None, has_mailbox=True)

    assert Finding(StepName.DISCOVERY, StepState.OK, HOST, 23) in found


def test_a_search_that_goes_on_is_no_part_of_the_login() -> None:
    elsewhere = Step("autodiscover", "autodiscover.example.com", "200", 90)
    steps = [ASKED, replace(OPENED, outcome="500"), elsewhere]

    found = derive(HOST, steps, UserError("exchange_ews_off"), has_mailbox=True)

    assert Finding(StepName.LOGIN, StepState.OK, HOST, 10) in found
    assert Finding(StepName.MAILBOX, StepState.FAILED, HOST, 7) in found


def test_the_host_is_named_that_failed_as_it_is_said() -> None:
    """The web site of a domain has mostly another certificate; that need not be the trouble."""
    site, mail = "corp.example", "mail.corp.example"
    steps = [
        Step("probe", mail, "certificate expired", 5),
        Step("probe", site, "certificate for another name", 5),
    ]

    found = derive(site, steps, unavailable("certificate expired", "probe"))

    assert [mail] == [one.host for one in found if one.state is StepState.FAILED]
