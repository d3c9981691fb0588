"""What DNS was asked about a mail domain's server is told to those who run it."""

from __future__ import annotations

from broker.clock import FixedClock
from broker.http import Http
from broker.providers._caldav_dns import Srv
from broker.providers._ews.discovery.records import SERVICE, TracedMailRecords
from broker.trace import Step
from tests.world import NOW


class Zone:
    """A DNS that answers each question alike."""

    def services(self, name: str) -> list[Srv]:
        return [Srv(0, 0, "mail.corp.test", 443)]

    def exchangers(self, name: str) -> list[str]:
        return ["mx1.corp.test", "mx2.corp.test"]


def test_both_kinds_of_question_are_in_the_trace_with_their_answers() -> None:
    steps: list[Step] = []
    records = TracedMailRecords(Zone(), Http(FixedClock(NOW)).traced(steps))

    records.services(f"{SERVICE}.corp.test")
    records.exchangers("corp.test")

    assert [
        ["SRV _autodiscover._tcp.corp.test", "found", "names mail.corp.test", "0 ms"],
        ["MX corp.test", "found", "names mx1.corp.test, mx2.corp.test", "0 ms"],
    ] == [step.details() for step in steps]
