"""CalDAV requests and what their refusals mean (RFC 4791, RFC 4918, RFC 6578)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from functools import partial
from typing import Generic, Protocol, TypeVar
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from broker.clock import Clock
from broker.domain import Window
from broker.errors import (
    AuthorizationLost,
    CalendarGone,
    ProtocolError,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
)
from broker.http import DEADLINE, Answer, Call, Http
from broker.logins import PasswordCredential
from broker.providers._multistatus import (
    Multistatus,
    Resource,
    UnreadableXml,
    has_precondition,
    read_responses,
)
from broker.retry_after import retry_after

BODY_CAP_BYTES = 20 * 1024 * 1024

_NAMESPACES = (
    ' xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"'
    ' xmlns:cs="http://calendarserver.org/ns/" xmlns:a="http://apple.com/ns/ical/"'
)
_SCHEME_AND_HOST = re.compile(r"[^/]+//[^/]+")


class Gathering(Protocol):
    """Keeps of each resource in an answer what is needed, and lets go of the rest."""

    def take(self, item: Resource) -> None:
        """Look at the next resource."""
        ...


_Kind = TypeVar("_Kind", bound=Gathering)


@dataclass(frozen=True, slots=True)
class Gathered(Generic[_Kind]):
    """What was kept of an answer, and its sync token (RFC 6578 section 3.2)."""

    found: _Kind
    sync_token: str | None


class _Whole(list[Resource]):
    """Keeps everything: for answers about a few things."""

    def take(self, item: Resource) -> None:
        self.append(item)


def propfind(*names: str) -> bytes:
    """Ask for properties by their prefixed names: `d:`, `c:`, `cs:`, `a:`."""
    props = "".join(f"<{name}/>" for name in names)
    return _document("d:propfind", f"<d:prop>{props}</d:prop>")


def sync_collection(token: str) -> bytes:
    """Ask what changed since *token*; empty asks for everything (RFC 6578 section 3.2)."""
    return _document(
        "d:sync-collection",
        f"<d:sync-token>{escape(token)}</d:sync-token><d:sync-level>1</d:sync-level>"
        "<d:prop><d:getetag/></d:prop>",
    )


def calendar_query(window: Window) -> bytes:
    """Ask which objects have an occurrence in *window* (RFC 4791 section 7.8).

    A day is added at each side: floating and all-day events have no instant at the server.
    """
    start, end = (
        f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        for at in (window.start - timedelta(days=1), window.end + timedelta(days=1))
    )
    return _document(
        "c:calendar-query",
        '<d:prop><d:getetag/></d:prop><c:filter><c:comp-filter name="VCALENDAR">'
        f'<c:comp-filter name="VEVENT"><c:time-range start="{start}" end="{end}"/>'
        "</c:comp-filter></c:comp-filter></c:filter>",
    )


def calendar_multiget(paths: Iterable[str]) -> bytes:
    """Ask for objects by path (RFC 4791 section 7.9)."""
    hrefs = "".join(f"<d:href>{escape(path)}</d:href>" for path in paths)
    return _document(
        "c:calendar-multiget", f"<d:prop><d:getetag/><c:calendar-data/></d:prop>{hrefs}"
    )


def _document(name: str, content: str) -> bytes:
    # Some servers refuse a document that does not begin with its first byte.
    text = f'<?xml version="1.0" encoding="utf-8"?><{name}{_NAMESPACES}>{content}</{name}>'
    return text.encode()


@dataclass(slots=True)
class Dav:
    """One login at one server; *provider* names it in errors.

    Only paths are asked for: whatever host an answer names, the password stays with the one
    of the credential's address. *guarded* says that a person chose that address.
    """

    http: Http
    clock: Clock
    credential: PasswordCredential
    provider: str = "caldav"
    guarded: bool = True

    def send(
        self,
        operation: str,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        depth: int | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: timedelta = DEADLINE,
        gather: Callable[[], Gathering] | None = None,
    ) -> Answer:
        """Make one request and give its answer whatever the status.

        The body is XML unless *headers* say otherwise. With *gather*, which makes a place to
        put things, a multistatus is read while it arrives: see `gathered`.
        """
        if not path.startswith("/"):
            # Behind the host's name it would make another host of it.
            raise ProtocolError(self.provider, operation, detail="not a path")
        origin = _SCHEME_AND_HOST.match(self.credential.url)
        user, password = self.credential.username, self.credential.password
        return self.http.call(
            Call(
                self.provider,
                operation,
                method,
                f"{origin[0] if origin else ''}{path}",
                headers={**_headers(body, depth), **(headers or {})},
                body=body,
                # requests would write Latin-1; RFC 7617 section 2.1 servers expect UTF-8.
                auth=(_utf8(user), _utf8(password)),
                deadline=deadline,
                cap_bytes=BODY_CAP_BYTES,
                guarded=self.guarded,
                reading=partial(_gathered, gather, path) if gather is not None else None,
            )
        )

    def multistatus(
        self, operation: str, method: str, path: str, body: bytes, *, depth: int
    ) -> Multistatus:
        """Make one request that must be answered by a multistatus.

        Raises the ProviderError that the answer means.
        """
        answer = self.send(operation, method, path, body, depth=depth, gather=_Whole)
        whole = self.gathered(operation, answer, _Whole)
        return Multistatus(whole.found, whole.sync_token)

    def gathered(
        self, operation: str, answer: Answer, kind: Callable[[], _Kind]
    ) -> Gathered[_Kind]:
        """Give what a request sent with `gather=kind` brought.

        Raises the ProviderError that the answer means when it is no multistatus.
        """
        if answer.status != 207:
            raise self.refusal(operation, answer)
        if isinstance(answer.read, UnreadableXml):
            detail = str(answer.read)
            raise ProtocolError(self.provider, operation, 207, detail=detail) from answer.read
        gathered: Gathered[_Kind] = answer.read
        return gathered

    def refusal(self, operation: str, answer: Answer) -> ProviderError:
        """Say what an answer that is no multistatus means.

        A bare 403 on reading is often a limit on requests, so it never ends a connection.
        """
        status = answer.status
        if status == 401:
            return AuthorizationLost(self.provider, operation, status)
        if status in {404, 410}:
            return CalendarGone(self.provider, operation, status)
        if status in {429, 503}:
            wait = retry_after(answer.headers, self.clock.now())
            return RateLimited(self.provider, operation, status, retry_after=wait)
        if status >= 500:
            return ProviderUnavailable(self.provider, operation, status)
        if status == 403:
            return ProviderUnavailable(self.provider, operation, status, detail="access refused")
        return ProtocolError(self.provider, operation, status, detail="not a multistatus")


def is_token_refused(answer: Answer) -> bool:
    """Tell whether a sync-collection was refused for its token.

    RFC 6578 section 3.2 says 403 with an element; servers are known to send the element with
    any status, or one of these statuses without it. Starting again is safe in all of them.
    """
    if answer.status in {400, 403, 405, 409, 410, 412, 501}:
        return True
    return answer.status != 207 and has_precondition(answer.body, "valid-sync-token")


def path_of_url(url: str) -> str:
    """Give the path to ask for, of an absolute address."""
    return urlsplit(url).path or "/"


def _gathered(
    kind: Callable[[], _Kind], path: str, chunks: Iterator[bytes]
) -> Gathered[_Kind] | UnreadableXml:
    found = kind()
    try:
        return Gathered(found, read_responses(chunks, path, found.take))
    except UnreadableXml as error:
        return error


def _headers(body: bytes | None, depth: int | None) -> dict[str, str]:
    made = {"Accept": "text/xml, application/xml"}
    if body is not None:
        made["Content-Type"] = "application/xml; charset=utf-8"
    if depth is not None:
        made["Depth"] = str(depth)
    return made


def _utf8(text: str) -> str:
    return text.encode().decode("latin-1")
