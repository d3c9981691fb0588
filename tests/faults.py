"""A WSGI middleware that plays a server's bad days."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

HTML = b"<html><body><h1>It works!</h1><br></body></html>"
DTD_BOMB = b"""<?xml version="1.0"?><!DOCTYPE multistatus [<!ENTITY a "ha">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<multistatus xmlns="DAV:"><sync-token>&c;</sync-token></multistatus>"""


@dataclass
class Fault:
    """One bad answer. *applies* chooses the requests, *times* how many (None: all).

    *make* builds the answer from the good one, or instead of it.
    """

    make: Callable[[Response], Response]
    applies: Callable[[dict[str, Any]], bool] = lambda environ: True
    times: int | None = None


@dataclass
class Faulty:
    """Wraps *app*; `faults` are tried in order, and each request gets the first that applies."""

    app: WSGIApplication
    faults: list[Fault] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        fault = next((f for f in self.faults if f.times != 0 and f.applies(environ)), None)
        if fault is None:
            return self.app(environ, start_response)
        if fault.times is not None:
            fault.times -= 1
        # The good answer is read in clear, so that it can be changed.
        environ = {k: v for k, v in environ.items() if k != "HTTP_ACCEPT_ENCODING"}
        chunks, status, headers = run_wsgi_app(self.app, environ, buffered=True)
        answer = fault.make(Response(b"".join(chunks), status, list(headers)))
        return answer(environ, start_response)

    def add(self, make: Callable[[Response], Response], **options: Any) -> Fault:
        """Switch a fault on."""
        fault = Fault(make, **options)
        self.faults.append(fault)
        return fault


def status(code: int, body: bytes = b"", **headers: str) -> Callable[[Response], Response]:
    """Answer with a status instead."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda good: Response(body, code, named)


def body(content: bytes) -> Callable[[Response], Response]:
    """Answer with this multistatus instead."""
    return lambda good: Response(content, 207, content_type="text/xml")


def replaced(*pairs: tuple[bytes, bytes]) -> Callable[[Response], Response]:
    """Change parts of the good body."""

    def make(good: Response) -> Response:
        content = good.get_data()
        for old, new in pairs:
            content = content.replace(old, new)
        return Response(content, good.status_code, content_type="text/xml")

    return make


def cut(good: Response) -> Response:
    """Send half a body of the right announced length, as a lost connection does."""
    content = good.get_data()
    answer = Response(content[: len(content) // 2], good.status_code, content_type="text/xml")
    answer.automatically_set_content_length = False
    answer.headers["Content-Length"] = str(len(content))
    return answer


def half(good: Response) -> Response:
    """Send half a body and say that it is the whole."""
    content = good.get_data()
    return Response(content[: len(content) // 2], good.status_code, content_type="text/xml")
