"""Guarding typed logins: the form can neither lock an account nor guess passwords.

Refusals are counted per login, per client address and per application (security.md C4). The
counters hold digests, so that Redis names nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import urlsplit

from broker.domain import Login
from broker.errors import LoginRejected
from broker.services.limits import Limits

PAUSE = timedelta(minutes=15)
PER_LOGIN = 5
PER_ADDRESS = 20
PER_APPLICATION = 200


class Guard:
    """Counts the refusals of one submission."""

    def __init__(
        self, limits: Limits, login: Login, *, client_address: str, application_id: str
    ) -> None:
        self._limits = limits
        self._keys = {
            f"login:{_server(login.url)}:{login.username.strip().lower()}": PER_LOGIN,
            f"login_from:{client_address}": PER_ADDRESS,
            f"login_for:{application_id}": PER_APPLICATION,
        }

    def check(self) -> None:
        """Raise TooManyRequests while too many refusals are on the count."""
        for key, limit in self._keys.items():
            self._limits.check(key, limit=limit, per=PAUSE)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count a refused login; other failures say nothing about the password."""
        try:
            yield
        except LoginRejected:
            for key in self._keys:
                self._limits.count(key, per=PAUSE)
            raise


def _server(url: str) -> str:
    """Name the server that an address leads to: another path there is no other mailbox."""
    text = url.strip().lower()
    try:
        host = urlsplit(text if "://" in text else f"//{text}").hostname
    except ValueError:
        host = None
    return (host or text).rstrip(".")
