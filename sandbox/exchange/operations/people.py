"""ResolveNames, GetRoomLists and GetRooms."""

from __future__ import annotations

from ..context import Context
from ..fragments import mailbox
from ..model import Person
from ..soap import MESSAGES, TYPES, Refused, answer, failure, success, tag

_MOST = 100
_KINDS = {"list": "PublicDL", "room": "Mailbox", "person": "Mailbox", "service": "Mailbox"}


def resolve_names(context: Context) -> str:
    """Return who a name or the beginning of an address may be."""
    name = "ResolveNames"
    text = (context.operation.findtext("{*}UnresolvedEntry") or "").strip().lower()
    exact = text.startswith("smtp:")
    wanted = text.removeprefix("smtp:")
    found = [
        one
        for one in context.store.world.people.values()
        if one.kind != "service" and wanted and _matches(one, wanted, exact)
    ][:_MOST]
    if context.caller.kind == "service":
        refusal = Refused("ErrorMissingEmailAddress")
        return answer(name, [failure(name, refusal)])
    if not found:
        refusal = Refused("ErrorNameResolutionNoResults", "No results were found.")
        return answer(name, [failure(name, refusal)])
    rows = "".join(
        f"<t:Resolution>{mailbox(one.name, one.email, _KINDS[one.kind])}</t:Resolution>"
        for one in found
    )
    inside = (
        f'<m:ResolutionSet TotalItemsInView="{len(found)}" IncludesLastItemInRange="true">'
        f"{rows}</m:ResolutionSet>"
    )
    if len(found) > 1:
        refusal = Refused("ErrorNameResolutionMultipleResults", "Multiple results were found.")
        return answer(name, [failure(name, refusal, inside, "Warning")])
    return answer(name, [success(name, inside)])


def _matches(person: Person, wanted: str, exact: bool) -> bool:
    addresses = [person.email, *person.aliases]
    if exact:
        return wanted in addresses
    words = [*addresses, person.login.lower(), *person.name.lower().split(), person.name.lower()]
    return any(word.startswith(wanted) for word in words)


def get_room_lists(context: Context) -> str:
    """Return the room lists."""
    _check_mailbox(context)
    lists = [one for one in context.store.world.people.values() if one.kind == "list"]
    rows = "".join(f"<t:Address>{_address(one)}</t:Address>" for one in lists)
    return _answered("GetRoomLists", f"<m:RoomLists>{rows}</m:RoomLists>")


def get_rooms(context: Context) -> str:
    """Return the rooms of a list."""
    _check_mailbox(context)
    address = context.operation.findtext("{*}RoomList/{*}EmailAddress") or ""
    found = context.store.find_person(address)
    if found is None or found.kind != "list":
        return _refused(
            "GetRooms", "ErrorCannotFindRoomList" if found is None else "ErrorInvalidSmtpAddress"
        )
    rooms = [context.store.world.people[email] for email in found.members]
    rows = "".join(f"<t:Room><t:Id>{_address(one)}</t:Id></t:Room>" for one in rooms)
    return _answered("GetRooms", f"<m:Rooms>{rows}</m:Rooms>")


def _check_mailbox(context: Context) -> None:
    if context.caller.kind == "service":
        raise Refused("ErrorMissingEmailAddress")


def _address(person: Person) -> str:
    return (
        f"{tag('Name', person.name)}{tag('EmailAddress', person.email)}"
        f"<t:RoutingType>SMTP</t:RoutingType>{tag('MailboxType', _KINDS[person.kind])}"
    )


def _answered(operation: str, inside: str) -> str:
    name = f"m:{operation}Response"
    return (
        f'<{name} ResponseClass="Success" xmlns:m="{MESSAGES}" xmlns:t="{TYPES}">'
        f"<m:ResponseCode>NoError</m:ResponseCode>{inside}</{name}>"
    )


def _refused(operation: str, code: str) -> str:
    name = f"m:{operation}Response"
    return (
        f'<{name} ResponseClass="Error" xmlns:m="{MESSAGES}" xmlns:t="{TYPES}">'
        f"<m:MessageText>{Refused(code).text}</m:MessageText>"
        f"<m:ResponseCode>{code}</m:ResponseCode>"
        f"<m:DescriptiveLinkKey>0</m:DescriptiveLinkKey></{name}>"
    )
