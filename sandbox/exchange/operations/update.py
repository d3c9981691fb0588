"""UpdateItem: one change for each property, of items, series and single occurrences."""

from __future__ import annotations

from copy import deepcopy

from lxml import etree

from .. import recurrence
from ..context import Context
from ..model import Change, Folder, Item
from ..occurrences import Occurrence, one, whole
from ..render import extended_key, item_id
from ..soap import Element, Refused, T
from ..writing import Written, apply, times
from .batch import batch
from .change_keys import check_key
from .meetings import attendees, cancel, invite
from .restrictions import path_name

_SENDING = (
    "SendToNone",
    "SendOnlyToAll",
    "SendOnlyToChanged",
    "SendToAllAndSaveCopy",
    "SendToChangedAndSaveCopy",
)
_RESOLUTIONS = ("NeverOverwrite", "AutoResolve", "AlwaysOverwrite")
_STAYS = frozenset({"Start", "End", "IsAllDayEvent", "UID", "Subject", "StartTimeZone"})
"""What cannot be taken away."""
_OF_SERIES = ("Recurrence", "StartTimeZone", "EndTimeZone", "MeetingTimeZone", "UID")
_FAR_S = 40 * 366 * 86_400


def update_item(context: Context) -> str:
    """Change items."""
    sending = context.operation.get("SendMeetingInvitationsOrCancellations")
    resolution = context.operation.get("ConflictResolution")
    if resolution not in _RESOLUTIONS:
        raise Refused("ErrorSchemaValidation", "ConflictResolution is not one of its values.")

    def change(element: Element) -> str:
        folder, found = context.item(element[0], write=True)
        if sending not in _SENDING:
            raise Refused("ErrorSendMeetingInvitationsOrCancellationsRequired")
        key = element[0].get("ChangeKey")
        if key is None and resolution == "NeverOverwrite":
            raise Refused("ErrorChangeKeyRequired")
        check_key(key, found.item, is_compared=resolution == "NeverOverwrite")
        said = _said(element[-1])
        changed = _changed(context, folder, found, said, sending)
        inside = f"<m:Items><t:CalendarItem>{item_id(changed)}</t:CalendarItem></m:Items>"
        return inside + "<m:ConflictResults><t:Count>0</t:Count></m:ConflictResults>"

    return batch(context, "UpdateItem", context.find("ItemChanges"), change, "<m:Items/>")


def _said(updates: Element) -> Written:
    said = Written()
    for update in updates:
        kind, path = etree.QName(update).localname, update[0]
        name = path_name(path)
        if kind == "DeleteItemField":
            if name in _STAYS:
                raise Refused("ErrorInvalidPropertyDelete", f"{name} cannot be deleted.")
            said.removed.add(name)
            continue
        if kind != "SetItemField":
            raise Refused("ErrorInvalidPropertyAppend")
        if len(update[1]) != 1:
            raise Refused("ErrorIncorrectUpdatePropertyCount")
        value = update[1][0]
        _check_match(path, name, value)
        said.take(value)
    return said


def _check_match(path: Element, name: str, value: Element) -> None:
    """Check that a property is set by its own element. Raises Refused."""
    if path.tag == f"{T}ExtendedFieldURI":
        own = value.find(f"{T}ExtendedFieldURI")
        matches = own is not None and extended_key(own) == name
    else:
        matches = etree.QName(value).localname == name
    if not matches:
        raise Refused("ErrorUpdatePropertyMismatch")


def _changed(
    context: Context, folder: Folder, found: Occurrence, said: Written, sending: str
) -> Occurrence:
    if found.original_s is not None:
        return _changed_occurrence(context, folder, found, said)
    # A refusal half-way must leave the item as it was.
    item = deepcopy(found.item)
    before = attendees(item)
    apply(item, said, context.store.now(), context.zone)
    context.store.put(folder, item)
    if sending != "SendToNone":
        gone = set(before) - set(attendees(item))
        cancel(context, folder, item, gone)
        told = set(attendees(item)) - (set(before) if "Changed" in sending else set())
        invite(context, folder, item, told)
    return whole(item)


def _changed_occurrence(
    context: Context, folder: Folder, found: Occurrence, said: Written
) -> Occurrence:
    original_s, item = found.original_s or 0, found.item
    if any(name in said.removed for name in _OF_SERIES) or said.recurrence is not None:
        raise Refused("ErrorInvalidPropertySet", "An occurrence has no recurrence of its own.")
    start_s, end_s = times(
        item, said, found.start_s, found.end_s, context.store.now(), context.zone
    )
    _check_neighbours(item, original_s, start_s, end_s)
    before = item.changes.get(original_s) or Change(start_s, end_s)
    kept = {name: value for name, value in before.fields.items() if name not in said.removed}
    # What the occurrence has not and its series has is hidden by nothing.
    hidden = dict.fromkeys(said.removed & set(item.fields), "")
    extended = {k: v for k, v in before.extended.items() if k not in said.removed}
    item.changes[original_s] = Change(
        start_s, end_s, kept | hidden | said.fields, extended | said.extended
    )
    context.store.put(folder, item)
    return one(item, original_s)


def _check_neighbours(item: Item, original_s: int, start_s: int, end_s: int) -> None:
    """Check that an occurrence stays between those beside it. Raises Refused."""
    others = recurrence.starts_between(item, original_s + 1, original_s + _FAR_S)
    after = next((at for at in others if at not in item.deleted), None)
    if after is not None and start_s >= after:
        raise Refused("ErrorOccurrenceCrossingBoundary")
    earlier = [
        at
        for at in recurrence.starts_between(item, item.start_s, original_s)
        if at not in item.deleted
    ]
    if earlier and end_s <= earlier[-1]:
        raise Refused("ErrorOccurrenceCrossingBoundary")
