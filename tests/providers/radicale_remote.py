"""Radicale in process, and the hand of somebody else in its calendars."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import requests

from sandbox.radicale import PASSWORD, USER, add_calendar, create_wsgi
from sandbox.radicale_events import Calendar, event, wrap
from tests import faults
from tests.providers.contract import Trouble
from tests.wsgi_adapter import WsgiAdapter

ORIGIN = "https://dav.example"
PRODID = "-//Tests//EN"
_TROUBLE = {
    Trouble.REFUSED: faults.status(401, WWW_Authenticate='Basic realm="x"'),
    Trouble.THROTTLED: faults.status(429, Retry_After="7"),
    Trouble.BROKEN: faults.status(500, faults.HTML),
    Trouble.TRUNCATED: faults.cut,
    Trouble.CUT: faults.half,
    Trouble.FOREIGN: faults.status(200, faults.HTML, Content_Type="text/html"),
}


class RadicaleRemote:
    """A server with an empty calendar; *wire* is what a client under test talks to."""

    calendar_id = "/ada/lab/"

    def __init__(self, folder: Path, *, seeded: bool = False) -> None:
        self.folder = folder
        app = create_wsgi(folder, seeded=seeded)
        add_calendar(folder, USER, Calendar("lab", "Lab", "#112233FF"), {})
        self.faulty = faults.Faulty(app)
        self.wire = WsgiAdapter(self.faulty)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = (USER, PASSWORD)
        self.session.mount(ORIGIN, WsgiAdapter(app))
        self.count = 0

    def put(self, name: str, text: str) -> str:
        """Store an object and give its path."""
        path = f"{self.calendar_id}{name}"
        answer = self.session.put(
            ORIGIN + path, text.encode(), headers={"Content-Type": "text/calendar; charset=utf-8"}
        )
        assert answer.status_code in {201, 204}, answer.text
        return path

    def write(self, name: str, text: str) -> str:
        """Store an object as it is, past everything that Radicale would mend or refuse."""
        root = self.folder / "storage/collection-root"
        (root / self.calendar_id.strip("/") / name).write_bytes(text.encode())
        return f"{self.calendar_id}{name}"

    def text(self, path: str) -> str:
        """Give an object as it is stored."""
        return self.session.get(ORIGIN + path).content.decode()

    def add_event(self, summary: str, start: datetime, end: datetime) -> str:
        return self._add(f"SUMMARY:{summary}", *_span(start, end))

    def add_all_day(self, summary: str, day: date) -> str:
        after = day + timedelta(days=1)
        return self._add(
            f"SUMMARY:{summary}",
            f"DTSTART;VALUE=DATE:{day:%Y%m%d}",
            f"DTEND;VALUE=DATE:{after:%Y%m%d}",
        )

    def add_series(self, summary: str, start: datetime, end: datetime, *, count: int) -> str:
        return self._add(
            f"SUMMARY:{summary}", *_span(start, end), f"RRULE:FREQ=WEEKLY;COUNT={count}"
        )

    def move_event(self, remote_id: str, start: datetime, end: datetime) -> None:
        name = remote_id.rpartition("/")[2]
        self.put(name, wrap(PRODID, event(name[:-4], "SUMMARY:Moved", *_span(start, end))))

    def delete_event(self, remote_id: str) -> None:
        assert self.session.delete(ORIGIN + remote_id).status_code == 200

    def move_occurrence(
        self, series_id: str, original: datetime, start: datetime, end: datetime
    ) -> None:
        self._override(series_id, original, "SUMMARY:Moved", *_span(start, end))

    def cancel_occurrence(self, series_id: str, original: datetime) -> None:
        span = _span(original, original + timedelta(hours=1))
        self._override(series_id, original, "STATUS:CANCELLED", *span)

    def forget_cursors(self) -> None:
        for tokens in self.folder.rglob(".Radicale.cache/sync-token"):
            shutil.rmtree(tokens)
        # A token of the present state would still be good.
        self.add_event(
            "After", datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC)
        )

    def delete_calendar(self) -> None:
        assert self.session.delete(ORIGIN + self.calendar_id).status_code == 200

    def trouble(self, kind: Trouble) -> None:
        self.faulty.add(_TROUBLE[kind])

    def _add(self, *lines: str) -> str:
        self.count += 1
        uid = f"made-{self.count}"
        return self.put(f"{uid}.ics", wrap(PRODID, event(uid, *lines)))

    def _override(self, series_id: str, original: datetime, *lines: str) -> None:
        name = series_id.rpartition("/")[2]
        text = self.text(series_id).replace("\r\n", "\n")
        place = f"RECURRENCE-ID:{original:%Y%m%dT%H%M%SZ}"
        more = event(name[:-4], place, *lines)
        self.put(name, text.replace("END:VCALENDAR", f"{more}END:VCALENDAR"))


def _span(start: datetime, end: datetime) -> tuple[str, str]:
    return f"DTSTART:{start:%Y%m%dT%H%M%SZ}", f"DTEND:{end:%Y%m%dT%H%M%SZ}"
