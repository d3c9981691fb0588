"""A requests transport that calls a WSGI app in the same process.

Mount it in place of the wire: `Http(clock, mounts={"https://cal.example/": WsgiAdapter(app)})`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPHeaderDict, HTTPResponse
from werkzeug.test import EnvironBuilder, run_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_BODILESS = frozenset({204, 304})


class WsgiAdapter(BaseAdapter):
    """Sends requests to *app*; *calls* lists the method and URL of each.

    Whatever the app answers arrives as it would over a socket: repeated headers, compressed
    bodies, and a body shorter than its Content-Length, which breaks while it is read. An
    exception from the app comes out of `send`, so an app can play a lost connection.
    """

    def __init__(self, app: WSGIApplication) -> None:
        super().__init__()
        self.app = app
        self.calls: list[tuple[str, str]] = []

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Call the app and give its answer as an unread response."""
        method, url = request.method or "GET", request.url or ""
        self.calls.append((method, url))
        chunks, status, headers = run_wsgi_app(self.app, self._environ(request))
        code, _, reason = status.partition(" ")
        body = b"" if method == "HEAD" or int(code) in _BODILESS else _join(chunks)
        raw = HTTPResponse(
            body=BytesIO(body),
            headers=HTTPHeaderDict(list(headers)),
            status=int(code),
            reason=reason,
            request_method=method,
            request_url=url,
            preload_content=False,
            decode_content=False,
        )
        return self._response(request, raw)

    def close(self) -> None:
        """Hold nothing, so close nothing."""

    @staticmethod
    def _environ(request: requests.PreparedRequest) -> dict[str, Any]:
        parts = urlsplit(request.url or "")
        body = request.body or b""
        if not isinstance(body, str | bytes):
            body = b"".join(body)
        builder = EnvironBuilder(
            method=request.method or "GET",
            base_url=f"{parts.scheme}://{parts.netloc}/",
            query_string=parts.query,
            headers=[(name, _text(value)) for name, value in request.headers.items()],
            data=body.encode() if isinstance(body, str) else body,
        )
        environ: dict[str, Any] = builder.get_environ()
        builder.close()
        environ["PATH_INFO"] = unquote_to_bytes(parts.path or "/").decode("latin-1")
        environ["REQUEST_URI"] = environ["RAW_URI"] = request.path_url
        return environ

    def _response(self, request: requests.PreparedRequest, raw: HTTPResponse) -> requests.Response:
        response = requests.Response()
        response.status_code = raw.status
        response.reason = raw.reason or ""
        response.headers = CaseInsensitiveDict(raw.headers)
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.raw = raw
        response.url = request.url or ""
        response.request = request
        response.connection = self  # type: ignore[assignment]  # the stubs know one kind of adapter
        return response


def _join(chunks: Iterable[bytes]) -> bytes:
    try:
        return b"".join(chunks)
    finally:
        if callable(close := getattr(chunks, "close", None)):
            close()


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
