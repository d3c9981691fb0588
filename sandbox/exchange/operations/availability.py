"""GetUserAvailability: free/busy of several mailboxes, without a right to their calendars (13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .. import zones
from ..context import Context
from ..ids import written
from ..model import Person
from ..occurrences import Occurrence, between
from ..soap import MESSAGES, TYPES, Element, Refused, SoapFault, T, plain, tag

_MOST_MAILBOXES = 100
_MOST_DAYS = {"Exchange2007_SP1": 42}
_USUAL_DAYS = 62
_DIGITS = {"Free": 0, "Tentative": 1, "Busy": 2, "OOF": 3, "WorkingElsewhere": 4, "NoData": 4}
_VIEWS = ("None", "MergedOnly", "FreeBusy", "FreeBusyMerged", "Detailed", "DetailedMerged")
_WEEK = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


@dataclass(frozen=True)
class _Query:
    low_s: int
    high_s: int
    minutes: int
    view: str
    stamp: Callable[[int], str]


def get_user_availability(context: Context) -> str:
    """Return when each mailbox is busy; errors are per mailbox."""
    query = _query(context)
    mailboxes = list(context.find("MailboxDataArray"))
    if len(mailboxes) > _MOST_MAILBOXES:
        raise SoapFault("ErrorInvalidParameter", "There are more than 100 mailboxes.")
    answers = []
    for mailbox in mailboxes:
        address = mailbox.findtext(f"{T}Email/{T}Address") or ""
        try:
            answers.append(_answered(_view(context, address, query)))
        except Refused as refusal:
            answers.append(_refused(refusal))
    return (
        f'<m:GetUserAvailabilityResponse xmlns:m="{MESSAGES}" xmlns:t="{TYPES}">'
        f"<m:FreeBusyResponseArray>{''.join(answers)}</m:FreeBusyResponseArray>"
        "</m:GetUserAvailabilityResponse>"
    )


def _query(context: Context) -> _Query:
    options = context.find("FreeBusyViewOptions")
    wall, stamp = _zone(context.operation.find(f"{T}TimeZone"), context.store.now())
    try:
        low_s, high_s = (
            wall(options.findtext(f"{T}TimeWindow/{T}{name}") or "")
            for name in ("StartTime", "EndTime")
        )
        minutes = int(options.findtext(f"{T}MergedFreeBusyIntervalInMinutes") or 30)
    except ValueError as problem:
        raise SoapFault("ErrorInvalidParameter", "The time window cannot be read.") from problem
    view = options.findtext(f"{T}RequestedView") or "FreeBusy"
    if view not in _VIEWS or not 5 <= minutes <= 1440:
        raise SoapFault("ErrorInvalidParameter", "The view or interval is not valid.")
    if high_s <= low_s:
        raise SoapFault("ErrorInvalidTimeInterval", "The window ends before it starts.")
    return _Query(low_s, high_s, minutes, view, stamp)


def _zone(
    element: Element | None, now: datetime
) -> tuple[Callable[[str], int], Callable[[int], str]]:
    """Return how times of the request are read, and how those of the answer are written."""
    if element is None:
        raise SoapFault("ErrorTimeZone", "The time zone of the request is missing.")
    name = _named(element, now)

    def wall(text: str) -> int:
        return zones.moment(text, name)

    def stamp(at_s: int) -> str:
        return f"{zones.to_wall(at_s, name):%Y-%m-%dT%H:%M:%S}"

    return wall, stamp


def _named(element: Element, now: datetime) -> str:
    """Return a Windows zone with the same biases and months of change as the request's."""
    bias = int(element.findtext(f"{T}Bias") or 0)
    months = [element.findtext(f"{T}{name}/{T}Month") for name in ("StandardTime", "DaylightTime")]
    biases = [
        int(element.findtext(f"{T}{name}/{T}Bias") or 0)
        for name in ("StandardTime", "DaylightTime")
    ]
    for name in zones.NAMES:
        wanted = [timedelta(minutes=-(bias + one)) for one in biases]
        dates = [datetime(now.year, month, 20, 12) for month in (1, 7)]
        offsets = [at.replace(tzinfo=zones.zone(name)).utcoffset() for at in dates]
        south = months[0] is not None and months[1] is not None and int(months[0]) < int(months[1])
        if offsets == (wanted[::-1] if south else wanted):
            return name
    raise SoapFault("ErrorTimeZone", "The time zone of the request is not valid.")


