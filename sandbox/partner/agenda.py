"""Events and busy times as a person reads them: by day, in their own time zone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

_ANSWERS = {
    "declined": "you declined",
    "tentative": "you said maybe",
    "needs_action": "you have not answered",
}


@dataclass(frozen=True)
class Entry:
    """One line of a day."""

    when: str
    summary: str
    calendar: str
    place: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Day:
    """A day with its entries, all-day ones first."""

    on: date
    entries: list[Entry]


@dataclass(frozen=True)
class Block:
    """A stretch of time with its state."""

    when: str
    status: str
    calendar: str


@dataclass(frozen=True)
class _Span:
    """Start and end in the person's zone; for whole days the end is the last day."""

    start: datetime
    end: datetime
    all_day: bool


def days(
    events: Iterable[Mapping[str, Any]], calendars: Mapping[str, str], zone: ZoneInfo, today: date
) -> list[Day]:
    """Group events by the day they begin on; what began earlier counts as today's."""
    by_day: dict[date, list[tuple[_Span, Entry]]] = {}
    for event in events:
        if event.get("deleted"):
            continue
        span = _span(event, zone)
        on = max(span.start.date(), today)
        by_day.setdefault(on, []).append((span, _entry(event, span, calendars, on)))
    return [Day(on, [entry for _, entry in _sorted(by_day[on])]) for on in sorted(by_day)]


def blocks(
    found: Iterable[Mapping[str, Any]], calendars: Mapping[str, str], zone: ZoneInfo
) -> list[Block]:
    """Put busy times in order."""
    spans = sorted(((_span(block, zone), block) for block in found), key=lambda row: row[0].start)
    return [
        Block(
            f"{_day(span.start)}, {_when(span, span.start.date())}",
            str(block.get("free_busy_status", "unknown")),
            calendars.get(block["calendar_id"], block["calendar_id"]),
        )
        for span, block in spans
    ]


def _sorted(rows: list[tuple[_Span, Entry]]) -> list[tuple[_Span, Entry]]:
    return sorted(rows, key=lambda row: (not row[0].all_day, row[0].start, row[1].summary))


def _entry(event: Mapping[str, Any], span: _Span, calendars: Mapping[str, str], on: date) -> Entry:
    notes = [_ANSWERS.get(str(event.get("participation_status")), "")]
    notes.append("repeats" if event.get("recurring") else "")
    notes.append("cancelled" if event.get("status") == "cancelled" else "")
    notes.append("private" if event.get("event_private") else "")
    notes.append("shown as free" if event.get("transparency") == "transparent" else "")
    return Entry(
        when=_when(span, on),
        summary=event.get("summary") or "(no title)",
        calendar=calendars.get(event["calendar_id"], event["calendar_id"]),
        place=(event.get("location") or {}).get("description", ""),
        notes=tuple(note for note in notes if note),
    )


def _when(span: _Span, on: date) -> str:
    ends_later = span.end.date() != on
    if span.all_day:
        return f"all day, until {_day(span.end)}" if ends_later else "all day"
    start = f"{span.start:%H:%M}" if span.start.date() == on else f"since {_day(span.start)}"
    end = f"{_day(span.end)} {span.end:%H:%M}" if ends_later else f"{span.end:%H:%M}"
    return f"{start} – {end}"


def _span(event: Mapping[str, Any], zone: ZoneInfo) -> _Span:
    start, end = str(event["start"]), str(event["end"])
    if len(start) == 10:
        last = max(date.fromisoformat(end) - timedelta(days=1), date.fromisoformat(start))
        return _Span(_midnight(date.fromisoformat(start), zone), _midnight(last, zone), True)
    return _Span(
        datetime.fromisoformat(start).astimezone(zone),
        datetime.fromisoformat(end).astimezone(zone),
        False,
    )


def _midnight(on: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(on, time(), zone)


def _day(moment: datetime) -> str:
    return f"{moment:%a} {moment.day} {moment:%b}"
