"""Turn a series into its occurrences within a window (RFC 5545 sections 3.3.10 and 3.8.5).

dateutil walks a rule's wall times; this module reads the lines leniently, starts the walk near
the window, bounds its cost, and places wall time on the UTC line. Pure; no input raises, and
the worst costs about a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache, partial
from itertools import islice
from math import prod
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, HOURLY, MONTHLY, WEEKLY, YEARLY, rrule, weekday

from broker.domain import Moment, Window, midnight_utc

UNREADABLE, TOO_FREQUENT, TOO_LONG = "rule_unreadable", "rule_too_frequent", "rule_too_long"
MAX_OCCURRENCES = 1_000
MAX_DATES = 5_000
MAX_RULES = 10
MAX_TIMES_PER_DAY = 1_440
# Work that one call may spend: a result costs 1, a period about what it costs dateutil.
MAX_WORK = 200_000
_COST = {YEARLY: 40, MONTHLY: 4, WEEKLY: 1, DAILY: 1, HOURLY: 1}

_DAY = timedelta(days=1)
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(microsecond=0, tzinfo=UTC)
_FREQUENCIES: dict[str, Literal[0, 1, 2, 3, 4]] = {
    "YEARLY": YEARLY,
    "MONTHLY": MONTHLY,
    "WEEKLY": WEEKLY,
    "DAILY": DAILY,
    "HOURLY": HOURLY,
}
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
# Each part's name in dateutil, its least and its greatest value; signed ones exclude 0.
_NUMBERS = {
    "BYMONTH": ("bymonth", 1, 12),
    "BYMONTHDAY": ("bymonthday", -31, 31),
    "BYYEARDAY": ("byyearday", -366, 366),
    "BYWEEKNO": ("byweekno", -53, 53),
    "BYSETPOS": ("bysetpos", -366, 366),
    "BYHOUR": ("byhour", 0, 23),
    "BYMINUTE": ("byminute", 0, 59),
    "BYSECOND": ("bysecond", 0, 60),
}
_DAY_PARTS = {"bymonthday", "byyearday", "byweekno", "byweekday"}
_TIME_PARTS = ("byhour", "byminute", "bysecond")
_ZEROS = ("0", "00", "+0", "-0", "+00", "-00")
_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z)?)?", re.ASCII)
_BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_Line = tuple[str, str | None, str]
_DURATION = re.compile(
    r"\+?P(?=.)(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?",
    re.ASCII,
)


class Occurrence(NamedTuple):
    """One occurrence of a series, in aware UTC; *end* is exclusive.

    *original* is the start that the rule gives and the occurrence's identity (RECURRENCE-ID,
    originalStartTime); for an all-day series, midnight UTC of the date.
    """

    original: datetime
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Expansion:
    """The occurrences in a window, earliest first.

    *problem* is None, or why some may be missing or too many: `rule_unreadable` (a rule was
    not followed, or a listed date was passed over), `rule_too_frequent` (not followed),
    `rule_too_long` (cut at a limit).
    """

    occurrences: list[Occurrence]
    problem: str | None = None


class _Refused(Exception):
    """A rule that is not followed; its argument is the reason code."""


class _PeriodsOver(Exception):
    """The walk has done its last period."""


class _WorkSpent(Exception):
    """The call has done as much as it may."""


class _Stamp(NamedTuple):
    """A DATE or DATE-TIME as written (RFC 5545 sections 3.3.4 and 3.3.5)."""

    wall: datetime
    is_date: bool
    is_utc: bool


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a series runs: *start* is aware UTC; *wall* is the same in *zone*, naive."""

    zone: tzinfo
    all_day: bool
    start: datetime
    wall: datetime

    def instant(self, wall: datetime, zone: tzinfo | None = None) -> datetime:
        """Give the UTC instant of *wall* in *zone*, None being the series' own.

        A time that the zone skips takes the offset before the gap; one that it repeats is the
        first, except the series' start, which came as an instant.
        """
        if wall == self.wall and zone in (None, self.zone):
            return self.start
        try:
            return wall.replace(tzinfo=zone or self.zone).astimezone(UTC)
        except OverflowError:
            return wall.replace(tzinfo=UTC)

    def place(self, stamp: _Stamp, zone: tzinfo | None = None, at: time | None = None) -> datetime:
        """Give the UTC instant of *stamp*: a date means *at* (None: the start's time) that day.

        An all-day series takes the date as written, whatever time and zone come with it.
        """
        if self.all_day:
            return midnight_utc(stamp.wall.date())
        if stamp.is_date:
            return self.instant(datetime.combine(stamp.wall, at or self.wall.time()))
        return self.instant(stamp.wall, UTC if stamp.is_utc else zone)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A readable RRULE: *until* is aware UTC and inclusive, *by* is in dateutil's words."""

    freq: Literal[0, 1, 2, 3, 4]
    interval: int
    count: int | None
    until: datetime
    wkst: int
    by: dict[str, Any]


