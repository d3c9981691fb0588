"""The zone of a mailbox, as its working hours have it: GetUserAvailability about oneself.

Items of 2007, and of devices that say too little, come without a zone; their days and their
repetitions are those of the mailbox.
https://learn.microsoft.com/exchange/client-developer/web-service-reference/workinghours-ex15websvcsotherref
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lxml import etree

from broker.domain import Window
from broker.errors import PermissionMissing, ProtocolError, ProviderUnavailable
from broker.providers._ews.get_user_availability import GetUserAvailability
from broker.providers._ews.markup import T, child_text
from broker.providers._ews.session import Session, Version
from broker.providers._zones import ZoneRules, zone_with

A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class GetHomeZone:
    """Ask in which zone somebody works, by mail address. *window* has to be some day or other."""

    address: str
    window: Window
    name: str = "GetUserAvailability"

    def body(self, version: Version) -> str:
        """Write the request."""
        return GetUserAvailability((self.address,), self.window).body(version)

    def read(self, response: etree._Element) -> str | None:
        """Give an IANA zone; None where nothing is said of it."""
        zone = next(response.iterfind(f".//{T}WorkingHours/{T}TimeZone"), None)
        bias = _minutes(zone, "Bias")
        if zone is None or bias is None:
            return None
        standard = _minutes(zone, f"StandardTime/{T}Bias") or timedelta()
        daylight = _minutes(zone, f"DaylightTime/{T}Bias")
        month = child_text(zone, f"{T}DaylightTime/{T}Month") or ""
        # Where the clocks do not change, both change in month nought.
        changes = month.isdecimal() and 1 <= int(month) <= 12 and daylight is not None
        rules = ZoneRules(
            -(bias + standard),
            -(bias + daylight) if changes and daylight is not None else None,
            int(month) if changes else None,
        )
        return zone_with(rules, "Europe/Berlin")


class Home:
    """The zone of a login's own mailbox, asked for once, and only when it is needed."""

    def __init__(self, session: Session, window: Window) -> None:
        self._session = session
        self._day = Window(window.start, window.start + A_DAY)
        self._known: list[str | None] = []

    def zone(self) -> str | None:
        """Give an IANA zone; None where it cannot be told."""
        if not self._known:
            self._known.append(self._asked())
        return self._known[0]

    def _asked(self) -> str | None:
        addresses = self._session.credential.addresses
        if not addresses:
            return None
        try:
            return self._session.call(GetHomeZone(addresses[0], self._day))
        except (PermissionMissing, ProtocolError, ProviderUnavailable):
            return None


def _minutes(zone: etree._Element | None, path: str) -> timedelta | None:
    text = child_text(zone, f"{T}{path}") if zone is not None else None
    digits = (text or "").removeprefix("-")
    if text is None or not (digits.isascii() and digits.isdigit()) or len(digits) > 4:
        return None
    return timedelta(minutes=int(text))
