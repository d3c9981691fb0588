"""Items and folders as XML: what a shape asks for, in the order of the schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import ids, occurrences, zones
from .bodies import converted
from .fields import DEFAULT_SHAPE, NEWER, NOT_IN_LISTS, ORDER, element_of
from .fragments import effective_rights, folder_id, mailbox, zone_element
from .meeting_zone import meeting_time_zone
from .model import Person
from .occurrences import Occurrence
from .soap import Element, T, tag
from .versions import SCHEMAS


@dataclass(frozen=True)
class Shape:
    """What to say about an item: element names in order, keys of extended properties, the body."""

    names: tuple[str, ...]
    extended: tuple[str, ...]
    body: str = "Best"


def read_shape(element: Element, schema: str, *, listing: bool) -> Shape:
    """Read an ItemShape. Raises ValueError for a field that the schema does not have."""
    base = element.findtext(f"{T}BaseShape")
    wanted = set() if base == "IdOnly" else set(DEFAULT_SHAPE if base == "Default" else ORDER)
    extended = []
    properties = element.find(f"{T}AdditionalProperties")
    for path in properties if properties is not None else ():
        if path.tag == f"{T}FieldURI":
            wanted.add(element_of(path.get("FieldURI", "")))
        elif path.tag == f"{T}ExtendedFieldURI":
            extended.append(extended_key(path))
    wanted -= {"ItemId", "ExtendedProperty"}
    if listing:
        wanted -= NOT_IN_LISTS
    known = (name for name in wanted if name in ORDER and _known(name, schema))
    names = tuple(sorted(known, key=ORDER.__getitem__))
    return Shape(names, tuple(extended), element.findtext(f"{T}BodyType") or "Best")


def extended_key(path: Element) -> str:
    """Return what names an extended property: its attributes, whatever their order."""
    found = {str(name): str(value).lower() for name, value in path.attrib.items()}
    return "|".join(f"{name}={found[name]}" for name in sorted(found))


def _known(name: str, schema: str) -> bool:
    return name not in NEWER or SCHEMAS.index(NEWER[name]) <= SCHEMAS.index(schema)


def item_id(found: Occurrence, *, changed: int | None = None) -> str:
    """Write an item's id with its change key."""
    key = ids.change_key("item", found.item.changed if changed is None else changed)
    return f'<t:ItemId Id="{ids.written(found.id)}" ChangeKey="{key}"/>'


def item(found: Occurrence, shape: Shape, owner: Person, folder: int, schema: str) -> str:
    """Write an item in the shape asked for."""
    source = _Source(found, shape, owner, folder, schema)
    parts = [item_id(found)]
    extended_done = not shape.extended
    for name in shape.names:
        if not extended_done and ORDER[name] > ORDER["ExtendedProperty"]:
            parts.append(source.extended())
            extended_done = True
        computed = _COMPUTED.get(name)
        parts.append(computed(source) if computed else found.field(name))
    if not extended_done:
        parts.append(source.extended())
    return f"<t:{found.item.kind}>{''.join(parts)}</t:{found.item.kind}>"


@dataclass(frozen=True)
class _Source:
    found: Occurrence
    shape: Shape
    owner: Person
    folder: int
    schema: str

    def extended(self) -> str:
        kept = self.found.item.extended
        if self.found.change:
            kept = kept | self.found.change.extended
        return "".join(kept.get(key, "") for key in self.shape.extended)

    @property
    def is_meeting(self) -> bool:
        return any(self.found.field(name) for name in ("RequiredAttendees", "OptionalAttendees"))

    @property
    def is_organizer(self) -> bool:
        organizer = self.found.field("Organizer")
        return not organizer or f">{self.owner.email}<" in organizer


def _body(source: _Source) -> str:
    return converted(source.found.field("Body"), source.shape.body)


