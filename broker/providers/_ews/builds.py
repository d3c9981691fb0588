"""Which server has answered: the build in the header of each of its answers.

https://learn.microsoft.com/exchange/new-features/build-numbers-and-release-dates
"""

from __future__ import annotations

from lxml import etree

from broker.providers._ews.markup import SOAP, T

Build = tuple[int, int]
"""Major and minor: (8, 1) is 2007 SP1, (14, 2) is 2010 SP2, (15, 2) is 2019 and later."""

_LONGEST = 4


def build_of(envelope: etree._Element) -> Build | None:
    """Read the build from an answer; None when it does not say."""
    said = envelope.find(f"{SOAP}Header/{T}ServerVersionInfo")
    if said is None:
        return None
    numbers = [said.get(name, "") for name in ("MajorVersion", "MinorVersion")]
    if not all(one.isascii() and one.isdigit() and len(one) <= _LONGEST for one in numbers):
        return None
    return int(numbers[0]), int(numbers[1])
