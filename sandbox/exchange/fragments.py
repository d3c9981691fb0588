"""Pieces of XML that several answers have: people, folders, zones, rights."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from . import ids, zones
from .soap import tag

_RIGHTS = ("CreateAssociated", "CreateContents", "CreateHierarchy", "Delete", "Modify", "Read")


def effective_rights(may_write: bool) -> str:
    """Write what the caller may do."""
    inside = "".join(tag(name, may_write or name == "Read") for name in _RIGHTS)
    return f"<t:EffectiveRights>{inside}</t:EffectiveRights>"


def mailbox(name: str, address: str, kind: str = "Mailbox") -> str:
    """Write somebody's name and address."""
    return (
        f"<t:Mailbox>{tag('Name', name)}{tag('EmailAddress', address)}"
        f"<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>{kind}</t:MailboxType></t:Mailbox>"
    )


def zone_element(name: str, zone: str) -> str:
    """Write a time zone by its id and display name."""
    shown = zones.NAMES.get(zone, ("", zone))[1]
    return f"<t:{name} Id={quoteattr(zone)} Name={quoteattr(shown)}/>"


def folder_id(name: str, number: int, changed: int) -> str:
    """Write a folder's id with its change key."""
    key = ids.change_key("folder", changed)
    return f'<t:{name} Id="{ids.written(ids.Id("folder", number))}" ChangeKey="{key}"/>'
