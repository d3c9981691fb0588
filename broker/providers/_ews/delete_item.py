"""DeleteItem: into the person's own bin, where they can find it again."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from broker.errors import ProtocolError
from broker.providers._ews.faults import PROVIDER, error_of, messages_of
from broker.providers._ews.markup import item_id
from broker.providers._ews.meanings import Meaning
from broker.providers._ews.session import Version


@dataclass(frozen=True, slots=True)
class DeleteItem:
    """Delete an event, if it still has *change_key*; *cancels* tells whom it had invited.

    One already gone is a success.
    """

    remote_id: str
    change_key: str = ""
    cancels: bool = False
    name: str = "DeleteItem"

    def body(self, version: Version) -> str:
        """Write the request."""
        sending = "SendToAllAndSaveCopy" if self.cancels else "SendToNone"
        return (
            '<m:DeleteItem DeleteType="MoveToDeletedItems"'
            f' SendMeetingCancellations="{sending}"><m:ItemIds>'
            f"{item_id(self.remote_id, self.change_key)}</m:ItemIds></m:DeleteItem>"
        )

    def read(self, response: etree._Element) -> None:
        """See that it was done. Raises EditConflict when the event has changed."""
        message = next(messages_of(response), None)
        if message is None:
            raise ProtocolError(PROVIDER, self.name, 200, detail="no answer")
        trouble = message.trouble
        if trouble is not None and trouble.meaning is not Meaning.ITEM_GONE:
            raise error_of(trouble, self.name, 200)
