"""Who is invited to a meeting, and who is told when it changes.

Exchange keeps people in three lists: those who are needed, those who may come, and rooms. A
draft knows of one; whoever is invited already stays in the list where they are.
https://learn.microsoft.com/exchange/client-developer/exchange-web-services/how-to-create-appointments-and-meetings-by-using-ews-in-exchange
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from lxml import etree

from broker.domain import Attendee
from broker.providers._ews.drafts import Field
from broker.providers._ews.markup import T, element


class Whom(StrEnum):
    """Who is told of a change, as `SendMeetingInvitationsOrCancellations` has it."""

    NOBODY = "SendToNone"
    CHANGED = "SendToChangedAndSaveCopy"  # who is invited now, or no longer
    ALL = "SendToAllAndSaveCopy"


class Group(StrEnum):
    """A list of people, in the schema's order."""

    REQUIRED = "RequiredAttendees"
    OPTIONAL = "OptionalAttendees"
    RESOURCES = "Resources"

    @property
    def path(self) -> str:
        """Name it as a property."""
        return f"calendar:{self}"


GROUPS = tuple(Group)


def is_meeting(item: etree._Element) -> bool:
    """Tell whether anybody was invited to an item, by whomever."""
    return item.findtext(f"{T}IsMeeting") == "true" or any(_held(item).values())


def is_own_meeting(item: etree._Element) -> bool:
    """Tell whether people are invited by the mailbox that an item is in."""
    return is_meeting(item) and item.findtext(f"{T}MyResponseType") == "Organizer"


def invited(attendees: Sequence[Attendee], item: etree._Element | None = None) -> list[Field]:
    """Write the lists of people that change so that *attendees* are those invited to *item*.

    People without a mail address, whom nobody outside can name, stay invited.
    """
    before = _held(item) if item is not None else {}
    after = {
        group: {email: xml for email, xml in before.get(group, {}).items() if "@" not in email}
        for group in GROUPS
    }
    place = {email: group for group, people in before.items() for email in people}
    for person in attendees:
        email = person.email.lower()
        group = place.get(email, Group.REQUIRED)
        written = before.get(group, {}).get(email) or _mailbox(person.display_name, person.email)
        after[group].setdefault(email, written)
    return [
        Field(group.path, _list(group, after[group].values()))
        for group in GROUPS
        if before.get(group, {}).keys() != after[group].keys()
    ]


def _list(group: Group, people: Iterable[str]) -> str:
    inside = "".join(f"<t:Attendee>{person}</t:Attendee>" for person in people)
    return f"<t:{group}>{inside}</t:{group}>" if inside else ""


def _mailbox(name: str | None, email: str, routing: str | None = None) -> str:
    parts = (("Name", name), ("EmailAddress", email), ("RoutingType", routing))
    inside = "".join(element(f"t:{part}", value) for part, value in parts if value)
    return f"<t:Mailbox>{inside}</t:Mailbox>"


def _held(item: etree._Element) -> dict[Group, dict[str, str]]:
    """Give the people in each list, as they are written, by address in small letters."""
    found: dict[Group, dict[str, str]] = {group: {} for group in GROUPS}
    for group in GROUPS:
        for mailbox in item.iterfind(f"{T}{group}/{T}Attendee/{T}Mailbox"):
            name, email, routing = (
                mailbox.findtext(f"{T}{part}") for part in ("Name", "EmailAddress", "RoutingType")
            )
            if email:
                found[group][email.lower()] = _mailbox(name, email, routing)
    return found
