"""A mailbox made of prepared XML, behind an endpoint that answers as Exchange does."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from werkzeug.wrappers import Response

from broker.clock import FixedClock
from broker.http import Http
from broker.logins import PasswordCredential
from broker.providers.exchange import Exchange, ExchangeClient
from tests.providers.ews_samples import answer, item, message, synced
from tests.wsgi_adapter import WsgiAdapter

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
HOST = "https://mail.contoso.example"
CREDENTIAL = PasswordCredential(
    f"{HOST}/EWS/Exchange.asmx", "ada", "secret", ("ada@contoso.example",), dialect="Basic"
)
XML = "text/xml; charset=utf-8"
_ASKED = re.compile(rb'<t:ItemId Id="([^"]*)"')
_OPERATION = re.compile(rb"<soap:Body><m:(\w+)")

Answering = Callable[[bytes], bytes | Response]


@dataclass
class Mailbox:
    """*items* by id, and pages of SyncFolderItems, the last of which comes again and again."""

    items: dict[str, str] = field(default_factory=dict)
    pages: list[bytes] = field(default_factory=list)
    instead: dict[str, Answering] = field(default_factory=dict)
    asked: list[tuple[str, bytes]] = field(default_factory=list)

    def client(self, clock: FixedClock | None = None) -> ExchangeClient:
        """Give the view of the one login that there is."""
        clock = clock or FixedClock(NOW)
        http = Http(clock, mounts={f"{HOST}/": WsgiAdapter(self)})
        return Exchange(http, clock).client(CREDENTIAL)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        body = environ["wsgi.input"].read()
        match = _OPERATION.search(body)
        name = match[1].decode() if match else ""
        self.asked.append((name, body))
        made = self.instead.get(name, getattr(self, f"_{name.lower()}", None))
        found = made(body) if made else Response(status=500)
        if isinstance(found, bytes):
            found = Response(found, content_type=XML)
        return found(environ, start_response)

    def names(self) -> list[str]:
        """Give the names of what was asked."""
        return [name for name, _ in self.asked]

    def _syncfolderitems(self, body: bytes) -> bytes:
        return self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]

    def _getitem(self, body: bytes) -> bytes:
        return answer("GetItem", *map(self.message, asked_for(body)))

    def message(self, remote_id: str) -> str:
        """Answer for one id."""
        content = self.items.get(remote_id)
        if content is None:
            return message("GetItem", "<m:Items/>", "ErrorItemNotFound", "Error")
        return message("GetItem", f"<m:Items>{content}</m:Items>")


def asked_for(body: bytes) -> list[str]:
    """Give the ids in a request."""
    return [found.decode() for found in _ASKED.findall(body)]


def single(remote_id: str, hour: int = 13, day: int = 24) -> str:
    """Write a single event in November 2026."""
    return item(
        f"<t:Subject>{remote_id}</t:Subject><t:Start>2026-11-{day}T{hour}:00:00Z</t:Start>"
        f"<t:End>2026-11-{day}T{hour + 1}:00:00Z</t:End><t:CalendarItemType>Single"
        "</t:CalendarItemType>",
        remote_id,
        f"Key{remote_id}",
    )


def created(*ids: str, content: str = "") -> str:
    """Write changes that say that items are there."""
    return "".join(f"<t:Create>{item(content, one)}</t:Create>" for one in ids)


def last_page(*ids: str, state: str = "S1") -> bytes:
    """Write the only page of a listing."""
    return synced(state, created(*ids))
