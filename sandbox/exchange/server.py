"""A threaded HTTP/1.1 server over TLS that keeps its connections, one thread for each."""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .certificates import Credentials
from .wire import Answer, Connection, Cut, Request

_MOST_BYTES = 32 * 1024 * 1024
_IDLE_S = 120.0
_GZIP_FROM_BYTES = 1024
_GONE = (ConnectionError, ssl.SSLError, TimeoutError, Cut)


class Server(ThreadingHTTPServer):
    """Listens on one port; *answer* is asked for every request.

    *credentials* is asked at each new connection; without it the server speaks plain HTTP.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self,
        port: int,
        answer: Callable[[Request], Answer],
        credentials: Callable[[], Credentials] | None = None,
    ) -> None:
        """Listen on the loopback address; port 0 takes a free one."""
        self.answer = answer
        self.credentials = credentials
        self._open: set[socket.socket] = set()
        self._workers: set[threading.Thread] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.02,), name="exchange", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def start(self) -> Server:
        """Begin to answer, in threads of its own."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop, and cut what is still connected."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        with self._guard:
            connections, workers = list(self._open), list(self._workers)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for worker in workers:
            worker.join(5)

    def note(self, connection: socket.socket) -> None:
        """Know of a connection, to cut it at the end."""
        with self._guard:
            self._open.add(connection)

    def forget(self, connection: socket.socket) -> None:
        """No longer know of a connection."""
        with self._guard:
            self._open.discard(connection)

    @contextmanager
    def connected(self, connection: socket.socket) -> Iterator[None]:
        """Know of a connection while it lasts."""
        with self._guard:
            self._open.add(connection)
            self._workers.add(threading.current_thread())
        try:
            yield
        finally:
            with self._guard:
                self._open.discard(connection)
                self._workers.discard(threading.current_thread())

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one connection until it ends."""
        with self.connected(request):
            super().process_request_thread(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep lost connections out of the log."""
        if not isinstance(sys.exc_info()[1], _GONE):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    server: Server

    def version_string(self) -> str:
        return "Microsoft-IIS/10.0"

    def setup(self) -> None:
        self.connection_state = Connection()
        self.request.settimeout(_IDLE_S)
        self._tls: ssl.SSLSocket | None = None
        if self.server.credentials is not None:
            credentials = self.server.credentials()
            self.connection_state.binding = credentials.binding
            self._tls = self.request = credentials.context.wrap_socket(
                self.request, server_side=True
            )
            # The plain socket gave its place to this one: it is what can be cut.
            self.server.note(self._tls)
        super().setup()

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        if self._tls is not None:
            self.server.forget(self._tls)
            self._tls.close()

    def handle(self) -> None:
        with suppress(*_GONE):
            super().handle()

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            self._send(Answer(413, close=True))
            return
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(
            self.command,
            path,
            query,
            headers,
            body,
            self.connection_state,
            secure=self._tls is not None,
        )
        self._send(self.server.answer(request))

    do_GET = do_POST = do_HEAD = do_OPTIONS = do_PUT = do_DELETE = _serve

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            return None
        if "100-continue" in self.headers.get("Expect", "").lower():
            self.send_response_only(100)
            self.end_headers()
        return self.rfile.read(int(length))

    def _send(self, answer: Answer) -> None:
        body, headers = answer.body, list(answer.headers)
        if isinstance(body, bytes):
            if answer.compress and self._takes_gzip() and len(body) >= _GZIP_FROM_BYTES:
                body = gzip.compress(body, 1)
                headers.append(("Content-Encoding", "gzip"))
            length = len(body) if answer.length is None else answer.length
            headers.append(("Content-Length", str(length)))
        elif answer.length is not None:
            headers.append(("Content-Length", str(answer.length)))
        else:
            headers.append(("Transfer-Encoding", "chunked"))
        if answer.close:
            headers.append(("Connection", "close"))
        self.send_response(answer.status)
        if body or answer.status == 200:
            self.send_header("Content-Type", answer.content_type)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            self._write(body, chunked=answer.length is None)
        except Cut:
            self._reset()
        if answer.close:
            self.close_connection = True

    def _write(self, body: bytes | Iterator[bytes], *, chunked: bool) -> None:
        if isinstance(body, bytes):
            self.wfile.write(body)
            return
        for chunk in body:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if chunked else chunk)
            self.wfile.flush()
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _reset(self) -> None:
        """End the connection as a lost one ends, without a word."""
        self.wfile.flush()
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _takes_gzip(self) -> bool:
        return "gzip" in self.headers.get("Accept-Encoding", "")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing: addresses and names are in requests."""