def _view(context: Context, address: str, query: _Query) -> str:
    person = context.store.find_person(address)
    if person is None or person.kind in ("list", "service"):
        raise Refused("ErrorMailRecipientNotFound", "Unable to resolve the e-mail address.")
    days = _MOST_DAYS.get(context.version.schema, _USUAL_DAYS)
    if query.high_s - query.low_s > days * 86_400:
        raise Refused("ErrorTimeIntervalTooBig", "The requested time duration is too long.")
    right = "editor" if person is context.caller else context.right_to(person.email)
    if right == "none":
        raise Refused("ErrorNoFreeBusyAccess", "The caller has not been granted free/busy access.")
    calendar = context.store.distinguished(person.email, "calendar")
    items = calendar.items.values() if calendar else ()
    found = sorted(between(items, query.low_s, query.high_s), key=lambda one: one.start_s)
    # Without a right to read, times are all that is given.
    view = query.view
    if right == "freebusy":
        view = view.replace("Detailed", "FreeBusy")
    return _written(person, found, view, query)


def _written(person: Person, found: list[Occurrence], view: str, query: _Query) -> str:
    parts = [tag("FreeBusyViewType", view)]
    if "Merged" in view:
        parts.append(tag("MergedFreeBusy", _merged(found, query)))
    if view != "MergedOnly":
        details = view.startswith("Detailed")
        events = "".join(_event(one, query, details) for one in found)
        parts.append(f"<t:CalendarEventArray>{events}</t:CalendarEventArray>")
    parts.append(_working_hours(person))
    return "".join(parts)


def _busy(found: Occurrence) -> str:
    return plain(found.field("LegacyFreeBusyStatus")) or "Busy"


def _merged(found: list[Occurrence], query: _Query) -> str:
    step = query.minutes * 60
    slots = [0] * -(-(query.high_s - query.low_s) // step)
    for one in found:
        digit = _DIGITS[_busy(one)]
        begin = max(0, (one.start_s - query.low_s) // step)
        end = min(len(slots), -(-(one.end_s - query.low_s) // step))
        slots[begin:end] = [max(digit, slot) for slot in slots[begin:end]]
    return "".join(map(str, slots))


def _event(found: Occurrence, query: _Query, details: bool) -> str:
    inside = tag("StartTime", query.stamp(found.start_s)) + tag("EndTime", query.stamp(found.end_s))
    inside += tag("BusyType", _busy(found))
    if details:
        inside += _details(found)
    return f"<t:CalendarEvent>{inside}</t:CalendarEvent>"


def _details(found: Occurrence) -> str:
    is_private = ">Private<" in found.field("Sensitivity")
    shown = "" if is_private else found.field("Subject") + found.field("Location")
    parts = [
        tag("ID", written(found.id)),
        shown,
        tag("IsMeeting", bool(found.field("RequiredAttendees"))),
        tag("IsRecurring", found.original_s is not None),
        tag("IsException", found.change is not None),
        tag("IsReminderSet", True),
        tag("IsPrivate", is_private),
    ]
    return f"<t:CalendarEventDetails>{''.join(parts)}</t:CalendarEventDetails>"


def _working_hours(person: Person) -> str:
    now = datetime(2026, 1, 15, 12, tzinfo=zones.zone(person.time_zone))
    bias = -int((now.utcoffset() or timedelta()).total_seconds() // 60)
    rule = "<t:Bias>{}</t:Bias><t:Time>0{}:00:00</t:Time><t:DayOrder>5</t:DayOrder>"
    rule += "<t:Month>{}</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek>"
    days = tag("DayOfWeek", " ".join(_WEEK[1:6]))
    return (
        f"<t:WorkingHours><t:TimeZone>{tag('Bias', bias)}"
        f"<t:StandardTime>{rule.format(0, 2, 10)}</t:StandardTime>"
        f"<t:DaylightTime>{rule.format(-60, 1, 3)}</t:DaylightTime></t:TimeZone>"
        f"<t:WorkingPeriodArray><t:WorkingPeriod>{days}{tag('StartTimeInMinutes', 480)}"
        f"{tag('EndTimeInMinutes', 1020)}</t:WorkingPeriod></t:WorkingPeriodArray></t:WorkingHours>"
    )


def _answered(view: str) -> str:
    return (
        '<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Success">'
        "<m:ResponseCode>NoError</m:ResponseCode></m:ResponseMessage>"
        f"<m:FreeBusyView>{view}</m:FreeBusyView></m:FreeBusyResponse>"
    )


def _refused(refusal: Refused) -> str:
    return (
        '<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Error">'
        f"<m:MessageText>{refusal.text}</m:MessageText>"
        f"<m:ResponseCode>{refusal.code}</m:ResponseCode>"
        "<m:DescriptiveLinkKey>0</m:DescriptiveLinkKey></m:ResponseMessage><m:FreeBusyView>"
        "<t:FreeBusyViewType>None</t:FreeBusyViewType></m:FreeBusyView></m:FreeBusyResponse>"
    )
