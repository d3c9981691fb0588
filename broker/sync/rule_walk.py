"""Walk a rule's starts with dateutil, from near the span that matters and at a bounded cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from dateutil.rrule import DAILY, HOURLY, MONTHLY, WEEKLY, YEARLY, rrule

from broker.sync.recurrence_lines import Rule
from broker.sync.wall_time import DAY, Frame, shifted

# Work that one call may spend: a result costs 1, a period about what it costs dateutil.
MAX_WORK = 200_000
_COST = {YEARLY: 40, MONTHLY: 4, WEEKLY: 1, DAILY: 1, HOURLY: 1}


class _PeriodsOver(Exception):
    """The walk has done its last period."""


class WorkSpent(Exception):
    """The call has done as much as it may."""


class Work:
    """What a call may still spend."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, units: int) -> None:
        """Take *units*; raises WorkSpent when nothing is left."""
        self.left -= units
        if self.left < 0:
            raise WorkSpent


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


def rule_starts(
    rule: Rule, frame: Frame, span: tuple[datetime, datetime], work: Work
) -> Iterator[datetime]:
    """Yield the rule's starts, aware UTC, inside *span*, which is a day wide of what matters."""
    first = span[0].replace(tzinfo=None)
    last = min(span[1], shifted(rule.until, DAY)).replace(tzinfo=None)
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
    rule: Rule, frame: Frame, span: tuple[datetime, datetime], work: Work
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


def _period(rule: Rule, wall: datetime) -> int:
    """Number the year, month, week, day or hour that *wall* is in."""
    if rule.freq == YEARLY:
        return wall.year
    if rule.freq == MONTHLY:
        return wall.year * 12 + wall.month - 1
    if rule.freq == WEEKLY:
        return (wall.toordinal() - 1 - rule.wkst) // 7
    return wall.toordinal() if rule.freq == DAILY else wall.toordinal() * 24 + wall.hour


def _period_start(rule: Rule, number: int) -> datetime:
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
