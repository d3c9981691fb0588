"""Subscribe and Unsubscribe: asking to be told about changes, and no longer.

https://learn.microsoft.com/exchange/client-developer/exchange-web-services/notification-subscriptions-mailbox-events-and-ews-in-exchange
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from lxml import etree

from broker.errors import ConfigurationRefused, ProtocolError
from broker.providers._ews.faults import PROVIDER, TOO_NEW, Message, error_of, messages_of
from broker.providers._ews.markup import M, checked_id, child_text, element, folder_id
from broker.providers._ews.meanings import Meaning
from broker.providers._ews.session import Version

_EVENTS = "".join(
    f"<t:EventType>{name}Event</t:EventType>"
    for name in ("Created", "Modified", "Deleted", "Moved")
)


@dataclass(frozen=True, slots=True)
class Push:
    """Be called at *url*, which holds a secret, and at least every *silence*, the first at once."""

    url: str = field(repr=False)
    silence: timedelta


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Ask for changes of *folders*, by *push* or over a stream.

    Raises ConfigurationRefused where streams are not known: before 2010 SP2, as we speak it.
    """

    folders: tuple[str, ...]
    push: Push | None = None
    name: str = "Subscribe"

    def body(self, version: Version) -> str:
        """Write the request."""
        folders = "".join(map(folder_id, self.folders))
        what = f"<t:FolderIds>{folders}</t:FolderIds><t:EventTypes>{_EVENTS}</t:EventTypes>"
        kind = "Streaming"
        if self.push is not None:
            kind = "Push"
            minutes = str(int(self.push.silence.total_seconds() // 60))
            what += element("t:StatusFrequency", minutes) + element("t:URL", self.push.url)
        elif version is not Version.EXCHANGE_2010:
            raise ConfigurationRefused(PROVIDER, self.name, detail=TOO_NEW)
        name = f"m:{kind}SubscriptionRequest"
        return f"<m:Subscribe><{name}>{what}</{name}></m:Subscribe>"

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
