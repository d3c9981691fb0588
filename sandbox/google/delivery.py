"""How notifications reach an address over HTTP, and when they are sent again.

Google tries again, with growing waits, what was answered 500, 502, 503 or 504. No answer in time
counts as the last of these; every other failure loses the notification.
https://developers.google.com/workspace/calendar/api/guides/push
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Timer

import requests

log = logging.getLogger(__name__)

Post = Callable[[str, dict[str, str]], int]
Later = Callable[[float, Callable[[], None]], None]
"""Calls something after so many seconds."""

WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_TIMEOUT_S = 5
_TRIED_AGAIN = frozenset({500, 502, 503, 504})


def post(address: str, headers: dict[str, str]) -> int:
    """Send one notification; gives the answer's status. Raises RequestException."""
    answer = requests.post(
        address, data=b"", headers=headers, timeout=_TIMEOUT_S, allow_redirects=False
    )
    return answer.status_code


def in_background(wait_s: float, do: Callable[[], None]) -> None:
    """Do something in a thread that keeps no process alive."""
    timer = Timer(wait_s, do)
    timer.daemon = True
    timer.start()


class Courier:
    """Delivers in the background, and again what the receiver could not take."""

    def __init__(self, send: Post = post, later: Later = in_background) -> None:
        self._send = send
        self._later = later
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="google-push")

    def __call__(self, address: str, headers: dict[str, str]) -> None:
        """Deliver one notification soon."""
        self._pool.submit(self.attempt, address, headers)

    def attempt(self, address: str, headers: dict[str, str], tries: int = 0) -> None:
        """Try to deliver now; *tries* came before."""
        try:
            status = self._send(address, headers)
        except requests.Timeout:
            status = 504
        except requests.RequestException as problem:
            log.info("notification lost", extra={"reason": type(problem).__name__})
            return
        if status in _TRIED_AGAIN and tries < len(WAITS_S):
            self._later(WAITS_S[tries], lambda: self.attempt(address, headers, tries + 1))
