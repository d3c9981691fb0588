"""Which IANA zone a TZID means (RFC 5545 section 3.2.19; RFC 7808 for the names).

Clients write what they like: IANA names, IANA names behind a vendor's prefix, Windows names,
`GMT+0100`, or a name of their own with its rules beside it. A time zone that we cannot name
is replaced by one with the same rules, so that repeated events keep their wall time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

_FIXED = re.compile(r"(?:GMT|UTC|Z)?\s*([+-])(\d{1,2}):?(\d\d)?", re.IGNORECASE | re.ASCII)
_BRACKETED = re.compile(r"\((?:GMT|UTC)\s*([+-]\d{1,2}:?\d\d)?\)", re.IGNORECASE | re.ASCII)
_OFFSET = re.compile(r"([+-])(\d\d)(\d\d)(\d\d)?", re.ASCII)
_BYMONTH = re.compile(r"BYMONTH=(\d{1,2})", re.ASCII)
_UTC_NAMES = frozenset({"utc", "gmt", "z", "etc/utc", "zulu", "universal", "tzone://microsoft/utc"})
_PROBES = tuple(datetime(2026, month, 15, 12) for month in range(1, 13))
# Tried first among zones with the same rules: the ones most people live in.
_COMMON = (
    "Europe/Berlin",
    "Europe/London",
    "Europe/Athens",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Halifax",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Asia/Shanghai",
    "Australia/Sydney",
    "Pacific/Auckland",
)


@dataclass(frozen=True, slots=True)
class ZoneRules:
    """What a VTIMEZONE says: its offsets, in which month summer time begins, and a name."""

    standard: timedelta
    daylight: timedelta | None = None
    summer_from: int | None = None
    location: str | None = None


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    local = {"localtime", "Factory", "posixrules"}
    return {name.lower(): name for name in available_timezones() - local}


@lru_cache(maxsize=1)
def _windows() -> dict[str, str]:
    return {name.lower(): zone for name, zone in WINDOWS_TO_OLSON.items()}


@lru_cache(maxsize=2048)
def zone_named(tzid: str) -> str | None:
    """Give the IANA name that *tzid* is or hides; None when it is neither."""
    text = tzid.strip().strip("\"'").lower()
    if not text or len(text) > 200:
        return None
    if text in _UTC_NAMES:
        return "UTC"
    found = _names().get(text) or _windows().get(text)
    if found is not None:
        return found
    pieces = [piece for piece in text.split("/") if piece]
    for start in range(1, len(pieces)):
        found = _names().get("/".join(pieces[start:]))
        if found is not None and (len(pieces) - start > 1 or found == "UTC"):
            return found
    return _fixed(text)


def _fixed(text: str) -> str | None:
    """Read `GMT+0100`, `+01:00` and `(UTC)`; named with a place they are left to the rules."""
    match = _FIXED.fullmatch(text)
    if match is None:
        bracketed = _BRACKETED.fullmatch(text)
        return "UTC" if bracketed is not None and bracketed[1] is None else None
    sign = -1 if match[1] == "-" else 1
    return _zone_at(sign * timedelta(hours=int(match[2]), minutes=int(match[3] or 0)))


def resolve(tzid: str, rules: Mapping[str, ZoneRules], default: str) -> str:
    """Give the IANA zone for *tzid*, by name, by its *rules*, or else *default*."""
    named = zone_named(tzid)
    if named is not None:
        return named
    known = rules.get(tzid)
    return (zone_with(known, default) if known is not None else None) or default


@lru_cache(maxsize=512)
def zone_with(rules: ZoneRules, preferred: str) -> str | None:
    """Give an IANA zone that follows *rules*; *preferred* wins when it does."""
    if rules.location is not None and (named := zone_named(rules.location)) is not None:
        return named
    if rules.daylight is None or rules.daylight == rules.standard:
        return _zone_at(rules.standard)
    candidates = (preferred, *_COMMON, *sorted(set(WINDOWS_TO_OLSON.values())))
    return next((name for name in candidates if _follows(name, rules)), None)


def _follows(name: str, rules: ZoneRules) -> bool:
    offsets = _offsets(name)
    if {rules.standard, rules.daylight} != set(offsets):
        return False
    if rules.summer_from is None:
        return True
    # The middle of the month after the change already has the summer offset.
    return offsets[rules.summer_from % 12] == rules.daylight


@lru_cache(maxsize=512)
def _offsets(name: str) -> tuple[timedelta, ...]:
    zone = zone_info(name)
    return tuple(probe.replace(tzinfo=zone).utcoffset() or timedelta() for probe in _PROBES)


def _zone_at(offset: timedelta) -> str | None:
    """Give a zone without summer time at *offset*; whole hours have one of their own."""
    if not offset:
        return "UTC"
    hours = offset / timedelta(hours=1)
    if hours == int(hours):
        name = f"Etc/GMT{-int(hours):+d}"
        return _names().get(name.lower())
    zones = sorted(set(WINDOWS_TO_OLSON.values()))
    return next((name for name in zones if set(_offsets(name)) == {offset}), None)


@lru_cache(maxsize=512)
def zone_info(name: str) -> ZoneInfo:
    """Give the zone of an IANA name that this module gave."""
    return ZoneInfo(name)


def to_utc(wall: datetime, name: str) -> datetime:
    """Place naive *wall* time of a zone on the UTC line.

    A time that the zone skips takes the offset before the gap; one it repeats is the first.
    """
    if name == "UTC":
        return wall.replace(tzinfo=UTC)
    try:
        return wall.replace(tzinfo=zone_info(name)).astimezone(UTC)
    except OverflowError:
        return wall.replace(tzinfo=UTC)


def read_rules(lines: list[str]) -> tuple[str, ZoneRules] | None:
    """Read the unfolded lines of one VTIMEZONE; None when it says too little.

    Of several observances the last of each kind counts: those are the ones in force.
    """
    kind, tzid, location = "", "", None
    offsets: dict[str, timedelta] = {}
    summer_from: int | None = None
    for line in lines:
        name, _, value = line.partition(":")
        name = name.split(";")[0].upper()
        if name in {"BEGIN", "END"}:
            kind = value.strip().upper() if name == "BEGIN" else ""
        elif name == "TZID":
            tzid = value.strip()
        elif name == "X-LIC-LOCATION":
            location = value.strip()
        elif name == "TZOFFSETTO" and (offset := _offset(value)) is not None:
            offsets[kind] = offset
        elif name == "RRULE" and kind == "DAYLIGHT" and (month := _BYMONTH.search(value)):
            summer_from = int(month[1])
    if not tzid or "STANDARD" not in offsets:
        return None
    return tzid, ZoneRules(offsets["STANDARD"], offsets.get("DAYLIGHT"), summer_from, location)


def _offset(text: str) -> timedelta | None:
    match = _OFFSET.fullmatch(text.strip())
    if match is None:
        return None
    size = timedelta(hours=int(match[2]), minutes=int(match[3]), seconds=int(match[4] or 0))
    return -size if match[1] == "-" else size
