"""GetItem: events in full, by id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from broker.providers._ews.faults import BATCH_STOPPED, error_of, paired
from broker.providers._ews.markup import M, T, child, item_id
from broker.providers._ews.meanings import Meaning
from broker.providers._ews.session import Version
from broker.providers._ews.tag import TAG_FIELD

MOST = 50
"""Ids of one request. Events have texts, and servers work on a batch for a minute at the most."""

_FIELDS = (
    "item:Subject item:Sensitivity item:Body item:DateTimeCreated calendar:UID calendar:Start "
    "calendar:End calendar:OriginalStart calendar:IsAllDayEvent calendar:LegacyFreeBusyStatus "
    "calendar:Location calendar:IsMeeting calendar:IsCancelled calendar:CalendarItemType "
    "calendar:MyResponseType calendar:Organizer calendar:RequiredAttendees "
    "calendar:OptionalAttendees calendar:Resources calendar:Recurrence "
    "calendar:ModifiedOccurrences calendar:DeletedOccurrences"
).split()
_NEWER = ("item:LastModifiedTime", "calendar:StartTimeZone", "calendar:EndTimeZone")
_OLDER = ("calendar:MeetingTimeZone",)


def _shape(names: Sequence[str]) -> str:
    fields = "".join(f'<t:FieldURI FieldURI="{name}"/>' for name in names)
    return (
        "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:BodyType>Text</t:BodyType>"
        f"<t:AdditionalProperties>{fields}{TAG_FIELD}</t:AdditionalProperties></m:ItemShape>"
    )


_SHAPES = {
    Version.EXCHANGE_2007: _shape([*_FIELDS, *_OLDER]),
    Version.EXCHANGE_2010: _shape([*_FIELDS, *_NEWER]),
    Version.EXCHANGE_2010_RTM: _shape([*_FIELDS, *_NEWER]),
}


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of the ids that were asked for.

    *items* are those that are events, *gone* were deleted since they were listed, *missing* are
    not to be read, *failed* may do better alone, and *left* were not looked at: the server stopped
    before them. What is of another kind is in none of them.
    """

    items: dict[str, etree._Element]
    gone: frozenset[str]
    missing: frozenset[str]
    failed: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GetItem:
    """Read items by id."""

    ids: tuple[str, ...]
    name: str = "GetItem"

    def body(self, version: Version) -> str:
        """Write the request."""
        ids = "".join(map(item_id, self.ids))
        return f"<m:GetItem>{_SHAPES[version]}<m:ItemIds>{ids}</m:ItemIds></m:GetItem>"

    def read(self, response: etree._Element) -> Batch:
        """Sort the answers. Raises for what concerns the mailbox and not one item."""
        items: dict[str, etree._Element] = {}
        gone, missing = set[str](), set[str]()
        failed, left = list[str](), list[str]()
        for asked, message in paired(self.ids, response, self.name):
            trouble = message.trouble
            if trouble is None:
                found = child(message.element, f"{M}Items")
                event = child(found, f"{T}CalendarItem") if found is not None else None
                if event is not None:
                    items[asked] = event
            elif trouble.code == BATCH_STOPPED:
                left.append(asked)
            elif trouble.meaning is Meaning.FAILED and len(self.ids) > 1:
                failed.append(asked)
            elif trouble.meaning is Meaning.ITEM_GONE:
                gone.add(asked)
            elif trouble.meaning in _OF_ONE:
                missing.add(asked)
            else:
                raise error_of(trouble, self.name, 200)
        return Batch(items, frozenset(gone), frozenset(missing), tuple(failed), tuple(left))


# What is wrong with one item, though others of its mailbox are well.
_OF_ONE = frozenset({Meaning.FOLDER_GONE, Meaning.FORBIDDEN, Meaning.BUG, Meaning.BAD_EVENT})
