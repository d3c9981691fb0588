"""Bodies that come slowly, stop, or grow, as faults ask."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator

from flask import current_app

from .faults import Active

_DRIPS = 10
_PAUSE_S = 5.0

Sleep = Callable[[float], None]


def sleeping() -> Sleep:
    """Give what waits so many seconds: the app's `SLEEP`, or really."""
    sleep: Sleep = current_app.config.get("SLEEP", time.sleep)
    return sleep


def seconds_of(fault: Active) -> float:
    """Tell how long a slow fault takes: its `seconds`, or 5."""
    return float(fault.params.get("seconds", _PAUSE_S))


def dripping(body: bytes, seconds: float, sleep: Sleep) -> Iterator[bytes]:
    """Yield a body piece by piece, over so many seconds."""
    size = max(1, -(-len(body) // _DRIPS))
    for begin in range(0, len(body), size):
        sleep(seconds / _DRIPS)
        yield body[begin : begin + size]


def cut(body: bytes = b"") -> Iterator[bytes]:
    """Yield what there is, then fail as a lost connection does: headers too, where it is empty."""
    if body:
        yield body
    raise ConnectionResetError(errno.ECONNRESET, "cut by a fault")


def laughs() -> str:
    """Write the declarations of an XML entity `j` that grows to two billion letters."""
    names = "abcdefghij"
    return '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">'
        for before, name in zip(names, names[1:], strict=False)
    )
