"""Push notifications: Exchange calls who subscribed, and gives up on who does not answer (14)."""

from __future__ import annotations

import threading

import requests
from lxml import etree

from sandbox.stand_in.faults import Faults

from . import soap
from .model import Subscription
from .notices import notification, since
from .soap import MESSAGES, TYPES, Refused
from .store import Store

_FIRST_RETRY_S = 30
_TIMEOUT_S = 5.0
_SLICE_S = 0.5
_ACTION = f"{MESSAGES}/SendNotification"


class Pusher:
    """Calls subscribers from a thread of its own; `deliver` is one round of it."""

    def __init__(self, store: Store, faults: Faults, session: requests.Session | None = None):
        """Tell of what happens in *store*."""
        self._store, self._faults = store, faults
        self._session = session or requests.Session()
        self._session.trust_env = False
        self._one_round = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="exchange-push", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the end, once the store is closed."""
        if self._thread.is_alive():
            self._thread.join(5)
        self._session.close()

    def _run(self) -> None:
        while not self._store.closed:
            with self._store.changed:
                if not self._due():
                    self._store.changed.wait(_SLICE_S)
            if not self._store.closed:
                self.deliver()

    def deliver(self) -> None:
        """Call everybody whom there is something to tell."""
        with self._one_round:
            for found in self._due():
                if self._faults.take(found.mailbox, "subscription_lost"):
                    self._lose(found)
                    continue
                with self._store.lock:
                    text, after = notification(self._store, found, found.seen)
                status = self._call(found, soap.success("SendNotification", text))
                with self._store.transaction():
                    self._take(found, status, after)

    def _lose(self, found: Subscription) -> None:
        """Say that events were lost, and forget who wanted them."""
        refusal = Refused("ErrorReadEventsFailed", values={"SubscriptionId": found.id})
        self._call(found, soap.failure("SendNotification", refusal))
        with self._store.transaction():
            self._store.world.subscriptions.pop(found.id, None)

    def _due(self) -> list[Subscription]:
        with self._store.lock:
            now_s = self._store.now_s()
            return [
                one
                for one in self._store.world.subscriptions.values()
                if one.kind == "push" and self._is_due(one, now_s)
            ]

    def _is_due(self, found: Subscription, now_s: int) -> bool:
        if found.retry_at_s:
            return now_s >= found.retry_at_s
        # The first call comes at once; later ones with news, or to say that there are none.
        quiet_s = now_s - found.told_at_s
        return quiet_s >= found.minutes * 60 or bool(since(self._store, found, found.seen))

    def _call(self, found: Subscription, message: str) -> str:
        body = (
            '<?xml version="1.0" encoding="utf-8"?>'
            '<soap11:Envelope xmlns:soap11="http://schemas.xmlsoap.org/soap/envelope/">'
            f'<soap11:Header><t:RequestServerVersion Version="Exchange2010_SP2" xmlns:t="{TYPES}"/>'
            f'</soap11:Header><soap11:Body><m:SendNotification xmlns:m="{MESSAGES}" '
            f'xmlns:t="{TYPES}"><m:ResponseMessages>{message}</m:ResponseMessages>'
            "</m:SendNotification></soap11:Body></soap11:Envelope>"
        )
        headers = {"Content-Type": soap.CONTENT_TYPE, "SOAPAction": _ACTION}
        try:
            answer = self._session.post(
                found.url,
                body.encode(),
                headers=headers,
                timeout=_TIMEOUT_S,
                allow_redirects=False,
            )
            return _status(answer)
        except requests.RequestException:
            return ""

    def _take(self, found: Subscription, status: str, after: int) -> None:
        subscriptions = self._store.world.subscriptions
        now_s = self._store.now_s()
        if status == "OK":
            found.seen, found.told_at_s = after, now_s
            found.retry_at_s = found.retry_after_s = 0
            return
        wait_s = found.retry_after_s or _FIRST_RETRY_S
        if status == "Unsubscribe" or wait_s > found.minutes * 60:
            subscriptions.pop(found.id, None)
            return
        found.retry_at_s, found.retry_after_s = now_s + wait_s, wait_s * 2


def _status(answer: requests.Response) -> str:
    """Return what the subscriber said, empty when it was not an answer."""
    if answer.status_code != 200:
        return ""
    try:
        root = etree.fromstring(
            answer.content, etree.XMLParser(resolve_entities=False, no_network=True)
        )
    except etree.XMLSyntaxError:
        return ""
    return root.findtext(f".//{{{MESSAGES}}}SubscriptionStatus") or ""
