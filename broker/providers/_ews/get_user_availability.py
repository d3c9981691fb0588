"""GetUserAvailability: when people are busy, without a right to their calendars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta

from lxml import etree

from broker.domain import Busy, BusySpan, Window
from broker.errors import ProtocolError
from broker.providers._ews.calendar_items import BUSY
from broker.providers._ews.faults import PROVIDER, error_of, read_message
from broker.providers._ews.item_times import read_instant
from broker.providers._ews.markup import M, T, element
from broker.providers._ews.meanings import Meaning
from broker.providers._ews.session import Session, Version

MOST = 100
"""Mailboxes of one request."""
LONGEST = timedelta(days=42)
"""The window of one request, which newer servers let be longer."""

# The zone of all times, both ways: UTC, in the only form that this operation takes.
_UTC = (
    "<t:TimeZone><t:Bias>0</t:Bias>"
    "<t:StandardTime><t:Bias>0</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>5</t:DayOrder>"
    "<t:Month>10</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime>"
    "<t:DaylightTime><t:Bias>0</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>1</t:DayOrder>"
    "<t:Month>4</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>"
)
_OF_THE_SERVER = frozenset({Meaning.BUSY, Meaning.TRANSIENT})


@dataclass(frozen=True, slots=True)
class GetUserAvailability:
    """Ask when some people are busy, by mail address."""

    addresses: tuple[str, ...]
    window: Window
    name: str = "GetUserAvailability"

    def body(self, version: Version) -> str:
        """Write the request."""
        mailboxes = "".join(
            f"<t:MailboxData><t:Email>{element('t:Address', address)}</t:Email>"
            "<t:AttendeeType>Required</t:AttendeeType><t:ExcludeConflicts>false"
            "</t:ExcludeConflicts></t:MailboxData>"
            for address in self.addresses
        )
        start, end = (
            f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}" for at in (self.window.start, self.window.end)
        )
        return (
            f"<m:GetUserAvailabilityRequest>{_UTC}"
            f"<m:MailboxDataArray>{mailboxes}</m:MailboxDataArray><t:FreeBusyViewOptions>"
            f"<t:TimeWindow>{element('t:StartTime', start)}{element('t:EndTime', end)}"
            "</t:TimeWindow><t:MergedFreeBusyIntervalInMinutes>30"
            "</t:MergedFreeBusyIntervalInMinutes><t:RequestedView>FreeBusy</t:RequestedView>"
            "</t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>"
        )

    def read(self, response: etree._Element) -> dict[str, list[BusySpan] | None]:
        """Give each one's time; None of whom nothing may be known."""
        found = response.findall(f"{M}FreeBusyResponseArray/{M}FreeBusyResponse")
        if len(found) != len(self.addresses):
            raise ProtocolError(PROVIDER, self.name, 200, detail="answers missing")
        pairs = zip(self.addresses, found, strict=True)
        return {address: self._spans(one) for address, one in pairs}

    def _spans(self, found: etree._Element) -> list[BusySpan] | None:
        message = found.find(f"{M}ResponseMessage")
        trouble = read_message(message).trouble if message is not None else None
        if trouble is not None:
            if trouble.meaning in _OF_THE_SERVER:
                raise error_of(trouble, self.name, 200)
            return None
        events = found.iterfind(f"{M}FreeBusyView/{T}CalendarEventArray/{T}CalendarEvent")
        try:
            return [
                BusySpan(
                    read_instant(event.findtext(f"{T}StartTime")),
                    read_instant(event.findtext(f"{T}EndTime")),
                    BUSY.get(event.findtext(f"{T}BusyType") or "", Busy.BUSY),
                )
                for event in events
            ]
        except ValueError as error:
            raise ProtocolError(PROVIDER, self.name, 200, detail="no times") from error


def spans_of(
    session: Session, addresses: Sequence[str], window: Window
) -> dict[str, list[BusySpan] | None]:
    """Ask about any number of people and any window; see `FreeBusySource`."""
    found: dict[str, list[BusySpan] | None] = {}
    for at in range(0, len(addresses), MOST):
        batch = tuple(addresses[at : at + MOST])
        for part in _parts(window):
            for address, spans in session.call(GetUserAvailability(batch, part)).items():
                before = found.setdefault(address, [])
                if before is None or spans is None:
                    found[address] = None
                else:
                    # What lies in two parts of the window is told in both.
                    found[address] = list(dict.fromkeys([*before, *spans]))
    return found


def _parts(window: Window) -> Iterator[Window]:
    start = window.start
    while start < window.end:
        end = min(start + LONGEST, window.end)
        yield Window(start, end)
        start = end
