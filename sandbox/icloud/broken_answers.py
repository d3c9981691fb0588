"""Answers that are refused, cut, slow, or hostile, as a fault asks."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from email.utils import format_datetime

from flask import Response, current_app

from sandbox.google.faults import Active

from .context import state
from .faults import Faults
from .wire import CONTENT_TYPE, DavError

_DRIPS = 10
_PAUSE_S = 5.0
_RETRY_AFTER_S = 2
_STATUS = {"throttle_429": 429, "throttle_503": 503, "bare_403": 403, "server_error_500": 500}
_HTML = (
    "<!DOCTYPE HTML PUBLIC '-//IETF//DTD HTML 2.0//EN'>\n<html><head>"
    "<title>502 Bad Gateway</title></head>\n<body><h1>Bad Gateway</h1>"
    "<p>The server is <b>temporarily</b> unable to answer.<br></body></html>\n"
)
_XXE = (
    '<?xml version="1.0"?><!DOCTYPE multistatus [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    '<multistatus xmlns="DAV:"><response><href>/</href><propstat><prop><displayname>&x;'
    "</displayname></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"
)
_BEFORE = (*_STATUS, "html_error", "xxe", "billion_laughs", "reset_before", "slow")
_AFTER = ("drip", "truncated_body", "cut_xml", "reset_after")


def before(faults: Faults, person: str | None) -> Response | None:
    """Apply a fault that answers instead. Raises DavError for a refusal."""
    found = faults.take(person, *_BEFORE)
    if found is None:
        return None
    if found.fault in _STATUS:
        raise DavError(_STATUS[found.fault], headers=_retry_after(found))
    if found.fault == "html_error":
        return Response(_HTML, 502, content_type="text/html")
    if found.fault == "slow":
        _sleep(float(found.params.get("seconds", _PAUSE_S)))
        return None
    if found.fault == "reset_before":
        return Response(_cut(b""), 207)
    body = _XXE if found.fault == "xxe" else _laughs()
    return Response(body, 207, content_type=CONTENT_TYPE)


def after(faults: Faults, person: str, answer: Response) -> Response:
    """Apply a fault that spoils a good answer."""
    found = faults.take(person, *_AFTER)
    if found is None:
        return answer
    body = answer.get_data()
    if found.fault == "cut_xml":
        answer.set_data(body[: max(1, len(body) // 2)])
        return answer
    if found.fault == "reset_after":
        return Response(_cut(b""), answer.status_code)
    chunks = _dripping(body, found) if found.fault == "drip" else _cut(body[: len(body) // 2])
    spoiled = Response(chunks, answer.status_code, answer.headers)
    spoiled.headers["Content-Length"] = str(len(body))
    return spoiled


def _retry_after(fault: Active) -> dict[str, str]:
    style = fault.params.get("style")
    if style == "none" or not fault.fault.startswith("throttle"):
        return {}
    seconds = fault.params.get("seconds", _RETRY_AFTER_S)
    if style == "date":
        at = (state().now() + timedelta(seconds=seconds)).replace(microsecond=0)
        return {"Retry-After": format_datetime(at.astimezone(UTC), usegmt=True)}
    return {"Retry-After": str(int(seconds))}


def _sleep(seconds: float) -> None:
    sleep: Callable[[float], None] = current_app.config.get("SLEEP", time.sleep)
    sleep(seconds)


def _dripping(body: bytes, fault: Active) -> Iterator[bytes]:
    pause_s = float(fault.params.get("seconds", _PAUSE_S)) / _DRIPS
    sleep: Callable[[float], None] = current_app.config.get("SLEEP", time.sleep)

    def drip() -> Iterator[bytes]:
        size = max(1, -(-len(body) // _DRIPS))
        for begin in range(0, len(body), size):
            sleep(pause_s)
            yield body[begin : begin + size]

    return drip()


def _cut(body: bytes) -> Iterator[bytes]:
    """Yield what there is, then fail as a lost connection does."""
    if body:
        yield body
    raise ConnectionResetError(errno.ECONNRESET, "cut by a fault")


def _laughs() -> str:
    names = "abcdefghij"
    entities = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">'
        for before, name in zip(names, names[1:], strict=False)
    )
    return (
        f'<?xml version="1.0"?><!DOCTYPE multistatus [{entities}]>'
        '<multistatus xmlns="DAV:"><response><href>&j;</href></response></multistatus>'
    )
