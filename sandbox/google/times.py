"""Times on the wire: RFC 3339 with an offset, all-day dates, and the zone each is meant in."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from .errors import invalid
from .model import Resource


def zone(name: str) -> ZoneInfo:
    """Return the named zone. Raises ApiError 400 when there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as problem:
        raise invalid("Invalid time zone definition.", "timeZone") from problem


def rfc3339(moment: datetime, zone_name: str = "UTC") -> str:
    """Write to the second in the zone, `Z` for UTC."""
    local = moment.astimezone(ZoneInfo(zone_name))
    return local.isoformat(timespec="seconds").replace("+00:00", "Z")


def stamp(moment: datetime) -> str:
    """Write as `created` and `updated` are written: UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parameter(value: str, name: str) -> datetime:
    """Read a query parameter. Raises ApiError 400 without an offset."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as problem:
        raise invalid("Bad Request", name) from problem
    if moment.tzinfo is None:
        raise invalid("Bad Request", name)
    return moment.replace(microsecond=0)


def is_all_day(value: Resource) -> bool:
    """Whether a start or end is a date."""
    return "date" in value


def moment(value: Resource, zone_name: str) -> datetime:
    """Return the instant of a stored start or end; a date begins in the calendar's zone."""
    if is_all_day(value):
        return datetime.combine(date.fromisoformat(value["date"]), time(), ZoneInfo(zone_name))
    return datetime.fromisoformat(value["dateTime"])


def normalised(value: object, name: str, zone_name: str) -> Resource:
    """Check a start or end that a client sent and return it as the calendar stores it.

    Raises ApiError 400 when it is missing, unreadable, or lacks both offset and zone.
    """
    if not isinstance(value, dict):
        raise invalid(f"Invalid {name} time.", name)
    if value.get("date"):
        return {"date": _date(value["date"], name).isoformat()}
    if not value.get("dateTime"):
        raise invalid(f"Invalid {name} time.", name)

    try:
        read = datetime.fromisoformat(value["dateTime"])
    except (TypeError, ValueError) as problem:
        raise invalid(f"Invalid {name} time.", name) from problem
    named = value.get("timeZone")
    if named:
        zone(named)
    if read.tzinfo is None:
        if not named:
            raise invalid(f"Missing time zone definition for {name} time.", name)
        read = read.replace(tzinfo=ZoneInfo(named))
    written = rfc3339(read.replace(microsecond=0), zone_name)
    return {"dateTime": written, "timeZone": named or zone_name}


def _date(value: object, name: str) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError as problem:
        raise invalid(f"Invalid {name} time.", name) from problem


def in_zone(value: Resource, zone_name: str) -> Resource:
    """Return a start or end with its offset rewritten for the `timeZone` parameter."""
    if is_all_day(value):
        return value
    return {**value, "dateTime": rfc3339(datetime.fromisoformat(value["dateTime"]), zone_name)}
