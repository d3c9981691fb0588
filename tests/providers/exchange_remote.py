"""The Exchange stand-in, listening with TLS and NTLM, and somebody else's hand in it."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import requests

from broker.addresses import AddressPolicy
from broker.clock import Clock
from broker.http import Http
from broker.logins import PasswordCredential
from sandbox import exchange
from sandbox.exchange import ids
from sandbox.exchange.model import Change, Folder
from sandbox.exchange.seed import ADA, PASSWORD
from sandbox.exchange.soap import tag
from tests.providers.contract import Trouble

USER = "CORP\\ada"
_TROUBLE: dict[Trouble, tuple[str, dict[str, object]]] = {
    Trouble.REFUSED: ("password_changed", {}),
    Trouble.THROTTLED: ("unavailable", {"seconds": 7}),
    Trouble.BROKEN: ("server_error", {}),
    Trouble.TRUNCATED: ("truncated_body", {}),
    Trouble.CUT: ("truncated_xml", {}),
    Trouble.FOREIGN: ("login_page", {}),
}


class ExchangeRemote:
    """A company's Exchange with an empty calendar of ada's."""

    def __init__(self, folder: Path, clock: Clock, caller: requests.Session | None = None) -> None:
        self.clock = clock
        self.app = exchange.create_app(now=clock.now)
        self.listening = exchange.listen(
            self.app, folder, port=0, sleep=lambda _: None, caller=caller
        )
        self.state: exchange.ExchangeState = self.app.extensions["exchange"]
        self.faults: exchange.Faults = self.app.extensions["faults"]
        self.calls: exchange.Calls = self.app.extensions["calls"]
        self.ada = self.state.person(ADA)
        self.lab = self._empty_calendar()
        self.calendar_id = ids.written(ids.Id("folder", self.lab.number))

    def close(self) -> None:
        """Stop listening."""
        self.listening.close()

    @property
    def url(self) -> str:
        """Where EWS is."""
        return self.listening.url

    def http(self) -> Http:
        """Give an Http that trusts the company's authority, and may go where it is."""
        policy = AddressPolicy(["127.0.0.1/32"])
        return Http(self.clock, policy=policy, ca_file=str(self.listening.ca_file))

    def credential(self, dialect: str = "NTLM", **other: str) -> PasswordCredential:
        """Give ada's login."""
        login = {"username": USER, "password": PASSWORD, **other}
        return PasswordCredential(self.url, **login, dialect=dialect)

    def operations(self) -> list[str]:
        """Give the names of the operations that were done."""
        return [call.operation for call in self.calls if call.status == 200 and call.operation]

    def add_event(self, summary: str, start: datetime, end: datetime) -> str:
        return _id(self.ada.add_event(summary, start, end, self.lab.number).number)

    def add_all_day(self, summary: str, day: date) -> str:
        return _id(self.ada.add_days(summary, day, day, self.lab.number).number)

    def add_series(self, summary: str, start: datetime, end: datetime, *, count: int) -> str:
        return self.add(
            f"{tag('Subject', summary)}{tag('Start', start.isoformat())}"
            f"{tag('End', end.isoformat())}<t:Recurrence><t:WeeklyRecurrence>{tag('Interval', 1)}"
            f"{tag('DaysOfWeek', f'{start:%A}')}</t:WeeklyRecurrence><t:NumberedRecurrence>"
            f"{tag('StartDate', f'{start:%Y-%m-%d}')}{tag('NumberOfOccurrences', count)}"
            "</t:NumberedRecurrence></t:Recurrence>"
        )

    def add(self, xml: str) -> str:
        """Add an item from the elements of a CalendarItem."""
        return _id(self.ada.add(xml, self.lab.number).number)

    def move_event(self, remote_id: str, start: datetime, end: datetime) -> None:
        self.ada.move_event(_number(remote_id), start, end, self.lab.number)

    def delete_event(self, remote_id: str) -> None:
        self.ada.delete_event(_number(remote_id), self.lab.number)

    def move_occurrence(
        self, series_id: str, original: datetime, start: datetime, end: datetime
    ) -> None:
        item = self.lab.items[_number(series_id)]
        with self.state.transaction():
            item.changes[int(original.timestamp())] = Change(
                int(start.timestamp()), int(end.timestamp())
            )
            self.state.put(self.lab, item)

    def cancel_occurrence(self, series_id: str, original: datetime) -> None:
        item = self.lab.items[_number(series_id)]
        with self.state.transaction():
            item.deleted.append(int(original.timestamp()))
            self.state.put(self.lab, item)

    def forget_cursors(self) -> None:
        self.state.expire_sync_states(ADA)

    def delete_calendar(self) -> None:
        with self.state.transaction():
            del self.state.world.folders[self.lab.number]

    def trouble(self, kind: Trouble) -> None:
        name, params = _TROUBLE[kind]
        self.faults.set(None, name, **params)

    def _empty_calendar(self) -> Folder:
        calendar = self.ada.calendar()
        with self.state.transaction():
            return self.state.add_folder(
                ADA, "Lab", calendar.parent, folder_class=calendar.folder_class
            )


def _id(number: int) -> str:
    return ids.written(ids.Id("item", number))


def _number(remote_id: str) -> int:
    return ids.read(remote_id).number
