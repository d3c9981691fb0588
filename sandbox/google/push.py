"""Watch channels: opened, numbered, expired, and the notifications they send."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import urlsplit

from sandbox.stand_in.faults import Faults

from .delivery import Courier
from .errors import ApiError, invalid
from .model import Channel, Resource
from .store import Store

Deliver = Callable[[str, dict[str, str]], None]

_DEFAULT_LIFE, _LONGEST_LIFE = timedelta(days=7), timedelta(days=30)
_CHANNEL_ID = re.compile(r"[A-Za-z0-9\-_+/=]{1,64}")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Pusher:
    """Tells channels of changes: through `deliver` at once, or over HTTP in the background."""

    def __init__(self, store: Store, faults: Faults, deliver: Deliver | None = None) -> None:
        """Listen to the store. An own `deliver` is called in the changing thread."""
        self._store = store
        self._faults = faults
        self._deliver = deliver or Courier()
        store.on_change.append(self.announce)

    def announce(self, touched: set[str]) -> None:
        """Send `sync` on channels just opened, `exists` on those of what was touched."""
        with self._store.lock:
            channels = list(self._store.world.channels.values())
        for channel in channels:
            if f"opened:{channel.id}" in touched:
                self.send(channel, "sync")
            if channel.watched in touched:
                self.send(channel, "exists")

    def send(self, channel: Channel, state: str) -> None:
        """Send one notification, unless the channel has expired or a fault loses it."""
        if channel.expires_at <= self._store.now():
            return
        if state != "sync" and self._faults.take(channel.email, "lost_push"):
            return
        copies = 2 if self._faults.take(channel.email, "dup_push") else 1
        with self._store.lock:
            # Numbers grow but skip, as Google's documentation warns.
            channel.message_number += 1 if state == "sync" else 1 + channel.message_number % 3
            headers = notification(channel, state)
        for _ in range(copies):
            self._deliver(channel.address, headers)


def notification(channel: Channel, state: str) -> dict[str, str]:
    """Return the headers of a notification; its body is empty."""
    headers = {
        "User-Agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
        "Content-Length": "0",
        "X-Goog-Channel-ID": channel.id,
        "X-Goog-Channel-Expiration": format_datetime(
            channel.expires_at.astimezone(UTC).replace(microsecond=0), usegmt=True
        ),
        "X-Goog-Resource-ID": channel.resource_id,
        "X-Goog-Resource-URI": channel.resource_uri,
        "X-Goog-Resource-State": state,
        "X-Goog-Message-Number": str(channel.message_number),
    }
    if channel.token:
        headers["X-Goog-Channel-Token"] = channel.token
    return headers


def open_channel(
    store: Store, body: Resource, *, watched: str, uri: str, email: str, client_id: str
) -> Channel:
    """Register a channel. Raises ApiError 400 for a bad request, address or taken id."""
    _forget_expired(store)
    channel_id = str(body.get("id", ""))
    if body.get("type") not in ("web_hook", "webhook"):
        raise invalid("Unknown channel type.", "type")
    if not _CHANNEL_ID.fullmatch(channel_id) or len(str(body.get("token") or "")) > 256:
        raise invalid("Invalid channel.", "id")
    _check_address(str(body.get("address", "")))
    if channel_id in store.world.channels:
        raise ApiError(400, "channelIdNotUnique", f"Channel id {channel_id} not unique")

    channel = Channel(
        id=channel_id,
        resource_id=hashlib.sha256(f"{email} {watched}".encode()).hexdigest()[:26],
        resource_uri=uri,
        watched=watched,
        email=email,
        client_id=client_id,
        address=body["address"],
        expires_at=_expiry(body, store.now()),
        token=body.get("token"),
    )
    store.world.channels[channel_id] = channel
    store.touch_anything()
    return channel


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme != "http" or parts.hostname not in _LOOPBACK:
        raise ApiError(400, "push.webhookUrlNotHttps", f"WebHook callback must be HTTPS: {address}")


def _expiry(body: Resource, now: datetime) -> datetime:
    try:
        if body.get("expiration"):
            asked = datetime.fromtimestamp(int(body["expiration"]) / 1000, UTC)
        else:
            ttl_s = int(body.get("params", {}).get("ttl", _DEFAULT_LIFE.total_seconds()))
            asked = now + timedelta(seconds=ttl_s)
    except (ValueError, TypeError, OverflowError, AttributeError) as problem:
        raise invalid("Invalid expiration.", "expiration") from problem
    if asked <= now:
        raise invalid("Invalid expiration.", "expiration")
    return min(asked, now + _LONGEST_LIFE).replace(microsecond=0)


def _forget_expired(store: Store) -> None:
    now = store.now()
    for channel in list(store.world.channels.values()):
        if channel.expires_at <= now:
            del store.world.channels[channel.id]
