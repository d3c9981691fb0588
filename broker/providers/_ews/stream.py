"""GetStreamingEvents: an answer that stays open and says which folders changed, as it happens.

One body holds many SOAP envelopes, one after the other; what cuts it into chunks does not know
where they end. Exchange closes it after the time that was asked for, and keeps what happens
until it is asked again. It says something at least every minute or so.
https://learn.microsoft.com/exchange/client-developer/web-service-reference/getstreamingevents
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from lxml import etree

from broker.clock import Clock
from broker.errors import CursorExpired, ProtocolError, ProviderUnavailable
from broker.line import Line, held
from broker.providers._ews.faults import NOT_EWS, PROVIDER, error_of, read_fault
from broker.providers._ews.markup import SOAP, UnreadableXml, element, parse
from broker.providers._ews.notices import Notice, read_notice
from broker.providers._ews.session import Session, Version
from broker.providers._ews.subscribe import Subscribe
from broker.providers.base import Hear

LASTS = timedelta(minutes=29)
# One that ends sooner would only be asked for again and again.
SHORTEST = timedelta(seconds=10)
CUT_SHORT = "stream cut short"
NOT_KEPT = "subscription not kept"

_NAME = "GetStreamingEvents"
_MOST_BYTES = 1024 * 1024
_END = re.compile(rb"</(?:[A-Za-z_][\w.-]{0,30}:)?Envelope\s{0,10}>")
_LONGEST_END = 64


@dataclass(frozen=True, slots=True)
class GetStreamingEvents:
    """Ask for what happens to a subscription, for as long as *lasts*."""

    subscription: str
    lasts: timedelta = LASTS
    name: str = _NAME

    def body(self, version: Version) -> str:
        """Write the request."""
        minutes = str(int(self.lasts.total_seconds() // 60))
        return (
            "<m:GetStreamingEvents><m:SubscriptionIds>"
            f"{element('t:SubscriptionId', self.subscription)}</m:SubscriptionIds>"
            f"{element('m:ConnectionTimeout', minutes)}</m:GetStreamingEvents>"
        )

    def said(self, chunks: Iterator[bytes]) -> Iterator[Notice]:
        """Read the envelopes of an answer as they come. Raises what one of them means."""
        for envelope in envelopes(chunks):
            try:
                root = parse(envelope)
            except UnreadableXml as error:
                raise ProtocolError(PROVIDER, self.name, 200, detail=str(error)) from error
            yield self._notice(root)

    def is_end(self, said: Notice) -> bool:
        """Tell whether Exchange closed the stream."""
        return said.closed

    def _notice(self, root: etree._Element) -> Notice:
        body = root.find(f"{SOAP}Body") if root.tag == f"{SOAP}Envelope" else None
        if body is None:
            raise ProtocolError(PROVIDER, self.name, 200, detail=NOT_EWS)
        fault = read_fault(body)
        if fault is not None:
            raise error_of(fault, self.name, 200)
        response = next(body.iterchildren(), None)
        if response is None:
            raise ProtocolError(PROVIDER, self.name, 200, detail=NOT_EWS)
        notice = read_notice(response)
        if notice.trouble is not None:
            raise error_of(notice.trouble, self.name, 200)
        return notice


def envelopes(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut a body into its envelopes. Raises ProtocolError for one that does not end."""
    kept, searched = bytearray(), 0
    for chunk in chunks:
        kept += chunk
        while found := _END.search(kept, searched):
            yield bytes(kept[: found.end()]).lstrip()
            del kept[: found.end()]
            searched = 0
        searched = max(0, len(kept) - _LONGEST_END)
        if len(kept) > _MOST_BYTES:
            raise ProtocolError(PROVIDER, _NAME, 200, detail="too large")


@dataclass(slots=True)
class Stream:
    """One login's hanging connection, for all of its *folders*."""

    session: Session
    clock: Clock
    folders: tuple[str, ...]
    hear: Hear
    line: Line
    _works: bool = field(default=False, init=False)

    def follow(self) -> None:
        """Subscribe, and tell what happens until the line is cut; see `ListeningProvider`.

        A subscription that the server has lost is made anew, unless it never worked.
        """
        with held(self.line):
            try:
                while not self.line.is_cut:
                    self._subscribed(self.session.call(Subscribe(self.folders)))
            except ProviderUnavailable:
                if not self.line.is_cut:
                    raise

    def _subscribed(self, subscription: str) -> None:
        """Ask again and again; what happens in between the server keeps."""
        self.hear(self.folders)
        self._works = False
        asked = GetStreamingEvents(subscription)
        while not self.line.is_cut:
            began = self.clock.monotonic()
            try:
                is_closed = self.session.stream(asked, self._take)
            except CursorExpired as error:
                if self._works:
                    return
                raise ProviderUnavailable(PROVIDER, asked.name, detail=NOT_KEPT) from error
            lasted_s = self.clock.monotonic() - began
            if not is_closed or lasted_s < SHORTEST.total_seconds():
                raise ProviderUnavailable(PROVIDER, asked.name, 200, detail=CUT_SHORT)

    def _take(self, notice: Notice) -> None:
        self._works = self._works or not notice.closed
        known = notice.folders & frozenset(self.folders)
        # Where they are named in another way, nobody knows which.
        self.hear(self.folders if notice.changed and not known else known)
