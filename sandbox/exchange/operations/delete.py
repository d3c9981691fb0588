"""DeleteItem: items, series, and single occurrences."""

from __future__ import annotations

from copy import deepcopy

from ..context import Context
from ..model import Folder
from ..occurrences import Occurrence, first
from ..soap import Element, Refused
from .batch import batch
from .change_keys import check_key
from .meetings import cancel

_SENDING = ("SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy")
_TYPES = ("HardDelete", "SoftDelete", "MoveToDeletedItems")


def delete_item(context: Context) -> str:
    """Delete what the ids name."""
    sending = context.operation.get("SendMeetingCancellations")
    kind = context.operation.get("DeleteType")
    if kind not in _TYPES:
        raise Refused("ErrorSchemaValidation", "DeleteType is not one of its values.")

    def one(element: Element) -> str:
        folder, found = context.item(element, write=True)
        if sending not in _SENDING:
            raise Refused("ErrorSendMeetingCancellationsRequired")
        check_key(element.get("ChangeKey"), found.item)
        if sending != "SendToNone" and "Organizer" not in found.item.fields:
            cancel(context, folder, found.item)
        if found.original_s is None:
            _remove(context, folder, found, kind)
        else:
            _remove_occurrence(context, folder, found)
        return ""

    return batch(context, "DeleteItem", context.find("ItemIds"), one)


def _remove(context: Context, folder: Folder, found: Occurrence, kind: str) -> None:
    bin_folder = context.store.distinguished(folder.owner, "deleteditems")
    gone = context.store.remove(folder, found.item.number)
    if kind == "MoveToDeletedItems" and bin_folder and bin_folder is not folder:
        # An item that moves gets another id.
        moved = deepcopy(gone)
        moved.number, moved.created = context.store.number(), 0
        context.store.put(bin_folder, moved)


def _remove_occurrence(context: Context, folder: Folder, found: Occurrence) -> None:
    item = found.item
    item.deleted.append(found.original_s or 0)
    item.changes.pop(found.original_s or 0, None)
    if first(item) is None:
        context.store.remove(folder, item.number)
    else:
        context.store.put(folder, item)
