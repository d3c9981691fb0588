"""The iCloud stand-in in process, at Apple's own addresses, and somebody else's hand in it."""

from __future__ import annotations

from datetime import date, datetime

from broker.clock import FixedClock
from broker.http import Http
from sandbox import icloud
from tests import faults
from tests.providers.contract import Trouble
from tests.wsgi_adapter import WsgiAdapter

PERSON = "ada@icloud.calbroker.test"
PASSWORD = "abcd-efgh-ijkl-mnop"
ENTRY = "https://caldav.icloud.com"
PARTITION = "https://p42-caldav.icloud.com"
_TROUBLE = {
    Trouble.REFUSED: "revoked",
    Trouble.BROKEN: "server_error_500",
    Trouble.TRUNCATED: "truncated_body",
    Trouble.CUT: "cut_xml",
}


class ICloudRemote:
    """iCloud with an empty calendar of ada's; *wire* is what a client under test talks to."""

    def __init__(self, clock: FixedClock) -> None:
        self.app = icloud.create_app(now=clock.now)
        self.faults: icloud.Faults = self.app.extensions["faults"]
        self.calls: icloud.Calls = self.app.extensions["calls"]
        state: icloud.ICloudState = self.app.extensions["icloud"]
        self.state = state
        self.ada = state.person(PERSON)
        self.lab = self.ada.add_calendar("Lab", time_zone="Europe/Berlin")
        self.calendar_id = self.ada.path(calendar=self.lab)
        self.faulty = faults.Faulty(self.app.wsgi_app)
        self.wire = WsgiAdapter(self.faulty)
        self.clock = clock

    def http(self, *others: str) -> Http:
        """Give an Http for which this is every host of Apple's, and *others*."""
        hosts = (ENTRY, *(f"https://p{n}-caldav.icloud.com" for n in (42, 57)), *others)
        return Http(self.clock, mounts={host + "/": self.wire for host in hosts})

    def add_event(self, summary: str, start: datetime, end: datetime) -> str:
        return self._path(self.ada.add_event(summary, start, end, calendar=self.lab))

    def add_all_day(self, summary: str, day: date) -> str:
        return self._path(self.ada.add_all_day(summary, day, day, calendar=self.lab))

    def add_series(self, summary: str, start: datetime, end: datetime, *, count: int) -> str:
        rule = f"RRULE:FREQ=WEEKLY;COUNT={count}"
        return self._path(self.ada.add_event(summary, start, end, rule, calendar=self.lab))

    def put(self, name: str, text: str) -> str:
        """Store a text past every check of the server; gives its path."""
        return self._path(self.ada.put(name, text, self.lab))

    def move_event(self, remote_id: str, start: datetime, end: datetime) -> None:
        self.ada.move_event(_name(remote_id), start, end, self.lab)

    def delete_event(self, remote_id: str) -> None:
        self.ada.delete_event(_name(remote_id), self.lab)

    def move_occurrence(
        self, series_id: str, original: datetime, start: datetime, end: datetime
    ) -> None:
        self.ada.move_occurrence(_name(series_id), original, start, end, self.lab)

    def cancel_occurrence(self, series_id: str, original: datetime) -> None:
        self.ada.cancel_occurrence(_name(series_id), original, self.lab)

    def forget_cursors(self) -> None:
        self.state.expire_sync_tokens(PERSON)

    def delete_calendar(self) -> None:
        self.ada.delete_calendar(self.lab)

    def trouble(self, kind: Trouble) -> None:
        if kind is Trouble.THROTTLED:
            self.faults.set(PERSON, "throttle_429", seconds=7)
        elif kind is Trouble.FOREIGN:
            html = faults.status(200, faults.HTML, Content_Type="text/html")
            self.faulty.add(html)
        else:
            self.faults.set(PERSON, _TROUBLE[kind])

    def _path(self, name: str) -> str:
        return self.ada.path(name, self.lab)


def _name(remote_id: str) -> str:
    return remote_id.rpartition("/")[2]
