"""CreateItem: calendar items, and answers to meetings."""

from __future__ import annotations

from ..context import Context
from ..model import Folder, Item
from ..occurrences import whole
from ..render import item_id
from ..soap import Element, Refused, T
from ..writing import Written, apply
from .batch import batch
from .meetings import invite
from .responses import RESPONSES, respond

_SENDING = ("SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy")


def create_item(context: Context) -> str:
    """Create what is asked for."""

    def one(element: Element) -> str:
        if element.tag in RESPONSES:
            return respond(context, element)
        if element.tag != f"{T}CalendarItem":
            raise Refused("ErrorInvalidOperation", "Only calendars live here.")
        sending = context.operation.get("SendMeetingInvitations")
        if sending not in _SENDING:
            raise Refused("ErrorSendMeetingInvitationsRequired")
        made = _created(context, _target(context), element, sending)
        return f"<m:Items><t:CalendarItem>{item_id(whole(made))}</t:CalendarItem></m:Items>"

    return batch(context, "CreateItem", context.find("Items"), one, "<m:Items/>")


def _target(context: Context) -> Folder:
    saved = context.operation.find("{*}SavedItemFolderId")
    if saved is not None:
        return context.folder(saved[0], write=True)
    found = context.store.distinguished(context.caller.email, "calendar")
    if found is None:
        raise Refused("ErrorMissingEmailAddress")
    return found


def _created(context: Context, folder: Folder, element: Element, sending: str) -> Item:
    said = Written()
    for child in element:
        said.take(child)
    made = Item(context.store.number(), zone=context.zone)
    apply(made, said, context.store.now(), context.zone)
    if any(one.uid == made.uid for one in folder.items.values()) and said.uid:
        raise Refused("ErrorCalendarMeetingRequestIsOutOfDate", "The UID is already in use.")
    context.store.put(folder, made)
    if sending != "SendToNone":
        invite(context, folder, made)
    return made
