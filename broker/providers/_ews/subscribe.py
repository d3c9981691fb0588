"""Subscribe and Unsubscribe: asking to be told about changes, and no longer.

https://learn.microsoft.com/exchange/client-developer/exchange-web-services/notification-subscriptions-mailbox-events-and-ews-in-exchange
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from lxml import etree

from broker.errors import ProtocolError
from broker.providers._ews.faults import PROVIDER, Meaning, Message, error_of, messages_of
from broker.providers._ews.markup import M, checked_id, child_text, element, folder_id
from broker.providers._ews.session import Version

_EVENTS = "".join(
    f"<t:EventType>{name}Event</t:EventType>"
    for name in ("Created", "Modified", "Deleted", "Moved")
)


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Ask for changes of *folders*: at *callback_url*, which holds a secret.

    The server calls at once, and then whenever something changed or *says_at_least* is over.
    """

    folders: tuple[str, ...]
    callback_url: str = field(repr=False)
    says_at_least: timedelta
    name: str = "Subscribe"

    def body(self, version: Version) -> str:
        """Write the request."""
        folders = "".join(map(folder_id, self.folders))
        minutes = str(int(self.says_at_least.total_seconds() // 60))
        return (
            "<m:Subscribe><m:PushSubscriptionRequest>"
            f"<t:FolderIds>{folders}</t:FolderIds><t:EventTypes>{_EVENTS}</t:EventTypes>"
            f"{element('t:StatusFrequency', minutes)}{element('t:URL', self.callback_url)}"
            "</m:PushSubscriptionRequest></m:Subscribe>"
        )

    def read(self, response: etree._Element) -> str:
        """Read the subscription's id."""
        found = _only(response, self.name)
        if found.trouble is not None:
            raise error_of(found.trouble, self.name, 200)
        try:
            return checked_id(child_text(found.element, f"{M}SubscriptionId") or "")
        except ValueError as error:
            raise ProtocolError(PROVIDER, self.name, 200, detail="no subscription") from error


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """End a subscription; one already gone is a success."""

    subscription: str
    name: str = "Unsubscribe"

    def body(self, version: Version) -> str:
        """Write the request."""
        inside = element("m:SubscriptionId", self.subscription)
        return f"<m:Unsubscribe>{inside}</m:Unsubscribe>"

    def read(self, response: etree._Element) -> None:
        """See that it was done."""
        trouble = _only(response, self.name).trouble
        if trouble is not None and trouble.meaning is not Meaning.STATE_DEAD:
            raise error_of(trouble, self.name, 200)


def _only(response: etree._Element, operation: str) -> Message:
    found = next(messages_of(response), None)
    if found is None:
        raise ProtocolError(PROVIDER, operation, 200, detail="no answer")
    return found
