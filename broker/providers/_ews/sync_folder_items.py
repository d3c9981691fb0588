"""SyncFolderItems: which items of a folder changed since a state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from broker.errors import ProtocolError
from broker.providers._ews.faults import PROVIDER, error_of, messages_of
from broker.providers._ews.markup import (
    Fields,
    M,
    T,
    child,
    child_text,
    element,
    fields_of,
    folder_id,
    id_of,
)
from broker.providers._ews.session import Version

MOST = 512

_ITEMS = frozenset({f"{T}Create", f"{T}Update"})

_TIMES = (
    "<t:AdditionalProperties>"
    '<t:FieldURI FieldURI="calendar:End"/><t:FieldURI FieldURI="calendar:CalendarItemType"/>'
    "</t:AdditionalProperties>"
)


@dataclass(frozen=True, slots=True)
class Listed:
    """An item that is there. *ends_at* is None for a series, and where the server kept silent."""

    remote_id: str
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SyncPage:
    """Some changes, and the *state* after them."""

    listed: list[Listed]
    deleted: frozenset[str]
    state: str
    is_last: bool


@dataclass(frozen=True, slots=True)
class SyncFolderItems:
    """Ask for the changes since *state*, or for everything when None.

    Series come as their masters; a changed occurrence shows as a change of the master.
    *with_times* asks when single events end, so that a first reading can pass over the past.
    """

    folder: str
    state: str | None = None
    with_times: bool = False
    most: int = MOST
    name: str = "SyncFolderItems"

    def body(self, version: Version) -> str:
        """Write the request."""
        state = element("m:SyncState", self.state) if self.state is not None else ""
        # SyncScope is newer than 2007 SP1, and what it says here is the default.
        return (
            "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>"
            f"{_TIMES if self.with_times else ''}</m:ItemShape>"
            f"<m:SyncFolderId>{folder_id(self.folder)}</m:SyncFolderId>{state}"
            f"<m:MaxChangesReturned>{self.most}</m:MaxChangesReturned></m:SyncFolderItems>"
        )

    def read(self, response: etree._Element) -> SyncPage:
        """Read a page. Raises CursorExpired when the state is dead."""
        message = next(messages_of(response), None)
        if message is not None and message.trouble is not None:
            raise error_of(message.trouble, self.name, 200)
        found = message.element if message is not None else None
        state = child_text(found, f"{M}SyncState") if found is not None else None
        changes = found.find(f"{M}Changes") if found is not None else None
        if found is None or state is None or changes is None:
            raise ProtocolError(PROVIDER, self.name, 200, detail="no state")
        listed: dict[str, Listed] = {}
        deleted: set[str] = set()
        for change in changes:
            item = _item(change)
            if item is None or not item.remote_id:
                continue
            if change.tag == f"{T}Delete":
                deleted.add(item.remote_id)
                listed.pop(item.remote_id, None)
            else:
                listed[item.remote_id] = item
                deleted.discard(item.remote_id)
        is_last = child_text(found, f"{M}IncludesLastItemInRange") == "true"
        if not is_last and state == self.state:
            raise ProtocolError(PROVIDER, self.name, 200, detail="same page again")
        return SyncPage(list(listed.values()), frozenset(deleted), state, is_last)


def _item(change: etree._Element) -> Listed | None:
    """Read a change; None for what is no event, which a calendar folder may hold too."""
    if change.tag == f"{T}Delete":
        return Listed(id_of(change.find(f"{T}ItemId")))
    if change.tag not in _ITEMS:
        return None
    item = child(change, f"{T}CalendarItem")
    if item is None:
        return None
    fields = fields_of(item)
    return Listed(id_of(fields.get(f"{T}ItemId")), _ends_at(fields))


def _ends_at(fields: Fields) -> datetime | None:
    end, kind = fields.get(f"{T}End"), fields.get(f"{T}CalendarItemType")
    if end is None or kind is None or kind.text != "Single":
        return None
    try:
        at = datetime.fromisoformat((end.text or "").strip())
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
