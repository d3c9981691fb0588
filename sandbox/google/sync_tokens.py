"""Sync and page tokens: opaque texts that remember what they were given out for."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import msgspec

from .errors import ApiError, invalid


class SyncToken(msgspec.Struct, array_like=True):
    """Where an incremental listing begins. `query` is a digest of the parameters."""

    resource: str
    email: str
    query: str
    epoch: int
    since: int


class PageToken(msgspec.Struct, array_like=True):
    """Where the next page begins: after `last`, the sort key of the last item given out."""

    resource: str
    email: str
    query: str
    sync_token: str | None
    began: int
    last: list[Any]


def digest(values: Any) -> str:
    """Return a short fingerprint of request parameters."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def encode(token: SyncToken | PageToken) -> str:
    """Write a token; the last character sums it up, so that made-up ones are noticed."""
    payload = msgspec.json.encode(token)
    mark = hashlib.sha256(payload).digest()[:6]
    return base64.urlsafe_b64encode(mark + payload).decode()


def _decode(text: str, kind: type[Any], name: str) -> Any:
    try:
        raw = base64.urlsafe_b64decode(text.encode())
        if hashlib.sha256(raw[6:]).digest()[:6] == raw[:6]:
            return msgspec.json.decode(raw[6:], type=kind)
    except (ValueError, msgspec.DecodeError):
        pass
    raise invalid(f"Invalid {name} value.", name)


def read_sync(text: str, *, resource: str, email: str, query: str, epoch: int) -> SyncToken:
    """Read a sync token. Raises ApiError 400 or 410 when it does not belong or has expired."""
    token: SyncToken = _decode(text, SyncToken, "syncToken")
    if token.resource != resource or token.email != email or token.epoch != epoch:
        raise expired()
    if token.query != query:
        raise invalid("Sync token cannot be used with other request restrictions.", "syncToken")
    return token


def read_page(
    text: str, *, resource: str, email: str, query: str, sync_token: str | None
) -> PageToken:
    """Read a page token. Raises ApiError 400 unless everything else is as on the first page."""
    token: PageToken = _decode(text, PageToken, "pageToken")
    if (token.resource, token.email, token.query) != (resource, email, query):
        raise invalid("Invalid pageToken value.", "pageToken")
    if token.sync_token != (digest(sync_token) if sync_token else None):
        raise invalid("Page token must be used with the same sync token.", "pageToken")
    return token


def expired() -> ApiError:
    """Build the 410 that asks for a full synchronisation."""
    return ApiError(
        410,
        "fullSyncRequired",
        "Sync token is no longer valid, a full sync is required.",
        domain="calendar",
        location=("parameter", "syncToken"),
    )