def _organizer(source: _Source) -> str:
    kept = source.found.field("Organizer")
    return kept or f"<t:Organizer>{mailbox(source.owner.name, source.owner.email)}</t:Organizer>"


def _recurrence(source: _Source) -> str:
    found = source.found
    return f"<t:Recurrence>{found.item.rule}</t:Recurrence>" if _is_master(found) else ""


def _is_master(found: Occurrence) -> bool:
    return bool(found.item.rule) and found.original_s is None


def _occurrence_info(name: str, found: Occurrence | None) -> str:
    if found is None or found.original_s is None:
        return ""
    original = tag("OriginalStart", zones.stamp(found.original_s))
    return f"<t:{name}>{item_id(found)}{_start(found)}{_end(found)}{original}</t:{name}>"


def _start(found: Occurrence) -> str:
    return tag("Start", zones.stamp(found.start_s))


def _end(found: Occurrence) -> str:
    return tag("End", zones.stamp(found.end_s))


def _modified(source: _Source) -> str:
    found = source.found
    if not _is_master(found) or not found.item.changes:
        return ""
    inside = "".join(
        _occurrence_info("Occurrence", occurrences.one(found.item, original_s))
        for original_s in sorted(found.item.changes)
        if original_s not in found.item.deleted
    )
    return f"<t:ModifiedOccurrences>{inside}</t:ModifiedOccurrences>" if inside else ""


def _deleted(source: _Source) -> str:
    found = source.found
    if not _is_master(found) or not found.item.deleted:
        return ""
    inside = "".join(
        f"<t:DeletedOccurrence>{tag('Start', zones.stamp(at))}</t:DeletedOccurrence>"
        for at in sorted(found.item.deleted)
    )
    return f"<t:DeletedOccurrences>{inside}</t:DeletedOccurrences>"


def _first(source: _Source) -> str:
    found = source.found
    if not _is_master(found):
        return ""
    return _occurrence_info("FirstOccurrence", occurrences.first(found.item))


def _last(source: _Source) -> str:
    found = source.found
    if not _is_master(found):
        return ""
    return _occurrence_info("LastOccurrence", occurrences.last(found.item))


def _recurrence_id(source: _Source) -> str:
    original_s = source.found.original_s
    return "" if original_s is None else tag("RecurrenceId", zones.stamp(original_s))


def _original_start(source: _Source) -> str:
    original_s = source.found.original_s
    at = source.found.start_s if original_s is None else original_s
    return tag("OriginalStart", zones.stamp(at))


def _state(source: _Source) -> str:
    bits = source.is_meeting + 2 * (not source.is_organizer)
    cancelled = 4 * ("true" in source.found.field("IsCancelled"))
    return tag("AppointmentState", bits + cancelled)


def _duration(source: _Source) -> str:
    minutes = (source.found.end_s - source.found.start_s) // 60
    days, minutes = divmod(minutes, 1440)
    hours, minutes = divmod(minutes, 60)
    day = f"{days}D" if days else ""
    clock = "".join(f"{n}{u}" for n, u in ((hours, "H"), (minutes, "M")) if n)
    text = f"P{day}" + (f"T{clock}" if clock else "")
    return tag("Duration", text if text != "P" else "PT0S")


def _my_response(source: _Source) -> str:
    kept = source.found.field("MyResponseType")
    # An appointment without other people is the organiser's own.
    return kept or tag("MyResponseType", "Organizer" if source.is_organizer else "Unknown")


def _moment(name: str, of: Callable[[_Source], int]) -> Callable[[_Source], str]:
    return lambda source: tag(name, zones.stamp(of(source)))


def _flag(name: str, of: Callable[[_Source], bool]) -> Callable[[_Source], str]:
    return lambda source: tag(name, of(source))


def _kept_or(name: str, otherwise: str) -> Callable[[_Source], str]:
    return lambda source: source.found.field(name) or tag(name, otherwise)


