"""GetFolder and FindFolder: the calendars of a mailbox."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from broker.errors import ProtocolError
from broker.providers._ews.faults import PROVIDER, Message, error_of, messages_of, paired
from broker.providers._ews.markup import M, T, child_text, element, id_of
from broker.providers._ews.meanings import Meaning
from broker.providers._ews.session import Version

CALENDAR, DELETED, ROOT = "calendar", "deleteditems", "msgfolderroot"
CALENDAR_CLASS = "IPF.Appointment"
MOST = 200

_SHAPE = (
    "<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
    '<t:FieldURI FieldURI="folder:DisplayName"/><t:FieldURI FieldURI="folder:FolderClass"/>'
    '<t:FieldURI FieldURI="folder:ParentFolderId"/><t:FieldURI FieldURI="folder:EffectiveRights"/>'
    "</t:AdditionalProperties></m:FolderShape>"
)


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder. *kind* is its class, `IPF.Appointment` or one below it for calendars."""

    remote_id: str
    name: str
    kind: str
    parent_id: str
    is_writable: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A folder by its well-known name, in one's own mailbox or in that of an address."""

    name: str
    mailbox: str = ""


@dataclass(frozen=True, slots=True)
class GetFolder:
    """Read folders by their well-known names.

    The cheapest proof that a login works and has a mailbox.
    """

    places: tuple[Place, ...] = (Place(CALENDAR),)
    name: str = "GetFolder"

    def body(self, version: Version) -> str:
        """Write the request."""
        ids = "".join(map(_well_known, self.places))
        return f"<m:GetFolder>{_SHAPE}<m:FolderIds>{ids}</m:FolderIds></m:GetFolder>"

    def read(self, response: etree._Element) -> list[Folder | None]:
        """Give the folders in the order of their places; None for one that is not there.

        Nothing that is wrong with another mailbox is told: it may be nobody's.
        """
        return [self._one(*pair) for pair in paired(self.places, response, self.name)]

    def _one(self, place: Place, message: Message) -> Folder | None:
        trouble = message.trouble
        if trouble is not None:
            gone = trouble.meaning in {Meaning.FOLDER_GONE, Meaning.ITEM_GONE}
            if gone or (place.mailbox and trouble.meaning not in _OF_THE_SERVER):
                return None
            raise error_of(trouble, self.name, 200)
        folders = message.element.find(f"{M}Folders")
        if folders is None or len(folders) != 1:
            raise ProtocolError(PROVIDER, self.name, 200, detail="no folder")
        return _folder(folders[0], self.name)


_OF_THE_SERVER = frozenset({Meaning.BUSY, Meaning.TRANSIENT, Meaning.FAILED})


def _well_known(place: Place) -> str:
    mailbox = ""
    if place.mailbox:
        mailbox = f"<t:Mailbox>{element('t:EmailAddress', place.mailbox)}</t:Mailbox>"
    return f'<t:DistinguishedFolderId Id="{place.name}">{mailbox}</t:DistinguishedFolderId>'


@dataclass(frozen=True, slots=True)
class FolderPage:
    """Some folders; *next_offset* is where the next page begins, None after the last."""

    folders: list[Folder]
    next_offset: int | None


@dataclass(frozen=True, slots=True)
class FindFolder:
    """List the calendars of the mailbox, from *offset* on."""

    offset: int = 0
    most: int = MOST
    name: str = "FindFolder"

    def body(self, version: Version) -> str:
        """Write the request."""
        return (
            f'<m:FindFolder Traversal="Deep">{_SHAPE}'
            f'<m:IndexedPageFolderView MaxEntriesReturned="{self.most}" Offset="{self.offset}"'
            ' BasePoint="Beginning"/><m:Restriction>'
            '<t:Contains ContainmentMode="Prefixed" ContainmentComparison="IgnoreCase">'
            '<t:FieldURI FieldURI="folder:FolderClass"/>'
            f'<t:Constant Value="{CALENDAR_CLASS}"/></t:Contains></m:Restriction>'
            f'<m:ParentFolderIds><t:DistinguishedFolderId Id="{ROOT}"/></m:ParentFolderIds>'
            "</m:FindFolder>"
        )

    def read(self, response: etree._Element) -> FolderPage:
        """Read a page."""
        message = next(messages_of(response), None)
        if message is not None and message.trouble is not None and not message.warning:
            raise error_of(message.trouble, self.name, 200)
        root = message.element.find(f"{M}RootFolder") if message is not None else None
        if root is None:
            raise ProtocolError(PROVIDER, self.name, 200, detail="no folders")
        listed = root.find(f"{T}Folders")
        folders = [_folder(found, self.name) for found in (() if listed is None else listed)]
        if root.get("IncludesLastItemInRange", "").lower() == "true":
            return FolderPage(folders, None)
        offset = root.get("IndexedPagingOffset", "")
        if not offset.isdecimal() or int(offset) <= self.offset:
            # A cut listing must never pass for a complete one.
            raise ProtocolError(PROVIDER, self.name, 200, detail="same page again")
        return FolderPage(folders, int(offset))


def is_calendar(folder: Folder) -> bool:
    """Tell whether a folder holds appointments."""
    kind = folder.kind.lower()
    return kind == CALENDAR_CLASS.lower() or kind.startswith(f"{CALENDAR_CLASS.lower()}.")


def _folder(found: etree._Element, operation: str) -> Folder:
    parent = found.find(f"{T}ParentFolderId")
    remote_id = id_of(found.find(f"{T}FolderId"))
    if not remote_id:
        raise ProtocolError(PROVIDER, operation, 200, detail="no folder id")
    rights = found.find(f"{T}EffectiveRights")
    may_create = rights is None or child_text(rights, f"{T}CreateContents") != "false"
    return Folder(
        remote_id,
        child_text(found, f"{T}DisplayName") or "",
        child_text(found, f"{T}FolderClass") or "",
        parent.get("Id", "") if parent is not None else "",
        may_create,
    )
