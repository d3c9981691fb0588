"""FindItem: which items of a folder bear a tag."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from broker.errors import ProtocolError
from broker.providers._ews.faults import PROVIDER, error_of, messages_of
from broker.providers._ews.markup import M, T, folder_id, id_of, text
from broker.providers._ews.session import Version
from broker.providers._ews.tag import TAG_FIELD

MOST = 10


@dataclass(frozen=True, slots=True)
class FindItem:
    """Find the items that an application's *tag* is on."""

    folder: str
    tag: str
    name: str = "FindItem"

    def body(self, version: Version) -> str:
        """Write the request."""
        return (
            '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>'
            f'</m:ItemShape><m:IndexedPageItemView MaxEntriesReturned="{MOST}" Offset="0"'
            ' BasePoint="Beginning"/><m:Restriction><t:IsEqualTo>'
            f'{TAG_FIELD}<t:FieldURIOrConstant><t:Constant Value="{text(self.tag)}"/>'
            "</t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>"
            f"<m:ParentFolderIds>{folder_id(self.folder)}</m:ParentFolderIds></m:FindItem>"
        )

    def read(self, response: etree._Element) -> list[str]:
        """Give the ids."""
        message = next(messages_of(response), None)
        if message is not None and message.trouble is not None and not message.warning:
            raise error_of(message.trouble, self.name, 200)
        root = message.element.find(f"{M}RootFolder") if message is not None else None
        if root is None:
            raise ProtocolError(PROVIDER, self.name, 200, detail="no items")
        found = root.iterfind(f"{T}Items/{T}CalendarItem/{T}ItemId")
        return [remote_id for own in found if (remote_id := id_of(own))]
