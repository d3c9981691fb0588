"""Answers that are refused, cut, slow, or hostile, as a fault asks."""

from __future__ import annotations

from datetime import UTC, timedelta
from email.utils import format_datetime

from flask import Response

from sandbox.stand_in.faults import Active, Faults
from sandbox.stand_in.spoiled_bodies import cut, dripping, laughs, seconds_of, sleeping

from .context import state
from .wire import CONTENT_TYPE, DavError

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
        sleeping()(seconds_of(found))
        return None
    if found.fault == "reset_before":
        return Response(cut(), 207)
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
        return Response(cut(), answer.status_code)
    slow = found.fault == "drip"
    chunks = dripping(body, seconds_of(found), sleeping()) if slow else cut(body[: len(body) // 2])
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


def _laughs() -> str:
    return (
        f'<?xml version="1.0"?><!DOCTYPE multistatus [{laughs()}]>'
        '<multistatus xmlns="DAV:"><response><href>&j;</href></response></multistatus>'
    )
