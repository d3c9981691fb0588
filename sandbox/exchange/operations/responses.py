"""Accepting, declining and cancelling meetings."""

from __future__ import annotations

from ..context import Context
from ..occurrences import whole
from ..render import item_id
from ..soap import Element, Refused, T, tag
from .meetings import cancel

_ANSWERS = {
    f"{T}AcceptItem": ("Accept", "Busy"),
    f"{T}TentativelyAcceptItem": ("Tentative", "Tentative"),
    f"{T}DeclineItem": ("Decline", "Free"),
}
_CANCEL = f"{T}CancelCalendarItem"
RESPONSES = frozenset({*_ANSWERS, _CANCEL})


def respond(context: Context, element: Element) -> str:
    """Answer a meeting, or cancel one's own. Raises Refused for the wrong role."""
    reference = element.find(f"{T}ReferenceItemId")
    if reference is None:
        raise Refused("ErrorInvalidRequest", "ReferenceItemId is missing.")
    folder, found = context.item(reference, write=True)
    item = found.item
    is_organizer = "Organizer" not in item.fields
    if element.tag == _CANCEL:
        if not is_organizer:
            raise Refused("ErrorCalendarIsNotOrganizer")
        cancel(context, folder, item)
        context.store.remove(folder, item.number)
        return "<m:Items/>"
    response, busy = _ANSWERS[element.tag]
    if is_organizer:
        raise Refused(f"ErrorCalendarIsOrganizerFor{response}")
    if "true" in item.fields.get("IsCancelled", ""):
        raise Refused("ErrorCalendarIsCancelledFor" + response)
    context.store.mail("REPLY", context.caller.email, "organizer", item.uid)
    if response == "Decline":
        context.store.remove(folder, item.number)
        return "<m:Items/>"
    item.fields["MyResponseType"] = tag("MyResponseType", response)
    item.fields["LegacyFreeBusyStatus"] = tag("LegacyFreeBusyStatus", busy)
    context.store.put(folder, item)
    return f"<m:Items><t:CalendarItem>{item_id(whole(item))}</t:CalendarItem></m:Items>"