@dataclass(slots=True)
class _Dates:
    """What RDATE and EXDATE list: *added* maps a start to its own end, or None."""

    added: dict[datetime, datetime | None] = field(default_factory=dict)
    excluded: set[datetime] = field(default_factory=set)
    excluded_days: set[date] = field(default_factory=set)
    problem: str | None = None


def expand(
    *,
    start: Moment,
    end: Moment,
    all_day: bool,
    recurrence: Sequence[str],
    window: Window,
    replaced: Collection[datetime] = frozenset(),
) -> Expansion:
    """Expand a series into the occurrences that overlap *window*.

    *recurrence* holds iCalendar content lines; EXRULE and unknown ones are ignored. *replaced*
    holds the original starts, aware UTC, that exceptions move or cancel. DTSTART is the first
    occurrence even if no rule gives it, and stands alone if a rule is refused. Timed
    occurrences last exactly as long as the first (RFC 5545 section 3.8.5.3: same exact
    duration), all-day ones as many days, at least one; all-day series get a day more on both
    sides of the window. Times count whole seconds. Never raises.
    """
    frame = _frame(start, all_day)
    slack = _DAY if all_day else timedelta(0)
    low, high = _shift(_utc(window.start), -slack), _shift(_utc(window.end), slack)
    length = _whole(_utc(end.at) - frame.start, all_day)
    lines = [_split(line) for line in recurrence]
    dates = _read_dates(lines, frame)
    dates.excluded.update(_utc(original) for original in replaced)

    def occur(starts: Iterable[datetime]) -> Iterator[Occurrence]:
        added, excluded, days = dates.added, dates.excluded, dates.excluded_days
        for at in starts:
            if at >= high or at in excluded:
                continue
            until = added.get(at) or _shift(at, length)
            if until <= low and not until == at == low:
                continue
            if not days or _wall(at, frame.zone).date() not in days:
                yield Occurrence(at, at, until)

    problem = dates.problem
    try:
        rules = [_read_rule(value, frame) for name, _, value in lines if name == "RRULE"]
    except _Refused as refusal:
        rules, problem, dates.added = [], str(refusal), {}
    span = (_shift(low, -length - _DAY), _shift(high, _DAY))
    found, is_cut = _walk_all(rules, frame, span, occur)
    found.update((one.original, one) for one in occur([frame.start, *dates.added]))
    if is_cut or len(found) > MAX_OCCURRENCES:
        problem = TOO_LONG
    return Expansion(sorted(found.values())[:MAX_OCCURRENCES], problem)


def _walk_all(
    rules: Sequence[_Rule],
    frame: _Frame,
    span: tuple[datetime, datetime],
    occur: Callable[[Iterable[datetime]], Iterator[Occurrence]],
) -> tuple[dict[datetime, Occurrence], bool]:
    """Give what the rules' starts make occur, by start, and whether a limit cut it short."""
    found: dict[datetime, Occurrence] = {}
    work = _Work(MAX_WORK)
    try:
        for rule in rules[:MAX_RULES]:
            ones = islice(occur(_starts(rule, frame, span, work)), MAX_OCCURRENCES + 1)
            found.update((one.original, one) for one in ones)
    except _WorkSpent:
        return found, True
    return found, len(rules) > MAX_RULES


