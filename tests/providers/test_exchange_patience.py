"""How long somebody waits: ten seconds where discovery works, half a minute at the worst."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from broker.clock import FixedClock
from broker.errors import BrokerError
from broker.http import Http
from broker.logins import Login
from broker.providers._caldav_dns import Srv
from broker.providers.exchange import Exchange
from broker.wire import READ_TIMEOUT_S, patience_s
from tests.providers.ews_internet import (
    DOMAIN,
    EMAIL,
    EWS,
    NOW,
    PASSWORD,
    POX,
    Internet,
    refused,
    settings,
)
from tests.wsgi_adapter import WsgiAdapter

AUTODISCOVER, MAIL, ELSEWHERE = (f"{name}.{DOMAIN}" for name in ("autodiscover", "mail", "srv"))
HANGS = 3600.0


class SlowWire(WsgiAdapter):
    """Takes its time for each request, by host; a wait ends where that of a socket would."""

    def __init__(self, internet: Internet, clock: FixedClock, takes_s: Mapping[str, float]) -> None:
        super().__init__(internet)
        self._clock = clock
        self._takes_s = takes_s

    def send(self, request: requests.PreparedRequest, *rest: Any, **options: Any) -> Any:
        longest_s = patience_s(READ_TIMEOUT_S)
        takes_s = self._takes_s.get(urlsplit(request.url or "").hostname or "", 0.3)
        self._clock.advance(seconds=min(takes_s, longest_s))
        if takes_s >= longest_s:
            raise requests.exceptions.ReadTimeout
        return super().send(request, *rest, **options)


def attempt(internet: Internet, takes_s: Mapping[str, float]) -> tuple[float, bool]:
    """Connect once; gives how many seconds that took, and whether it succeeded."""
    clock = FixedClock(NOW)
    wire = SlowWire(internet, clock, takes_s)
    http = Http(clock, mounts={"https://": wire, "http://": wire})
    started = clock.monotonic()
    try:
        Exchange(http, clock, internet).verify(Login("", "", PASSWORD, email=EMAIL))
    except BrokerError:
        return clock.monotonic() - started, False
    return clock.monotonic() - started, True


def company() -> Internet:
    internet = Internet()
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=EWS)})
    internet.ews()
    return internet


@pytest.mark.parametrize(
    "takes_s",
    [{}, {DOMAIN: HANGS}, {DOMAIN: 3.0, AUTODISCOVER: 0.8, MAIL: 0.8}],
    ids=["usual", "web site hangs", "all slow"],
)
def test_where_discovery_works_it_takes_less_than_ten_seconds(takes_s: dict[str, float]) -> None:
    spent_s, is_connected = attempt(company(), takes_s)

    assert is_connected
    assert spent_s < 10


def nothing_answers(internet: Internet) -> dict[str, float]:
    internet.srv = [Srv(n, 0, f"{n}.{DOMAIN}", 443) for n in range(4)]
    return {name: HANGS for name in (DOMAIN, AUTODISCOVER, *(one.host for one in internet.srv))}


def the_endpoint_hangs(_: Internet) -> dict[str, float]:
    return {DOMAIN: HANGS, AUTODISCOVER: 4.0, MAIL: HANGS}


def all_answer_late(_: Internet) -> dict[str, float]:
    return {name: 5.9 for name in (DOMAIN, AUTODISCOVER, MAIL)}


def no_mailbox_anywhere(internet: Internet) -> dict[str, float]:
    internet.exchange(AUTODISCOVER, {POX: lambda _: refused("500")})
    return {DOMAIN: HANGS, AUTODISCOVER: 7.0, "login.microsoftonline.com": HANGS}


@pytest.mark.parametrize(
    "trouble", [nothing_answers, the_endpoint_hangs, all_answer_late, no_mailbox_anywhere]
)
def test_the_worst_failure_is_told_within_half_a_minute(
    trouble: Callable[[Internet], dict[str, float]],
) -> None:
    internet = company()

    spent_s, is_connected = attempt(internet, trouble(internet))

    assert not is_connected
    assert spent_s < 30
