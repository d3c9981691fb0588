"""Turn a series into its occurrences within a window (RFC 5545 sections 3.3.10 and 3.8.5).

`recurrence_lines` reads the lines, `rule_walk` walks the rules, `wall_time` places wall time
on the UTC line. Pure; no input raises, and the worst costs about a second.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from functools import partial
from itertools import islice
from typing import NamedTuple

from broker.domain import Moment, Window
from broker.sync.recurrence_lines import (
    MAX_DATES,
    MAX_TIMES_PER_DAY,
    TOO_FREQUENT,
    TOO_LONG,
    UNREADABLE,
    ListedDates,
    Rule,
    RuleRefused,
    read_dates,
    read_rule,
    split_line,
)
from broker.sync.rule_walk import MAX_WORK, Work, WorkSpent, rule_starts
from broker.sync.wall_time import (
    DAY,
    Frame,
    event_length,
    frame_at,
    local_time,
    shifted,
    utc_seconds,
)

__all__ = [
    "MAX_DATES",
    "MAX_OCCURRENCES",
    "MAX_RULES",
    "MAX_TIMES_PER_DAY",
    "MAX_WORK",
    "TOO_FREQUENT",
    "TOO_LONG",
    "UNREADABLE",
    "Expansion",
    "Occurrence",
    "expand",
]

MAX_OCCURRENCES = 1_000
MAX_RULES = 10


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
    `rule_too_long` (cut at a limit). *work* is what of MAX_WORK the rules have cost.
    """

    occurrences: list[Occurrence]
    problem: str | None = None
    work: int = field(default=0, compare=False)


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
    frame = frame_at(start, all_day)
    slack = DAY if all_day else timedelta(0)
    low, high = shifted(utc_seconds(window.start), -slack), shifted(utc_seconds(window.end), slack)
    length = event_length(utc_seconds(end.at) - frame.start, all_day)
    lines = [split_line(line) for line in recurrence]
    dates = read_dates(lines, frame)
    dates.excluded.update(utc_seconds(original) for original in replaced)
    occur = partial(_occurrences, dates, frame.zone, length, (low, high))
    problem = dates.problem
    try:
        rules = [read_rule(value, frame) for name, _, value in lines if name == "RRULE"]
    except RuleRefused as refusal:
        rules, problem, dates.added = [], str(refusal), {}
    span = (shifted(low, -length - DAY), shifted(high, DAY))
    work = Work(MAX_WORK)
    found, is_cut = _walk_all(rules, frame, span, occur, work)
    found.update((one.original, one) for one in occur([frame.start, *dates.added]))
    if is_cut or len(found) > MAX_OCCURRENCES:
        problem = TOO_LONG
    spent = MAX_WORK - max(0, work.left)
    return Expansion(sorted(found.values())[:MAX_OCCURRENCES], problem, spent)


def _walk_all(
    rules: Sequence[Rule],
    frame: Frame,
    span: tuple[datetime, datetime],
    occur: Callable[[Iterable[datetime]], Iterator[Occurrence]],
    work: Work,
) -> tuple[dict[datetime, Occurrence], bool]:
    """Give what the rules' starts make occur, by start, and whether a limit cut it short."""
    found: dict[datetime, Occurrence] = {}
    try:
        for rule in rules[:MAX_RULES]:
            ones = islice(occur(rule_starts(rule, frame, span, work)), MAX_OCCURRENCES + 1)
            found.update((one.original, one) for one in ones)
    except WorkSpent:
        return found, True
    return found, len(rules) > MAX_RULES


def _occurrences(
    dates: ListedDates,
    zone: tzinfo,
    length: timedelta,
    window: tuple[datetime, datetime],
    starts: Iterable[datetime],
) -> Iterator[Occurrence]:
    """Yield the occurrences of *starts* in *window*, but for what is excluded."""
    low, high = window
    added, excluded, days = dates.added, dates.excluded, dates.excluded_days
    for at in starts:
        if at >= high or at in excluded:
            continue
        until = added.get(at) or shifted(at, length)
        if until <= low and not until == at == low:
            continue
        if not days or local_time(at, zone).date() not in days:
            yield Occurrence(at, at, until)