def _starts(
    rule: _Rule, frame: _Frame, span: tuple[datetime, datetime], work: _Work
) -> Iterator[datetime]:
    """Yield the rule's starts, aware UTC, inside *span*, which is a day wide of what matters."""
    first = span[0].replace(tzinfo=None)
    last = min(span[1], _shift(rule.until, _DAY)).replace(tzinfo=None)
    left, instant, until = rule.count, frame.instant, rule.until
    for wall in _walls(rule, frame, (first, last), work):
        work.spend(1)
        if wall < frame.wall:
            continue
        if left is not None:
            if left == 0:
                return
            left -= 1
        if wall >= first and (at := instant(wall)) <= until:
            yield at


def _walls(
    rule: _Rule, frame: _Frame, span: tuple[datetime, datetime], work: _Work
) -> Iterator[datetime]:
    """Yield the rule's naive wall times, period by whole period.

    Without COUNT the walk begins at the last period in step with the start that is not after
    the span's begin. Beginning at a period's first day also gives BYSETPOS the whole period.
    """
    begin = _period(rule, frame.wall)
    if rule.count is None:
        begin += max(0, _period(rule, span[0]) - begin) // rule.interval * rule.interval
    interval = _Interval(rule.interval)
    interval.periods = (_period(rule, span[1]) - begin) // rule.interval
    interval.spend = partial(work.spend, _COST[rule.freq] * (1 + len(rule.by.get("bysetpos", ()))))
    if interval.periods < 0:
        return
    options = rule.by | {"interval": interval, "until": span[1], "wkst": rule.wkst}
    try:
        yield from rrule(dtstart=_period_start(rule, begin), freq=rule.freq, **options)
    except (_PeriodsOver, ValueError, OverflowError):
        # dateutil: ValueError also for an hourly rule whose steps never meet BYHOUR, and with
        # OverflowError for dates past the calendar's end.
        return


