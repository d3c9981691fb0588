"""Drafts as Exchange's elements.

Every time is written with its offset. Beside it goes the zone that it is meant in: by Windows
name, or for 2007, which knows none, by the offset of that day, which is all that an event that
does not repeat needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from broker.domain import EventDraft
from broker.providers._ews.markup import element, text
from broker.providers._ews.session import Version
from broker.providers._zones import to_utc, zone_info

_PROBES = tuple(datetime(2026, month, 15, 12) for month in range(1, 13))
_NAMES_OF_UTC = frozenset({"UTC", "Etc/UTC", "GMT"})


@dataclass(frozen=True, slots=True)
class Field:
    """One property of an item: its path, and the element that sets it; empty removes it."""

    path: str
    xml: str


def fields_of(draft: EventDraft, version: Version) -> list[Field]:
    """Write a draft, in the order of the schema; its busy status is not part of it."""
    windows = windows_name(draft.tzid or "UTC")
    tzid = draft.tzid if draft.tzid is not None and windows is not None else "UTC"
    start, end = _instants(draft, tzid)
    return [
        Field("item:Subject", element("t:Subject", draft.summary)),
        Field("item:Body", f'<t:Body BodyType="Text">{text(draft.description)}</t:Body>'),
        Field("calendar:Start", _time("Start", start)),
        Field("calendar:End", _time("End", end)),
        Field("calendar:IsAllDayEvent", element("t:IsAllDayEvent", str(draft.all_day).lower())),
        Field("calendar:Location", element("t:Location", draft.location) if draft.location else ""),
        *_zones(start, tzid, windows or "UTC", version),
    ]


def status_of(transparent: bool) -> Field:
    """Write whether an event takes time."""
    word = "Free" if transparent else "Busy"
    return Field(
        "calendar:LegacyFreeBusyStatus",
        f"<t:LegacyFreeBusyStatus>{word}</t:LegacyFreeBusyStatus>",
    )


@lru_cache(maxsize=512)
def windows_name(tzid: str) -> str | None:
    """Give the Windows name of an IANA zone, or of one with the same rules this year."""
    if tzid in _NAMES_OF_UTC:
        return "UTC"
    for name, olson in WINDOWS_TO_OLSON.items():
        if olson == tzid:
            return name
    try:
        own = _offsets(tzid)
    except (KeyError, ValueError, OSError):
        return None
    return next((name for name, olson in WINDOWS_TO_OLSON.items() if _offsets(olson) == own), None)


def _offsets(tzid: str) -> tuple[timedelta | None, ...]:
    zone = zone_info(tzid)
    return tuple(probe.replace(tzinfo=zone).utcoffset() for probe in _PROBES)


def _instants(draft: EventDraft, tzid: str) -> tuple[datetime, datetime]:
    """Give start and end; an all-day event runs from midnight to midnight of its zone."""
    if not draft.all_day:
        return draft.start.astimezone(UTC), draft.end.astimezone(UTC)
    days = (draft.start.astimezone(UTC), draft.end.astimezone(UTC))
    first, after = (to_utc(day.replace(tzinfo=None), tzid) for day in days)
    return first, after


def _time(name: str, at: datetime) -> str:
    return f"<t:{name}>{at:%Y-%m-%dT%H:%M:%SZ}</t:{name}>"


def _zones(start: datetime, tzid: str, windows: str, version: Version) -> list[Field]:
    if version is Version.EXCHANGE_2007:
        offset = start.astimezone(zone_info(tzid)).utcoffset() or timedelta()
        # West is positive here.
        base = f"<t:BaseOffset>{_duration(-offset)}</t:BaseOffset>"
        zone = f'<t:MeetingTimeZone TimeZoneName="{text(windows)}">{base}</t:MeetingTimeZone>'
        return [Field("calendar:MeetingTimeZone", zone)]
    return [
        Field(f"calendar:{name}", f'<t:{name} Id="{text(windows)}"/>')
        for name in ("StartTimeZone", "EndTimeZone")
    ]


def _duration(size: timedelta) -> str:
    minutes = abs(size) // timedelta(minutes=1)
    hours, rest = divmod(minutes, 60)
    return f"{'-' if size < timedelta() else ''}PT{hours}H" + (f"{rest}M" if rest else "")
