"""What Exchange would send to the people of a meeting, and where it puts the meeting for them."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy

from lxml import etree

from ..context import Context
from ..fragments import mailbox
from ..model import Folder, Item
from ..soap import TYPES, T, tag


def attendees(item: Item) -> list[str]:
    """Return the addresses of everybody invited."""
    kept = "".join(
        item.fields.get(name, "")
        for name in ("RequiredAttendees", "OptionalAttendees", "Resources")
    )
    root = etree.fromstring(f'<t:R xmlns:t="{TYPES}">{kept}</t:R>')
    return [(found.text or "").lower() for found in root.iter(f"{T}EmailAddress")]


def invite(context: Context, folder: Folder, item: Item, whom: Iterable[str] | None = None) -> None:
    """Send invitations or updates, and put the meeting into the calendars of people here.

    *whom* are the addresses of those who are told; None is everybody.
    """
    owner = context.owner(folder)
    for address in attendees(item) if whom is None else sorted(whom):
        context.store.mail("REQUEST", owner.email, address, item.uid)
        person = context.store.find_person(address)
        calendar = context.store.distinguished(person.email, "calendar") if person else None
        if calendar is None or calendar is folder:
            continue
        known = next((one for one in calendar.items.values() if one.uid == item.uid), None)
        copy = deepcopy(item)
        copy.number = known.number if known else context.store.number()
        copy.created = known.created if known else 0
        organizer = mailbox(owner.name, owner.email)
        copy.fields["Organizer"] = f"<t:Organizer>{organizer}</t:Organizer>"
        copy.fields["MyResponseType"] = tag("MyResponseType", "NoResponseReceived")
        copy.fields["LegacyFreeBusyStatus"] = tag("LegacyFreeBusyStatus", "Tentative")
        copy.extended.clear()
        context.store.put(calendar, copy)


def cancel(context: Context, folder: Folder, item: Item, whom: Iterable[str] | None = None) -> None:
    """Send cancellations, and mark the meeting in the calendars of people here.

    *whom* are the addresses of those who are no longer invited; None is everybody.
    """
    owner = context.owner(folder)
    for address in attendees(item) if whom is None else sorted(whom):
        context.store.mail("CANCEL", owner.email, address, item.uid)
        person = context.store.find_person(address)
        calendar = context.store.distinguished(person.email, "calendar") if person else None
        for known in list(calendar.items.values()) if calendar else ():
            if known.uid == item.uid and calendar and calendar is not folder:
                known.fields["IsCancelled"] = tag("IsCancelled", True)
                known.fields["LegacyFreeBusyStatus"] = tag("LegacyFreeBusyStatus", "Free")
                context.store.put(calendar, known)
