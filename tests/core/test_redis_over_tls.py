"""Redis over TLS: its certificate is checked unless the operator says that nobody signs it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisGone

from app import create_app
from broker.services.runtime import Runtime
from broker.settings import Settings
from tests.tls_server import Authority
from tests.world import make_settings


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A server that answers as Redis does, with a certificate that nobody knows."""
    context = Authority(tmp_path).issue("somewhere.else.example")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, context), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        plain.settimeout(5)
        try:
            with context.wrap_socket(plain, server_side=True) as connection:
                while commands := connection.recv(65536):
                    is_first = b"HELLO" in commands
                    answer = b"%1\r\n+proto\r\n:3\r\n" if is_first else b"+PONG\r\n"
                    connection.sendall(answer * commands.count(b"*"))
        except OSError:
            plain.close()


def runtime(folder: Path, **changed: object) -> Runtime:
    settings: Settings = make_settings(folder, **changed)
    made: Runtime = create_app(settings).extensions["calbroker"]
    return made


def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path, port: int) -> None:
    ours = runtime(tmp_path, redis_url=f"rediss://127.0.0.1:{port}/0")

    with pytest.raises(RedisGone, match="CERTIFICATE_VERIFY_FAILED"):
        ours.redis.ping()


def test_the_operator_may_have_it_taken(tmp_path: Path, port: int) -> None:
    url = f"rediss://127.0.0.1:{port}/0"
    ours = runtime(tmp_path, redis_url=url, redis_certificate_checked=False)

    assert ours.redis.ping()
    ours.redis.close()


def test_without_tls_there_is_nothing_to_take(tmp_path: Path) -> None:
    ours = runtime(tmp_path, redis_url="redis://127.0.0.1:1/0", redis_certificate_checked=False)

    with pytest.raises(RedisGone):
        ours.redis.ping()
