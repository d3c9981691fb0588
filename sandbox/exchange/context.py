"""What an operation works with: who asks, for which mailbox, and with what rights."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from sandbox.stand_in.faults import Faults

from . import ids
from .model import Folder, Item, Person
from .occurrences import Occurrence, numbered, one, whole
from .soap import Element, Refused, T
from .store import Store
from .versions import Version

_MAY_WRITE = ("editor",)
_MAY_READ = ("editor", "reviewer")


@dataclass(frozen=True)
class Context:
    """One operation. *caller* is who acts: who signed in, or who is impersonated.

    *zone* is that of times without an offset.
    """

    store: Store
    faults: Faults
    version: Version
    schema: str
    account: Person
    caller: Person
    operation: Element
    zone: str = "UTC"

    def find(self, name: str) -> Element:
        """Return a child of the operation that the schema says is there. Raises Refused."""
        found = self.operation.find(f"{{*}}{name}")
        if found is None:
            raise Refused("ErrorInvalidRequest", f"{name} is missing.")
        return found

    def folder(self, element: Element, *, write: bool = False) -> Folder:
        """Return the folder that an id names. Raises Refused without the right to it."""
        if element.tag == f"{T}DistinguishedFolderId":
            found = self._distinguished(element)
        else:
            found = self._numbered(element, "folder")
        self.check(found, write=write)
        return found

    def _distinguished(self, element: Element) -> Folder:
        address = element.findtext(f"{T}Mailbox/{T}EmailAddress")
        owner = self.caller
        if address:
            known = self.store.find_person(address)
            if known is None or known.kind in ("list", "service"):
                raise Refused("ErrorNonExistentMailbox")
            owner = known
        if owner.kind == "service":
            raise Refused("ErrorMissingEmailAddress")
        name = element.get("Id", "")
        found = self.store.distinguished(owner.email, name)
        if found is None:
            raise Refused("ErrorFolderNotFound")
        return found

    def _numbered(self, element: Element, kind: str) -> Folder:
        try:
            wanted = ids.read(element.get("Id", ""))
        except ValueError:
            raise Refused("ErrorInvalidIdMalformed") from None
        found = self.store.world.folders.get(wanted.number)
        if wanted.kind != kind or found is None:
            raise Refused("ErrorFolderNotFound" if wanted.kind == kind else "ErrorInvalidId")
        return found

    def check(self, folder: Folder, *, write: bool = False) -> None:
        """Check the caller's right to a folder. Raises Refused."""
        if folder.owner == self.caller.email:
            if write and folder.read_only:
                raise Refused("ErrorAccessDenied")
            return
        right = self.right_to(folder.owner)
        # Others see the default calendar and nothing else.
        if folder.distinguished != "calendar" or right not in _MAY_READ:
            raise Refused("ErrorFolderNotFound" if right == "none" else "ErrorAccessDenied")
        if write and right not in _MAY_WRITE:
            raise Refused("ErrorAccessDenied")

    def right_to(self, owner: str) -> str:
        """Return what the caller may do with somebody's default calendar."""
        rights = self.store.world.people[owner].rights
        return rights.get(self.caller.email, rights.get("*", "freebusy"))

    def may_write(self, folder: Folder) -> bool:
        """Whether the caller may change what is in a folder."""
        try:
            self.check(folder, write=True)
        except Refused:
            return False
        return True

    def may_see(self, folder: Folder, item: Item) -> bool:
        """Whether the caller may see an item: private ones are for their owner."""
        is_private = ">Private<" in item.fields.get("Sensitivity", "")
        return not is_private or folder.owner == self.caller.email

    def owner(self, folder: Folder) -> Person:
        """Return whose folder it is."""
        return self.store.world.people[folder.owner]

    def item(self, element: Element, *, write: bool = False) -> tuple[Folder, Occurrence]:
        """Return what an item id names, in any of its forms. Raises Refused."""
        kind = etree.QName(element).localname
        attribute = {
            "OccurrenceItemId": "RecurringMasterId",
            "RecurringMasterItemId": "OccurrenceId",
        }.get(kind, "Id")
        try:
            wanted = ids.read(element.get(attribute, ""))
        except ValueError:
            raise Refused("ErrorInvalidIdMalformed") from None
        if wanted.kind == "folder":
            raise Refused("ErrorInvalidId")
        known = self.store.item(wanted.number)
        if known is None or not self.may_see(*known):
            raise Refused("ErrorItemNotFound")
        folder, found = known
        try:
            self.check(folder, write=write)
        except Refused as refusal:
            is_write = write and self.right_to(folder.owner) in _MAY_READ
            raise (refusal if is_write else Refused("ErrorItemNotFound")) from None
        if kind == "OccurrenceItemId":
            return folder, numbered(found, int(element.get("InstanceIndex", "0")))
        if kind == "RecurringMasterItemId" or wanted.kind == "item":
            return folder, whole(found)
        return folder, one(found, wanted.original_s)
