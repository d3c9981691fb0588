"""What whole calendar objects come to agrees with an independent implementation.

From the text as a server gives it to the occurrences that are stored: forms of zones, dates and
exceptions around the changes of clocks, where they go wrong first.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.crypto import Vault
from broker.domain import Window, midnight_utc
from broker.ids import new_key
from broker.providers._ical import Source, read_object
from broker.sync.occurrences import occurrences
from broker.sync.plan import Keyed
from sandbox.icloud.timezones import definition
from tests.sync.edges import EDGES, Edge
from tests.sync.series import DAY, HOUR

VAULT = Vault({"k1": new_key()}, new_key())
QUARTER = timedelta(minutes=15)
FORMS = {
    "Europe/Berlin": ["Europe/Berlin", "/mozilla.org/20050126_1/Europe/Berlin", "Office",
                      "W. Europe Standard Time"],
    "America/New_York": ["America/New_York", "Eastern Standard Time", "Branch"],
}  # fmt: skip
RULES = [
    "FREQ=DAILY",
    "FREQ=DAILY",
    None,
    "FREQ=DAILY;COUNT=12",
    "FREQ=WEEKLY;BYDAY=SA,SU,MO",
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=MONTHLY;BYDAY=-1SU,1SU,2SU",
]


def stamp(wall: datetime) -> str:
    return f"{wall:%Y%m%dT%H%M%S}"


@dataclass(frozen=True)
class Form:
    """How an object writes its times: in *zone* as *tzid*, floating, in UTC, or as dates."""

    zone: ZoneInfo
    tzid: str
    kind: str

    def prop(self, name: str, wall: datetime, **parameters: str) -> str:
        """Write one property."""
        given = "".join(f";{key}={value}" for key, value in parameters.items())
        if self.kind == "date":
            return f"{name}{given};VALUE=DATE:{wall:%Y%m%d}"
        if self.kind == "utc":
            return f"{name}{given}:{stamp(self.utc(wall))}Z"
        place = f";TZID={self.tzid}" if self.kind == "zoned" else ""
        return f"{name}{given}{place}:{stamp(wall)}"

    def utc(self, wall: datetime) -> datetime:
        return wall.replace(tzinfo=self.zone).astimezone(UTC)

    def is_real(self, wall: datetime) -> bool:
        """Tell whether clocks show *wall* once and only once."""
        one = wall.replace(tzinfo=self.zone)
        twice = one.utcoffset() != one.replace(fold=1).utcoffset()
        return not twice and self.utc(wall).astimezone(self.zone).replace(tzinfo=None) == wall


@st.composite
def objects(draw: st.DrawFn) -> tuple[str, Form, Edge]:
    """One object: a master, and some exceptions to it."""
    edge = draw(st.sampled_from([edge for edge in EDGES if edge.tzid in FORMS]))
    kind = draw(st.sampled_from(["zoned", "zoned", "floating", "utc", "date"]))
    form = Form(ZoneInfo(edge.tzid), draw(st.sampled_from(FORMS[edge.tzid])), kind)
    wall = edge.wall - draw(st.integers(0, 9)) * DAY + draw(st.integers(-14, 14)) * QUARTER
    # Where a time that clocks skip or repeat belongs is asked of the engine alone.
    if not form.is_real(wall) or not form.is_real(datetime.combine(edge.wall, wall.time())):
        wall = wall.replace(hour=9)
    rule = draw(st.sampled_from(RULES))
    lines = [form.prop("DTSTART", wall), *draw(ends(form, wall))]
    lines += [f"RRULE:{rule}"] if rule else []
    lines += draw(dates(form, wall, "RDATE"))
    others = (
        draw(st.sets(st.integers(1, 12), min_size=1, max_size=3))
        if rule == "FREQ=DAILY"
        else set[int]()
    )
    overrides = [draw(override(form, wall + number * DAY)) for number in sorted(others)]
    if not others:
        lines += draw(dates(form, wall, "EXDATE"))
    parts = [_component(lines, "master"), *overrides]
    parts = draw(st.permutations(parts))
    zone = definition(edge.tzid).replace(f"TZID:{edge.tzid}", f"TZID:{form.tzid}")
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Tests//EN", zone.replace("\n", "\r\n")]
    return "\r\n".join([*head, *parts, "END:VCALENDAR", ""]), form, edge


def _component(lines: list[str], title: str) -> str:
    text = ["BEGIN:VEVENT", "UID:one", "DTSTAMP:20240101T000000Z", f"SUMMARY:{title}", *lines]
    return "\r\n".join([*text, "END:VEVENT"])


@st.composite
def ends(draw: st.DrawFn, form: Form, wall: datetime) -> list[str]:
    """An end, a length, or neither."""
    how = draw(st.sampled_from(["end", "length", "none"]))
    if how == "none":
        return []
    if form.kind == "date":
        days = draw(st.integers(1, 3))
        return [form.prop("DTEND", wall + days * DAY) if how == "end" else f"DURATION:P{days}D"]
    return [form.prop("DTEND", wall + HOUR) if how == "end" else "DURATION:PT45M"]


@st.composite
def dates(draw: st.DrawFn, form: Form, wall: datetime, name: str) -> list[str]:
    """Some RDATEs or EXDATEs, on one line or several, sometimes in UTC."""
    found = sorted(draw(st.sets(st.integers(0, 14), max_size=3)))
    shift = draw(st.integers(-5, 5)) * QUARTER if name == "RDATE" else timedelta()
    walls = [wall + number * DAY + shift for number in found]
    walls = [at for at in walls if form.kind == "date" or form.is_real(at)]
    in_utc = form.kind == "zoned" and draw(st.booleans())
    shape = Form(form.zone, form.tzid, "utc") if in_utc else form
    if not walls or draw(st.booleans()):
        return [shape.prop(name, at) for at in walls]
    values = ",".join(shape.prop("", at).rpartition(":")[2] for at in walls)
    return [shape.prop(name, walls[0]).rpartition(":")[0] + ":" + values]


@st.composite
def override(draw: st.DrawFn, form: Form, original: datetime) -> str:
    """An exception: moved by hours or days, or cancelled."""
    shape = (
        Form(form.zone, form.tzid, "utc") if form.kind == "zoned" and draw(st.booleans()) else form
    )
    moved = original + draw(st.integers(-30, 30)) * (DAY if form.kind == "date" else QUARTER)
    if form.kind != "date" and not form.is_real(moved):
        moved = moved.replace(hour=9)
    lines = [shape.prop("RECURRENCE-ID", original), form.prop("DTSTART", moved)]
    if draw(st.integers(0, 4)) == 0:
        lines.append("STATUS:CANCELLED")
    return _component(lines, "exception")


Found = set[tuple[datetime, str]]


def ours(text: str, form: Form, window: Window) -> Found:
    """What we would store; what is stored beyond the window is left out."""
    reading = read_object(Source("/o.ics", "1", text, form.zone.key))
    assert not reading.skipped
    family = [
        Keyed(e.remote_id.encode(), b"/o.ics" if e.series_id else None, e) for e in reading.events
    ]
    titles = {item.key: item.event.content.summary for item in family if item.event.content}
    found = set()
    for one in occurrences(VAULT, "cal", family, window).wanted:
        at = datetime.fromtimestamp(one.start_at, UTC)
        if window.start <= at < window.end:
            found.add((at, titles[one.event_key]))
    return found


def theirs(text: str, form: Form, window: Window) -> Found:
    """What recurring_ical_events finds; it leaves cancelled ones in."""
    calendar = icalendar.Calendar.from_ical(text)
    found = set()
    for event in recurring_ical_events.of(calendar).between(
        window.start - 2 * DAY, window.end + 2 * DAY
    ):
        start = event["DTSTART"].dt
        if not isinstance(start, datetime):
            start = midnight_utc(start)
        elif start.tzinfo is None:
            start = start.replace(tzinfo=form.zone)
        at = start.astimezone(UTC)
        if event.get("STATUS") != "CANCELLED" and window.start <= at < window.end:
            found.add((at, str(event["SUMMARY"])))
    return found


def test_generated_objects() -> None:
    seen = Counter[str]()

    @settings(max_examples=300, suppress_health_check=list(HealthCheck))
    @given(objects())
    def agree(drawn: tuple[str, Form, Edge]) -> None:
        text, form, edge = drawn
        window = edge.window()

        expected = theirs(text, form, window)

        assert ours(text, form, window) == expected
        starts = [at for at, _title in expected]
        seen.update(
            occurring=bool(starts),
            both_sides=bool(starts) and min(starts) < edge.at <= max(starts),
            exceptions=any(title == "exception" for _, title in expected),
            **{form.kind: 1},
        )

    agree()

    # A comparison of nothing with nothing would be no comparison.
    assert seen["both_sides"] >= 150 and seen["exceptions"] >= 40, seen
    assert min(seen[kind] for kind in ("zoned", "date", "utc", "floating")) >= 30, seen


BERLIN = Form(ZoneInfo("Europe/Berlin"), "Europe/Berlin", "zoned")
AUTUMN = Window(datetime(2026, 10, 12, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC))
NINE = "DTSTART;TZID=Europe/Berlin:20261019T090000"
TEN = "DTEND;TZID=Europe/Berlin:20261019T100000"
ZONE = definition("Europe/Berlin").replace("\n", "\r\n")
NASTY = {
    "two masters": ([NINE, TEN, "SEQUENCE:1"], [NINE.replace("T09", "T11"), "SEQUENCE:2"]),
    "orphan": (["RECURRENCE-ID:20261020T070000Z", "DTSTART:20261021T070000Z"],),
    "two orphans": (
        ["RECURRENCE-ID:20261020T070000Z", "DTSTART:20261021T070000Z"],
        ["RECURRENCE-ID:20261027T080000Z", "DTSTART:20261028T080000Z"],
    ),
    "EXDATE elsewhere": (
        [NINE, TEN, "RRULE:FREQ=DAILY", "EXDATE;TZID=Asia/Tokyo:20261020T160000"],
    ),
    "EXDATE in UTC": ([NINE, TEN, "RRULE:FREQ=DAILY", "EXDATE:20261020T070000Z,20261026T080000Z"],),
    "EXDATE of a day": ([NINE, TEN, "RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE:20261025,20261026"],),
    "UNTIL on the clock": ([NINE, TEN, "RRULE:FREQ=DAILY;UNTIL=20261026T090000"],),
    "COUNT over the change": ([NINE, TEN, "RRULE:FREQ=WEEKLY;BYDAY=SU,MO;COUNT=4"],),
    "folded": (
        ["DTSTART;TZID=Europe/B\r\n erlin:20261019T09\r\n\t0000", "RRULE:FREQ=DAI\r\n LY;COUNT=9"],
    ),
    "periods": ([NINE, TEN, "RDATE;VALUE=PERIOD:20261025T080000Z/PT2H,20261026T080000Z/PT1H"],),
    "two lines of each": (
        [NINE, TEN, "RRULE:FREQ=DAILY", "EXDATE:20261020T070000Z", "EXDATE:20261021T070000Z",
         "RDATE:20261022T120000Z", "RDATE:20261023T120000Z"],
    ),
    "moved before itself": (
        [NINE, TEN, "RRULE:FREQ=WEEKLY"],
        ["RECURRENCE-ID;TZID=Europe/Berlin:20261102T090000", "DTSTART:20261023T070000Z"],
    ),
    "named in another zone": (
        [NINE, TEN, "RRULE:FREQ=WEEKLY"],
        ["RECURRENCE-ID;TZID=America/New_York:20261026T040000", "DTSTART:20261026T120000Z"],
    ),
    "from then on": (
        [NINE, TEN, "RRULE:FREQ=WEEKLY"],
        ["RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20261026T090000",
         "DTSTART;TZID=Europe/Berlin:20261026T110000", "DTEND;TZID=Europe/Berlin:20261026T120000"],
    ),
    "leap day": (["DTSTART;VALUE=DATE:20240229", "RRULE:FREQ=MONTHLY;BYMONTHDAY=29"],),
    "days with a hole": (
        ["DTSTART;VALUE=DATE:20261020", "DTEND;VALUE=DATE:20261022", "RRULE:FREQ=DAILY;INTERVAL=3",
         "EXDATE;VALUE=DATE:20261026"],
    ),
    "weeks of the year": (
        ["DTSTART:20261019T070000Z", "RRULE:FREQ=YEARLY;BYWEEKNO=43,44;BYDAY=SU,MO"],
    ),
    "of the month's last workdays": (
        [NINE, TEN, "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1,-2,1"],
    ),
    "lower case": (["dtstart;tzid=Europe/Berlin:20261019T090000", "rrule:freq=daily;count=9"],),
}  # fmt: skip


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("zone_last", [False, True])
def test_nasty_objects(name: str, zone_last: bool) -> None:
    """Written by hand, each with what has gone wrong somewhere; all across a change of clocks."""
    parts = [_component(lines, str(number)) for number, lines in enumerate(NASTY[name])]
    body = [*parts, ZONE] if zone_last else [ZONE, *parts]
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Tests//EN"]
    text = "\r\n".join([*head, *body, "END:VCALENDAR", ""])

    found = ours(text, BERLIN, AUTUMN)

    assert found and found == theirs(text, BERLIN, AUTUMN)
