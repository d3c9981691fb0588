"""GetStreamingEvents: one answer that lasts, made of whole envelopes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain

from ..context import Context
from ..model import Subscription
from ..notices import event, since
from ..soap import Refused, SoapFault, answer, failure, success, tag
from ..store import Store
from ..wire import Cut
from .streamed import Streamed
from .subscriptions import find

_HEARTBEAT_S = 30.0
_SLICE_S = 0.5
_NAME = "GetStreamingEvents"
_LIMITS = {"Exchange2010_SP1": 3, "Exchange2010_SP2": 3, "Exchange2013_SP1": 3}
_USUAL_LIMIT = 10


def get_streaming_events(context: Context) -> str | Streamed:
    """Hold the connection and tell what happens."""
    ids = [one.text or "" for one in context.find("SubscriptionIds")]
    minutes = int(context.operation.findtext("{*}ConnectionTimeout") or 0)
    if not 1 <= minutes <= 30:
        raise SoapFault("ErrorSchemaValidation", "ConnectionTimeout must be from 1 to 30.")
    try:
        found = [find(context, one, "streaming") for one in ids]
        login, limit = context.account.email, _LIMITS.get(context.version.schema, _USUAL_LIMIT)
        if context.store.streams.get(login, 0) >= limit:
            raise Refused("ErrorExceededConnectionCount")
    except Refused as refusal:
        inside = "".join(tag("SubscriptionId", one) for one in ids).replace("t:", "m:")
        inside = f"<m:ErrorSubscriptionIds>{inside}</m:ErrorSubscriptionIds>{_status('Closed')}"
        return answer(_NAME, [failure(_NAME, refusal, inside)])
    moments = _envelopes(context, found, minutes * 60.0)
    # It has begun, and counts, before the next request can look at how many there are.
    return Streamed(_chunks(chain([next(moments)], moments)))


def _envelopes(context: Context, found: list[Subscription], lasts_s: float) -> Iterator[list[str]]:
    """Yield envelopes, those of one moment together.

    Until the time is over, the server stops, or a subscription is gone.
    """
    store, login = context.store, context.account.email
    with store.lock:
        store.streams[login] = store.streams.get(login, 0) + 1
    ends = time.monotonic() + lasts_s
    beats = time.monotonic() + _HEARTBEAT_S
    try:
        yield [_envelope(_status("OK"))]
        while time.monotonic() < ends and not store.closed:
            if context.faults.take(context.caller.email, "stream_cut"):
                raise Cut
            if context.faults.take(context.caller.email, "subscription_lost"):
                yield [_lost(store, found)]
                return
            with store.changed:
                news = _news(context, found)
                if not news and all(one.id in store.world.subscriptions for one in found):
                    store.changed.wait(_SLICE_S)
            yield news
            if any(one.id not in store.world.subscriptions for one in found):
                break
            if time.monotonic() >= beats:
                beats = time.monotonic() + _HEARTBEAT_S
                yield [_envelope(_status("OK"))]
        yield [_envelope(_status("Closed"))]
    finally:
        with store.lock:
            store.streams[login] -= 1


def _lost(store: Store, found: list[Subscription]) -> str:
    """Forget the subscriptions, and write what Exchange then says."""
    with store.transaction():
        for one in found:
            store.world.subscriptions.pop(one.id, None)
    ids = "".join(f"<m:SubscriptionId>{one.id}</m:SubscriptionId>" for one in found)
    inside = f"<m:ErrorSubscriptionIds>{ids}</m:ErrorSubscriptionIds>{_status('Closed')}"
    return _wrapped(failure(_NAME, Refused("ErrorSubscriptionNotFound"), inside))


def _news(context: Context, found: list[Subscription]) -> list[str]:
    """Return an envelope for each subscription that something happened to."""
    made = []
    for one in found:
        notices = since(context.store, one, one.seen)
        if notices:
            one.seen = notices[-1].sequence
            events = "".join(event(context.store, notice, marked=False) for notice in notices)
            inside = f"<m:Notification>{tag('SubscriptionId', one.id)}{events}</m:Notification>"
            made.append(_envelope(f"<m:Notifications>{inside}</m:Notifications>"))
    return made


def _status(text: str) -> str:
    return f"<m:ConnectionStatus>{text}</m:ConnectionStatus>"


def _envelope(inside: str) -> str:
    return _wrapped(success(_NAME, inside))


def _wrapped(message: str) -> str:
    return (
        '<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>'
        f"{answer(_NAME, [message])}</Body></Envelope>"
    )


def _chunks(moments: Iterator[list[str]]) -> Iterator[bytes]:
    """Send envelopes in pieces that begin and end anywhere, as proxies do.

    The second of two pieces has the end of the first envelope and, of those that came at the
    same moment, all the others.
    """
    for envelopes in moments:
        place = len("".join(envelopes[:1]).encode()) * 2 // 3
        body = "".join(envelopes).encode()
        yield from filter(None, (body[:place], body[place:]))
