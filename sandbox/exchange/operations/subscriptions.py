"""Subscribe, Unsubscribe and GetEvents."""

from __future__ import annotations

import base64
import secrets

from lxml import etree

from ..context import Context
from ..model import Subscription
from ..notices import notification, read_watermark, watermark
from ..schema import unknown
from ..soap import Refused, SoapFault, T, answer, failure, success

_KINDS = {
    "PullSubscriptionRequest": "pull",
    "PushSubscriptionRequest": "push",
    "StreamingSubscriptionRequest": "streaming",
}
_EVENTS = frozenset(
    "CopiedEvent CreatedEvent DeletedEvent ModifiedEvent MovedEvent NewMailEvent "
    "FreeBusyChangedEvent".split()
)
_MOST = 20


def subscribe(context: Context) -> str:
    """Begin to remember what happens for somebody."""
    try:
        made = _made(context)
    except Refused as refusal:
        return answer("Subscribe", [failure("Subscribe", refusal)])
    context.store.world.subscriptions[made.id] = made
    inside = f"<m:SubscriptionId>{made.id}</m:SubscriptionId>"
    if made.kind != "streaming":
        inside += f"<m:Watermark>{watermark(made.seen)}</m:Watermark>"
    return answer("Subscribe", [success("Subscribe", inside)])


def _made(context: Context) -> Subscription:
    wanted = context.operation[0]
    kind = _KINDS[etree.QName(wanted).localname]
    if kind == "streaming" and not context.version.knows("Exchange2010_SP1"):
        raise unknown(wanted)
    events = [one.text or "" for one in wanted.iterfind(f"{T}EventTypes/{T}EventType")]
    if not events or not set(events) <= _EVENTS:
        raise SoapFault("ErrorSchemaValidation", "EventTypes has a value that is not one of its.")
    ids = wanted.find(f"{T}FolderIds")
    folders = [context.folder(one) for one in ids] if ids is not None else []
    if any(folder.owner != context.caller.email for folder in folders):
        raise Refused("ErrorSubscriptionDelegateAccessNotSupported")
    if not folders and wanted.get("SubscribeToAllFolders") != "true":
        raise Refused("ErrorInvalidSubscriptionRequest")
    minutes = int(wanted.findtext(f"{T}Timeout") or wanted.findtext(f"{T}StatusFrequency") or 30)
    if not 1 <= minutes <= 1440:
        raise SoapFault("ErrorSchemaValidation", "Minutes must be from 1 to 1440.")
    subscriptions = context.store.world.subscriptions.values()
    if sum(one.mailbox == context.caller.email for one in subscriptions) >= _MOST:
        raise Refused("ErrorExceededSubscriptionCount")
    mark = wanted.findtext(f"{T}Watermark")
    now_s = context.store.now_s()
    return Subscription(
        _new_id(),
        kind,
        context.account.email,
        context.caller.email,
        [folder.number for folder in folders],
        events,
        read_watermark(mark) if mark else context.store.world.sequence,
        url=wanted.findtext(f"{T}URL") or "",
        minutes=minutes,
        expires_at_s=now_s + minutes * 60 if kind == "pull" else 0,
    )


def _new_id() -> str:
    return base64.b64encode(b"&\0e\x1c01.corp.local\x10\0\0\0" + secrets.token_bytes(24)).decode()


def find(context: Context, text: str, kind: str) -> Subscription:
    """Return a subscription of the caller's. Raises Refused."""
    if context.faults.take(context.caller.email, "subscription_lost"):
        context.store.world.subscriptions.pop(text, None)
    found = context.store.world.subscriptions.get(text)
    if found is None:
        raise Refused("ErrorSubscriptionNotFound")
    if found.owner != context.account.email:
        raise Refused("ErrorSubscriptionAccessDenied")
    if kind not in ("", found.kind):
        raise Refused("ErrorInvalidSubscription")
    if found.expires_at_s and found.expires_at_s <= context.store.now_s():
        del context.store.world.subscriptions[text]
        raise Refused("ErrorExpiredSubscription")
    return found


def unsubscribe(context: Context) -> str:
    """Forget a subscription."""
    try:
        found = find(context, context.operation.findtext("{*}SubscriptionId") or "", "")
    except Refused as refusal:
        return answer("Unsubscribe", [failure("Unsubscribe", refusal)])
    del context.store.world.subscriptions[found.id]
    return answer("Unsubscribe", [success("Unsubscribe")])


def get_events(context: Context) -> str:
    """Return what happened since a watermark."""
    try:
        found = find(context, context.operation.findtext("{*}SubscriptionId") or "", "pull")
        sequence = read_watermark(context.operation.findtext("{*}Watermark") or "")
    except Refused as refusal:
        return answer("GetEvents", [failure("GetEvents", refusal)])
    found.expires_at_s = context.store.now_s() + found.minutes * 60
    text, found.seen = notification(context.store, found, sequence)
    return answer("GetEvents", [success("GetEvents", text)])