class _Work:
    """What a call may still spend."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, units: int) -> None:
        """Take *units*; raises _WorkSpent when nothing is left."""
        self.left -= units
        if self.left < 0:
            raise _WorkSpent


class _Interval(int):
    """An INTERVAL that ends the walk: dateutil adds it, or its multiple, once per period.

    dateutil looks at `until` only when a date matches, so that a rule that never matches
    would run to the year 9999.
    """

    periods: int
    spend: Callable[[], None]

    def _step(self) -> int:
        if self.periods == 0:
            raise _PeriodsOver
        self.periods -= 1
        self.spend()
        return int(self)

    def __radd__(self, other: int) -> int:
        return other + self._step()

    def __mul__(self, other: int) -> int:
        return self._step() * other


def _period(rule: _Rule, wall: datetime) -> int:
    """Number the year, month, week, day or hour that *wall* is in."""
    if rule.freq == YEARLY:
        return wall.year
    if rule.freq == MONTHLY:
        return wall.year * 12 + wall.month - 1
    if rule.freq == WEEKLY:
        return (wall.toordinal() - 1 - rule.wkst) // 7
    return wall.toordinal() if rule.freq == DAILY else wall.toordinal() * 24 + wall.hour


def _period_start(rule: _Rule, number: int) -> datetime:
    """Give the first wall time of a period that _period numbered."""
    if rule.freq == YEARLY:
        return datetime(number, 1, 1)
    if rule.freq == MONTHLY:
        return datetime(number // 12, number % 12 + 1, 1)
    if rule.freq == WEEKLY:
        return datetime.fromordinal(max(1, number * 7 + 1 + rule.wkst))
    if rule.freq == DAILY:
        return datetime.fromordinal(number)
    return datetime.fromordinal(number // 24) + timedelta(hours=number % 24)


def _read_rule(text: str, frame: _Frame) -> _Rule:
    """Read an RRULE's value; parts that we do not know are ignored (RFC 5545 section 3.3.10).

    Raises _Refused.
    """
    pieces = [piece.partition("=") for piece in "".join(text.upper().split()).split(";") if piece]
    parts = {name: value for name, _, value in pieces}
    freq, is_hourly = parts.get("FREQ"), parts.get("FREQ") == "HOURLY"
    if freq in ("SECONDLY", "MINUTELY") or (is_hourly and (frame.all_day or "BYHOUR" not in parts)):
        raise _Refused(TOO_FREQUENT)
    try:
        if len(parts) < len(pieces) or parts.get("RSCALE", "GREGORIAN") != "GREGORIAN":
            raise ValueError("a part twice, or a calendar of RFC 7529")
        until = _LATEST
        if "UNTIL" in parts:
            until = frame.place(_stamp(parts["UNTIL"]), at=time(23, 59, 59))
        rule = _Rule(
            freq=_FREQUENCIES[parts["FREQ"]],
            interval=_natural(parts.get("INTERVAL", "1")),
            count=_natural(parts["COUNT"]) if "COUNT" in parts else None,
            until=until,
            wkst=_WEEKDAYS.index(parts.get("WKST", "MO")),
            by=_by(parts, frame),
        )
    except (KeyError, ValueError):
        raise _Refused(UNREADABLE) from None
    if prod(len(rule.by[unit]) for unit in _TIME_PARTS) >= MAX_TIMES_PER_DAY:
        raise _Refused(TOO_FREQUENT)
    return rule


def _by(parts: dict[str, str], frame: _Frame) -> dict[str, Any]:
    """Give the BYxxx parts, what they leave open taken from the start. Raises ValueError."""
    by: dict[str, Any] = {}
    for part, (name, least, greatest) in _NUMBERS.items():
        if part in parts:
            by[name] = sorted({int(number) for number in parts[part].split(",")})
            if by[name][0] < least or by[name][-1] > greatest or (least < 0 and 0 in by[name]):
                raise ValueError(part)
    freq, wall = parts["FREQ"], frame.wall
    if "BYDAY" in parts:
        limit = 5 if freq == "MONTHLY" or "BYMONTH" in parts else 53
        by["byweekday"] = _weekdays(parts["BYDAY"], limit)
    given = by.keys() & _DAY_PARTS
    if given == {"byweekno"} or (freq == "WEEKLY" and not given):
        by["byweekday"] = [wall.weekday()]
    elif freq in ("YEARLY", "MONTHLY") and not given:
        by["bymonthday"] = [wall.day]
        if freq == "YEARLY":
            by.setdefault("bymonth", [wall.month])
    for unit, value in zip(_TIME_PARTS, (wall.hour, wall.minute, wall.second), strict=True):
        by[unit] = [value] if frame.all_day else by.get(unit, [value])
    by["bysecond"] = sorted({min(second, 59) for second in by["bysecond"]})
    return by


def _weekdays(text: str, limit: int) -> list[weekday]:
    """Read a BYDAY; *limit* is the greatest ordinal that can be met. Raises ValueError.

    Beside ordinals a plain weekday becomes all of its ordinals: dateutil would want both.
    """
    matches = [_BYDAY.fullmatch(day) for day in text.split(",")]
    days = [(int(m[1] or 0), _WEEKDAYS.index(m[2])) for m in matches if m and m[1] not in _ZEROS]
    if len(days) < len(matches) or any(abs(ordinal) > limit for ordinal, _ in days):
        raise ValueError(text)
    if any(ordinal for ordinal, _ in days):
        plain = [day for ordinal, day in days if not ordinal]
        days += [(ordinal, day) for day in plain for ordinal in range(1, limit + 1)]
        days = [(ordinal, day) for ordinal, day in days if ordinal]
    return [weekday(day, ordinal or None) for ordinal, day in sorted(set(days))]


def _natural(text: str) -> int:
    """Read a whole number of at least 1. Raises ValueError."""
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def _read_dates(lines: Iterable[_Line], frame: _Frame) -> _Dates:
    """Read RDATE and EXDATE (RFC 5545 sections 3.8.5.1, 3.8.5.2), the first MAX_DATES values.

    A zone that we do not know, such as a Windows name, is taken for the series' own.
    """
    dates = _Dates()
    left = MAX_DATES
    for name, tzid, value in lines:
        if name not in ("RDATE", "EXDATE"):
            continue
        values = value.upper().split(",", left)
        for text in filter(None, map(str.strip, values[:left])):
            try:
                _add_date(dates, name, text, frame, _zone(tzid))
            except (ValueError, OverflowError):
                dates.problem = dates.problem or UNREADABLE
        if len(values) > left:
            dates.problem = TOO_LONG
        left = max(0, left - len(values))
    return dates


def _add_date(dates: _Dates, name: str, text: str, frame: _Frame, zone: tzinfo | None) -> None:
    """Add one value of an RDATE or EXDATE. Raises ValueError and OverflowError."""
    begin, slash, rest = text.partition("/")
    stamp = _stamp(begin)
    at = frame.place(stamp, zone)
    if name == "RDATE":
        dates.added[at] = _period_end(at, rest, frame, zone) if slash else dates.added.get(at)
    elif stamp.is_date and not frame.all_day:
        dates.excluded_days.add(stamp.wall.date())
    else:
        dates.excluded.add(at)


def _period_end(at: datetime, text: str, frame: _Frame, zone: tzinfo | None) -> datetime:
    """Give the end of a PERIOD that begins *at* (RFC 5545 section 3.3.9), days being 24 hours."""
    if match := _DURATION.fullmatch(text):
        weeks, days, hours, minutes, seconds = (int(number or 0) for number in match.groups())
        length = timedelta(days, seconds, 0, 0, minutes, hours, weeks)
    else:
        length = frame.place(_stamp(text), zone) - at
    if length < timedelta(0):
        raise ValueError(text)
    return at + _whole(length, frame.all_day)


def _whole(length: timedelta, all_day: bool) -> timedelta:
    """Make *length* one that an event can have: not negative; all-day, whole days, at least 1."""
    return max(timedelta(length.days), _DAY) if all_day else max(length, timedelta(0))


def _stamp(text: str) -> _Stamp:
    """Read a DATE or DATE-TIME; a leap second becomes the one before. Raises ValueError."""
    match = _STAMP.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(number or 0) for number in match.groups()[:6])
    wall = datetime(year, month, day, hour, minute, 59 if second == 60 else second)
    return _Stamp(wall, is_date=match[4] is None, is_utc=match[7] is not None)


def _split(line: str) -> _Line:
    """Split a content line into name, TZID and value; none of ours has a colon in its value."""
    head, colon, value = line.rpartition(":")
    name, *parameters = (head if colon else line).split(";")
    pairs = (parameter.partition("=") for parameter in parameters)
    tzid = next((zone for key, _, zone in pairs if key.strip().upper() == "TZID"), None)
    return name.strip().upper(), tzid and tzid.strip(' "'), value


def _frame(start: Moment, all_day: bool) -> _Frame:
    """Give the series' frame; a timed start without a zone that we know runs in UTC."""
    at = _utc(start.at)
    if all_day:
        at = midnight_utc(at.date())
    zone = (None if all_day else _zone(start.tzid)) or UTC
    return _Frame(zone, all_day, at, _wall(at, zone))


@lru_cache(maxsize=1024)
def _zone(tzid: str | None) -> tzinfo | None:
    """Give the IANA zone, or None when there is none of that name."""
    try:
        return ZoneInfo(tzid) if tzid else None
    except (KeyError, ValueError, OSError):
        return None


def _utc(at: datetime) -> datetime:
    """Give *at* in UTC, in whole seconds; naive means UTC."""
    try:
        return (at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)).replace(microsecond=0)
    except OverflowError:
        return at.replace(microsecond=0, tzinfo=UTC)


def _wall(at: datetime, zone: tzinfo) -> datetime:
    """Give the naive local time of a UTC instant."""
    try:
        return at.astimezone(zone).replace(tzinfo=None, fold=0)
    except OverflowError:
        return at.replace(tzinfo=None)


def _shift(at: datetime, by: timedelta) -> datetime:
    """Add, stopping at the ends of the calendar."""
    try:
        return at + by
    except OverflowError:
        return _LATEST if by > timedelta(0) else _EARLIEST
