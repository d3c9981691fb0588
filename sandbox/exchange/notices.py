"""What happened, for those who subscribed: watermarks and events."""

from __future__ import annotations

import base64
import binascii
import struct

from .fragments import folder_id
from .ids import Id, change_key, written
from .model import Notice, Subscription
from .soap import Refused, tag
from .store import Store
from .zones import stamp

MOST_EVENTS = 50
_LAYOUT = ">4sQ"
_MAGIC = b"\x01\x00\x00\x00"


def watermark(sequence: int) -> str:
    """Return the text of a place in the sequence of events."""
    return base64.b64encode(struct.pack(_LAYOUT, _MAGIC, sequence) + b"\0" * 16).decode()


def read_watermark(text: str) -> int:
    """Read a watermark. Raises Refused when it was never given out."""
    try:
        body = base64.b64decode(text, validate=True)
        magic, sequence = struct.unpack(_LAYOUT, body[:12])
    except (binascii.Error, struct.error):
        raise Refused("ErrorInvalidWatermark") from None
    if magic != _MAGIC or len(body) != 28:
        raise Refused("ErrorInvalidWatermark")
    return int(sequence)


def since(store: Store, found: Subscription, sequence: int) -> list[Notice]:
    """Return what a subscription has not heard of, oldest first."""
    folders = found.folders or [one.number for one in store.folders_of(found.mailbox)]
    news = []
    for notice in reversed(store.world.notices):
        if notice.sequence <= sequence:
            break
        if notice.folder in folders and f"{notice.event}Event" in found.events:
            news.append(notice)
    return news[::-1]


def event(store: Store, notice: Notice, *, marked: bool = True) -> str:
    """Write an event; streamed ones have no watermark."""
    key = change_key("item", notice.sequence)
    item = f'<t:ItemId Id="{written(Id("item", notice.item))}" ChangeKey="{key}"/>'
    mark = tag("Watermark", watermark(notice.sequence)) if marked else ""
    name = f"{notice.event}Event"
    return (
        f"<t:{name}>{mark}{tag('TimeStamp', stamp(notice.at_s))}{item}"
        f"{folder_id('ParentFolderId', notice.folder, 1)}</t:{name}>"
    )


def notification(store: Store, found: Subscription, sequence: int) -> tuple[str, int]:
    """Write what a subscription has not heard of, or that there is nothing; and its new place."""
    news = since(store, found, sequence)
    shown = news[:MOST_EVENTS]
    after = shown[-1].sequence if len(news) > len(shown) else store.world.sequence
    events = "".join(event(store, notice) for notice in shown)
    if not events:
        events = f"<t:StatusEvent>{tag('Watermark', watermark(after))}</t:StatusEvent>"
    text = (
        f"<m:Notification>{tag('SubscriptionId', found.id)}"
        f"{tag('PreviousWatermark', watermark(sequence))}"
        f"{tag('MoreEvents', len(news) > len(shown))}{events}</m:Notification>"
    )
    return text, after
