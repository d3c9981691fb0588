"""Occurrences of a series: RRULE, RDATE and EXDATE in the wall time of the series' zone.

Ids of occurrences are `<master>_<original start>`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rruleset, rrulestr

from .errors import invalid
from .model import FOREVER_S, Resource
from .times import is_all_day, moment, rfc3339

_UNTIL = re.compile(r"UNTIL=(\d{8}T\d{6}Z)")
_MOST_COUNTED = 5_000


@dataclass(frozen=True)
class Occurrence:
    """One computed instance: its id and its place in time."""

    id: str
    original_start: Resource
    start: Resource
    end: Resource
    start_at: datetime
    end_at: datetime


class Series:
    """The rule of a master event, ready to be asked for occurrences."""

    def __init__(self, master: Resource, zone_name: str) -> None:
        """Read the rule. Raises ApiError 400 when it cannot be read."""
        self._master = master
        self._zone_name = zone_name
        self._all_day = is_all_day(master["start"])
        self._wall = ZoneInfo(master["start"].get("timeZone") or zone_name)
        first = moment(master["start"], zone_name)
        self._first = first.replace(tzinfo=None) if self._all_day else self._to_wall(first)
        self._length = self._wall_length(first)
        try:
            self._rules = self._read(master["recurrence"])
        except (ValueError, TypeError, KeyError, AttributeError) as problem:
            raise invalid("Invalid recurrence rule.", "recurrence") from problem

    def _wall_length(self, first: datetime) -> timedelta:
        end = moment(self._master["end"], self._zone_name)
        if self._all_day:
            return end.replace(tzinfo=None) - first.replace(tzinfo=None)
        return end.astimezone(UTC) - first.astimezone(UTC)

    def _to_wall(self, at: datetime) -> datetime:
        return at.astimezone(self._wall).replace(tzinfo=None)

    def _read(self, lines: list[str]) -> rruleset:
        rules = rruleset()
        # The first occurrence counts even where the rule itself would skip it (RFC 5545 3.8.5.3).
        rules.rdate(self._first)
        self._endless = False
        for line in lines:
            head, _, value = line.partition(":")
            name = head.upper().split(";")[0]
            if name == "RRULE":
                rules.rrule(self._rule(value))
                self._endless |= "COUNT=" not in value and "UNTIL=" not in value
            elif name in ("RDATE", "EXDATE"):
                add = rules.rdate if name == "RDATE" else rules.exdate
                for part in value.split(","):
                    add(self._wall_value(part, head.partition("TZID=")[2]))
            else:
                raise ValueError(name)
        return rules

    def _rule(self, value: str) -> rrule:
        rule = rrulestr(self._local_until(value), dtstart=self._first)
        if not isinstance(rule, rrule):
            raise ValueError(value)
        return rule

    def _local_until(self, rule: str) -> str:
        """Turn UNTIL in UTC into wall time, since the rule runs in wall time."""

        def local(found: re.Match[str]) -> str:
            at = datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return f"UNTIL={self._to_wall(at):%Y%m%dT%H%M%S}"

        return _UNTIL.sub(local, rule)

    def _wall_value(self, text: str, zone_name: str) -> datetime:
        if len(text) == 8:
            day = datetime.strptime(text, "%Y%m%d")
            return day if self._all_day else datetime.combine(day, self._first.time())
        at = datetime.strptime(text.rstrip("Z"), "%Y%m%dT%H%M%S")
        if text.endswith("Z"):
            return self._to_wall(at.replace(tzinfo=UTC))
        if zone_name:
            return self._to_wall(at.replace(tzinfo=ZoneInfo(zone_name.split(";")[0])))
        return at

    def last_end_s(self) -> int:
        """Return when the last occurrence ends, in seconds since 1970."""
        if self._endless:
            return FOREVER_S
        last = deque(islice(self._rules, _MOST_COUNTED), maxlen=1)
        return int(self._occurrence(last.pop() if last else self._first).end_at.timestamp())

    def between(self, after: datetime | None, before: datetime) -> Iterator[Occurrence]:
        """Yield the occurrences that end after `after` and start before `before`, in order."""
        for wall in self._rules:
            found = self._occurrence(wall)
            if found.start_at >= before:
                return
            if after is None or found.end_at > after:
                yield found

    def find(self, instance_id: str) -> Occurrence | None:
        """Return the occurrence with this id, or None when the rule has no such one."""
        text = instance_id.rpartition("_")[2]
        try:
            day = datetime.strptime(text[:8], "%Y%m%d").replace(tzinfo=UTC)
        except ValueError:
            return None
        nearby = self.between(day - timedelta(days=3), day + timedelta(days=3))
        return next((found for found in nearby if found.id == instance_id), None)

    def _occurrence(self, wall: datetime) -> Occurrence:
        if self._all_day:
            return self._day(wall.date())
        start_at = wall.replace(tzinfo=self._wall)
        end_at = start_at.astimezone(UTC) + self._length
        start = self._value(start_at, self._master["start"])
        return Occurrence(
            id=f"{self._master['id']}_{start_at.astimezone(UTC):%Y%m%dT%H%M%SZ}",
            original_start=start,
            start=start,
            end=self._value(end_at, self._master["end"]),
            start_at=start_at,
            end_at=end_at,
        )

    def _value(self, at: datetime, like: Resource) -> Resource:
        return {"dateTime": rfc3339(at, self._zone_name), "timeZone": like["timeZone"]}

    def _day(self, day: date) -> Occurrence:
        end = day + self._length
        calendar_zone = ZoneInfo(self._zone_name)
        return Occurrence(
            id=f"{self._master['id']}_{day:%Y%m%d}",
            original_start={"date": day.isoformat()},
            start={"date": day.isoformat()},
            end={"date": end.isoformat()},
            start_at=datetime.combine(day, time(), calendar_zone),
            end_at=datetime.combine(end, time(), calendar_zone),
        )
