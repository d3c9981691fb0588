"""The mark on events that applications wrote: one named property, for ever.

Named properties are a finite resource of a mailbox database, so there is one name for all
applications. Graph reads the same one as `String {GUID} Name BrokerEventId`.
"""

from __future__ import annotations

from lxml import etree

from broker.providers._ews.markup import T, element

PROPERTY_SET = "c11ff724-aa03-4555-9952-8fa248a11c3e"
PROPERTY_NAME = "BrokerEventId"
LONGEST = 255

TAG_FIELD = (
    f'<t:ExtendedFieldURI PropertySetId="{PROPERTY_SET}" PropertyName="{PROPERTY_NAME}"'
    ' PropertyType="String"/>'
)


def written(tag: str) -> str:
    """Write the property of an item."""
    return f"<t:ExtendedProperty>{TAG_FIELD}{element('t:Value', tag)}</t:ExtendedProperty>"


def read(item: etree._Element) -> str | None:
    """Read an item's tag; None when it bears none."""
    for found in item.iterchildren(f"{T}ExtendedProperty"):
        field = found.find(f"{T}ExtendedFieldURI")
        if (
            field is not None
            and field.get("PropertyName") == PROPERTY_NAME
            and field.get("PropertySetId", "").lower() == PROPERTY_SET
        ):
            return found.findtext(f"{T}Value") or None
    return None
