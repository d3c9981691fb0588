"""Requests and answers between the server and what answers them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .ntlm import Handshake


@dataclass
class Connection:
    """What belongs to one TLS connection: NTLM signs in the connection, not the request."""

    binding: bytes = b""
    handshake: Handshake | None = None
    login: str = ""
    """Who signed in on it with NTLM."""


@dataclass(frozen=True)
class Request:
    """A request as it came. Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    connection: Connection
    secure: bool = True

    def header(self, name: str) -> str:
        """Return a header, empty when there is none."""
        return self.headers.get(name.lower(), "")


class Cut(Exception):
    """Raised by a body that ends with the connection."""


@dataclass
class Answer:
    """An answer; a body that is iterated is sent in chunks.

    *length* is a Content-Length to be claimed instead of the true one, or instead of chunks.
    """

    status: int
    body: bytes | Iterator[bytes] = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    content_type: str = "text/xml; charset=utf-8"
    close: bool = False
    length: int | None = None
    compress: bool = True
