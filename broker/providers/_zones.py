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
_MONTH = re.compile(r"\d{4}(0[1-9]|1[0-2])", re.ASCII)
_UTC_NAMES = frozenset({"utc", "gmt", "z", "etc/utc", "zulu", "universal", "tzone://microsoft/utc"})
_YEAR = 2026
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
    if _offsets(name) != {rules.standard, rules.daylight}:
        return False
    if rules.summer_from is None:
        return True
    # The days around the month in which it changes: summer may be long in both hemispheres.
    month = (rules.summer_from - 1) % 12
    before = datetime(_YEAR, month + 1, 1, 12) - timedelta(days=1)
    after = datetime(_YEAR, month + 1, 28, 12) + timedelta(days=4)
    return (_offset_at(name, before), _offset_at(name, after)) == (rules.standard, rules.daylight)


@lru_cache(maxsize=512)
def _offsets(name: str) -> frozenset[timedelta]:
    return frozenset(_offset_at(name, datetime(_YEAR, month, 15, 12)) for month in range(1, 13))


def _offset_at(name: str, wall: datetime) -> timedelta:
    return wall.replace(tzinfo=zone_info(name)).utcoffset() or timedelta()


def _zone_at(offset: timedelta) -> str | None:
    """Give a zone without summer time at *offset*; whole hours have one of their own."""
    if not offset:
        return "UTC"
    hours = offset / timedelta(hours=1)
    if hours == int(hours):
        name = f"Etc/GMT{-int(hours):+d}"
        return _names().get(name.lower())
    zones = sorted(set(WINDOWS_TO_OLSON.values()))
    return next((name for name in zones if _offsets(name) == {offset}), None)


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

    Of several observances of a kind the one that began last is in force, wherever it stands.
    """
    kind, tzid, location = "", "", None
    found: dict[str, list[dict[str, str]]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.split(";")[0].upper(), value.strip()
        if name == "BEGIN":
            kind = value.upper()
            found.setdefault(kind, []).append({})
        elif name == "END":
            kind = ""
        elif name == "TZID":
            tzid = value
        elif name == "X-LIC-LOCATION":
            location = value
        elif kind:
            found[kind][-1][name] = value
    standard, daylight = (_in_force(found.get(one, [])) for one in ("STANDARD", "DAYLIGHT"))
    if not tzid or standard is None:
        return None
    if daylight is None:
        return tzid, ZoneRules(standard[0], location=location)
    return tzid, ZoneRules(standard[0], *daylight, location)


def _in_force(observances: list[dict[str, str]]) -> tuple[timedelta, int | None] | None:
    """Give the offset of the observance that began last, and the month in which it begins."""
    known = [(one, _offset(one.get("TZOFFSETTO", ""))) for one in observances]
    whole = [(one.get("DTSTART", ""), one, offset) for one, offset in known if offset is not None]
    if not whole:
        return None
    # Of equal ones the last: max gives the first.
    begin, one, offset = max(reversed(whole), key=lambda found: found[0])
    month = _BYMONTH.search(one.get("RRULE", "")) or _MONTH.match(begin)
    return offset, int(month[1]) if month is not None else None


def _offset(text: str) -> timedelta | None:
    match = _OFFSET.fullmatch(text.strip())
    if match is None:
        return None
    size = timedelta(hours=int(match[2]), minutes=int(match[3]), seconds=int(match[4] or 0))
    return -size if match[1] == "-" else size