def _wall(name: str, of: Callable[[_Source], int]) -> Callable[[_Source], str]:
    return lambda source: tag(name, zones.stamp(of(source), source.found.item.zone))


_COMPUTED: dict[str, Callable[[_Source], str]] = {
    "ParentFolderId": lambda s: folder_id("ParentFolderId", s.folder, 1),
    "ItemClass": _kept_or("ItemClass", "IPM.Appointment"),
    "Body": _body,
    "Sensitivity": _kept_or("Sensitivity", "Normal"),
    "Importance": _kept_or("Importance", "Normal"),
    "ReminderIsSet": _kept_or("ReminderIsSet", "true"),
    "ReminderMinutesBeforeStart": _kept_or("ReminderMinutesBeforeStart", "15"),
    "LegacyFreeBusyStatus": _kept_or("LegacyFreeBusyStatus", "Busy"),
    "HasAttachments": _kept_or("HasAttachments", "false"),
    "IsCancelled": _kept_or("IsCancelled", "false"),
    "IsResponseRequested": _kept_or("IsResponseRequested", "true"),
    "AppointmentSequenceNumber": _kept_or("AppointmentSequenceNumber", "0"),
    "EffectiveRights": lambda s: effective_rights(True),
    "LastModifiedName": lambda s: tag("LastModifiedName", s.owner.name),
    "LastModifiedTime": _moment("LastModifiedTime", lambda s: s.found.item.changed_at_s),
    "DateTimeCreated": _moment("DateTimeCreated", lambda s: s.found.item.created_at_s),
    "DateTimeReceived": _moment("DateTimeReceived", lambda s: s.found.item.created_at_s),
    "DateTimeSent": _moment("DateTimeSent", lambda s: s.found.item.created_at_s),
    "DateTimeStamp": _moment("DateTimeStamp", lambda s: s.found.item.changed_at_s),
    "UID": lambda s: tag("UID", s.found.item.uid) if s.found.item.uid else "",
    "RecurrenceId": _recurrence_id,
    "Start": lambda s: _start(s.found),
    "End": lambda s: _end(s.found),
    "OriginalStart": _original_start,
    "IsAllDayEvent": _flag("IsAllDayEvent", lambda s: s.found.item.all_day),
    "IsMeeting": _flag("IsMeeting", lambda s: s.is_meeting or not s.is_organizer),
    "IsRecurring": _flag("IsRecurring", lambda s: s.found.original_s is not None),
    "MeetingRequestWasSent": _flag("MeetingRequestWasSent", lambda s: s.is_meeting),
    "IsOrganizer": _flag("IsOrganizer", lambda s: s.is_organizer),
    "CalendarItemType": lambda s: tag("CalendarItemType", s.found.type),
    "MyResponseType": _my_response,
    "Organizer": _organizer,
    "Duration": _duration,
    "TimeZone": lambda s: tag("TimeZone", zones.NAMES.get(s.found.item.zone, ("", "UTC"))[1]),
    "AppointmentState": _state,
    "Recurrence": _recurrence,
    "FirstOccurrence": _first,
    "LastOccurrence": _last,
    "ModifiedOccurrences": _modified,
    "DeletedOccurrences": _deleted,
    "MeetingTimeZone": lambda s: (
        meeting_time_zone(s.found.item.zone, s.found.item.start_s)
        if s.schema == "Exchange2007_SP1"
        else ""
    ),
    "StartTimeZone": lambda s: zone_element("StartTimeZone", s.found.item.zone),
    "EndTimeZone": lambda s: zone_element("EndTimeZone", s.found.item.zone),
    "StartWallClock": _wall("StartWallClock", lambda s: s.found.start_s),
    "EndWallClock": _wall("EndWallClock", lambda s: s.found.end_s),
    "StartTimeZoneId": lambda s: tag("StartTimeZoneId", s.found.item.zone),
    "EndTimeZoneId": lambda s: tag("EndTimeZoneId", s.found.item.zone),
}
