"""What Exchange tells by itself: which folders changed. What changed in them is never read.

https://learn.microsoft.com/exchange/client-developer/web-service-reference/sendnotification
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from broker.providers._ews.faults import Trouble, messages_of
from broker.providers._ews.markup import SOAP, M, T, UnreadableXml, child_text, id_of, parse

_SEND_NOTIFICATION = f"{M}SendNotification"
_RESULT = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    '<m:SendNotificationResult xmlns:m="http://schemas.microsoft.com/exchange/services/2006/'
    'messages"><m:SubscriptionStatus>{}</m:SubscriptionStatus></m:SendNotificationResult>'
    "</s:Body></s:Envelope>"
)
CONTENT_TYPE = "text/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. *folders* had changes; *trouble* when the subscription is at its end.

    *closed* says that a stream is over, and nothing else.
    """

    subscriptions: frozenset[str]
    folders: frozenset[str] = frozenset()
    changed: bool = False
    trouble: Trouble | None = None
    closed: bool = False


def read_message(body: bytes) -> Notice | None:
    """Read what a server calls with; None when it is no notification."""
    try:
        root = parse(body)
    except UnreadableXml:
        return None
    sent = root.find(f"{SOAP}Body/{_SEND_NOTIFICATION}") if root.tag == f"{SOAP}Envelope" else None
    return read_notice(sent) if sent is not None else None


def read_notice(response: etree._Element) -> Notice:
    """Read the response messages of a notification, pushed or streamed."""
    subscriptions: set[str] = set()
    folders: set[str] = set()
    trouble: Trouble | None = None
    changed = closed = False
    for message in messages_of(response):
        trouble = trouble or message.trouble
        closed = closed or child_text(message.element, f"{M}ConnectionStatus") == "Closed"
        subscriptions |= {
            (value.text or "").strip()
            for value in message.element.iterfind(f"{M}MessageXml/{T}Value")
            if value.get("Name") == "SubscriptionId"
        }
        for notification in message.element.iter(f"{M}Notification"):
            subscriptions.add(child_text(notification, f"{T}SubscriptionId") or "")
            for event in notification.iterfind(f"{T}*"):
                if not _is_change(event):
                    continue
                changed = True
                folders |= {
                    id_of(event.find(f"{T}{name}"))
                    for name in ("ParentFolderId", "OldParentFolderId", "FolderId")
                }
    ids, where = frozenset(subscriptions - {""}), frozenset(folders - {""})
    return Notice(ids, where, changed, trouble, closed)


def _is_change(event: etree._Element) -> bool:
    name = etree.QName(event).localname
    return name.endswith("Event") and name != "StatusEvent"


def result(*, wanted: bool) -> str:
    """Write the answer that keeps a subscription, or ends it."""
    return _RESULT.format("OK" if wanted else "Unsubscribe")
