"""Answers that are refused, cut, slow, or hostile, as a fault asks."""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Iterator
from functools import lru_cache

from sandbox.stand_in.faults import Active, Faults
from sandbox.stand_in.spoiled_bodies import Sleep, dripping, laughs, seconds_of

from . import soap
from .soap import BUSY_TEXT, CONTENT_TYPE, Refused, SoapFault
from .versions import Version
from .wire import Answer, Cut

_BUSY_S = 2.0
_HTML = "text/html; charset=utf-8"
_LOGIN = (
    b"<!DOCTYPE HTML><html><head><title>Outlook</title></head><body class='signInBg'>"
    b"<form action='/owa/auth.owa' method='POST' name='logonForm'><input name='username'>"
    b"<input type='password' name='password'><div class='signinbutton'>sign in</div></form>"
    b"</body></html>"
)
_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body>nginx<br></body></html>"
_FRONT = (
    "login_redirect login_page forbidden not_found login_timeout not_implemented bad_gateway "
    "server_error unavailable reset_before slow"
).split()
_SPOIL = (
    "reset_after truncated_body drip endless_body gzip_bomb truncated_xml control_characters "
    "byte_order_mark dtd"
).split()


def front(faults: Faults, person: str | None, agent: str, sleep: Sleep) -> Answer | None:
    """Apply a fault of what stands before the server; *person* is None before they signed in."""
    blocked = faults.style(person, "agent_blocked")
    if blocked and blocked.lower() in agent.lower():
        return Answer(403)
    # For one person's fault we must know who they are; one for everybody comes first.
    found = faults.find(person, *_FRONT)
    if found is None or found.person != person:
        return None
    found = faults.take(person, found.fault)
    if found is None:
        return None
    if found.fault == "slow":
        sleep(seconds_of(found))
        return None
    return _front_answer(found)


def _front_answer(found: Active) -> Answer:
    name, style = found.fault, found.params.get("style")
    if name == "login_redirect":
        path = "/ews/genericerrorpage.htm" if style == "error" else "/owa/auth/logon.aspx?replace=1"
        return Answer(302, headers=[("Location", path)])
    if name == "login_page":
        return Answer(200, _LOGIN, content_type=_HTML)
    if name == "bad_gateway":
        return Answer(502, _GATEWAY, content_type=_HTML)
    if name == "unavailable":
        wait = str(int(found.params.get("seconds", _BUSY_S)))
        return Answer(503, headers=[] if style == "bare" else [("Retry-After", wait)])
    if name == "reset_before":
        return Answer(200, _cut(b""), length=1)
    codes = {"forbidden": 403, "not_found": 404, "login_timeout": 440, "not_implemented": 501}
    return Answer(codes.get(name, 500))


def refusal(faults: Faults, person: str, version: Version, operation: str) -> Answer | None:
    """Apply a fault with which Exchange itself refuses."""
    found = faults.take(person, "busy", "fault", "response", "mailbox_moved")
    if found is None:
        return None
    style = str(found.params.get("style") or "")
    if found.fault == "busy":
        return _busy(found, style, version, operation)
    if found.fault == "fault":
        code = style or "ErrorInternalServerError"
        return Answer(500, soap.fault(SoapFault(code, "The operation failed.")))
    code = style or "ErrorMailboxMoveInProgress"
    return _response(Refused(code), version, operation)


def _busy(found: Active, style: str, version: Version, operation: str) -> Answer:
    milliseconds = str(int(float(found.params.get("seconds", _BUSY_S)) * 1000))
    if style == "status":
        wait = str(max(1, int(milliseconds) // 1000))
        return Answer(503, headers=[("Retry-After", wait)])
    values = {"BackOffMilliseconds": milliseconds}
    if style == "response":
        return _response(Refused("ErrorServerBusy", values=values), version, operation)
    if style == "inner":
        inner = {
            "InnerErrorMessageText": BUSY_TEXT,
            "InnerErrorResponseCode": "ErrorServerBusy",
            **values,
        }
        return _response(Refused("ErrorInternalServerError", values=inner), version, operation)
    return Answer(500, soap.fault(SoapFault("ErrorServerBusy", BUSY_TEXT, values)))


def _response(refused: Refused, version: Version, operation: str) -> Answer:
    message = soap.failure(operation, refused)
    return Answer(200, soap.envelope(version, soap.answer(operation, [message])))


def spoiled(faults: Faults, person: str, answer: Answer, sleep: Sleep) -> Answer:
    """Apply a fault that spoils a good answer."""
    body = answer.body
    if not isinstance(body, bytes) or answer.status != 200:
        return answer
    found = faults.take(person, *_SPOIL)
    if found is None:
        return answer
    name = found.fault
    if name == "reset_after":
        return Answer(200, _cut(b""), length=len(body))
    if name == "truncated_body":
        return Answer(200, _cut(body[: len(body) // 2]), length=len(body))
    if name == "drip":
        return Answer(200, dripping(body, seconds_of(found), sleep), length=len(body))
    if name == "endless_body":
        return Answer(200, _endless(body), close=True)
    if name == "gzip_bomb":
        headers = [("Content-Encoding", "gzip")]
        return Answer(200, _bomb(), headers, compress=False)
    return Answer(200, _damaged(name, body, found), content_type=CONTENT_TYPE)


def _damaged(name: str, body: bytes, found: Active) -> bytes:
    if name == "truncated_xml":
        return body[: len(body) // 2]
    if name == "control_characters":
        return body.replace(b"</t:Subject>", b"\x0b &#x1F;</t:Subject>")
    if name == "byte_order_mark":
        return b"\xef\xbb\xbf" + body
    return _dtd(str(found.params.get("style") or ""), body)


def _dtd(style: str, body: bytes) -> bytes:
    if style == "file":
        entities = '<!ENTITY j SYSTEM "file:///etc/hostname">'
    else:
        entities = laughs()
    head, _, rest = body.partition(b"?>")
    inside = rest.replace(b"</t:Subject>", b"&j;</t:Subject>").replace(
        b"</t:DisplayName>", b"&j;</t:DisplayName>"
    )
    return head + b"?>" + f"<!DOCTYPE s:Envelope [{entities}]>".encode() + inside


def _cut(body: bytes) -> Iterator[bytes]:
    if body:
        yield body
    raise Cut


def _endless(body: bytes) -> Iterator[bytes]:
    yield body.replace(b"</s:Envelope>", b"")
    while True:
        yield b"<!-- and so on -->" * 3640


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    """Return 1 GB of blanks in an envelope, as 1 MB of gzip."""
    head = gzip.compress(b'<?xml version="1.0"?><a>', 9)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [squeeze.compress(b" " * 1_048_576) for _ in range(64)]
    member = b"".join([*parts, squeeze.flush()])
    return head + member * 16


def real_sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def login_page() -> Answer:
    """Return the sign-in page of OWA."""
    return Answer(200, _LOGIN, content_type=_HTML)
