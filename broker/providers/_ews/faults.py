"""What Exchange's refusals become. Their codes are in `meanings`, statuses in `statuses`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from lxml import etree

from broker.errors import (
    AuthorizationLost,
    BrokerError,
    CalendarGone,
    ConfigurationRefused,
    CursorExpired,
    EditConflict,
    PermissionMissing,
    ProtocolError,
    ProviderUnavailable,
    RateLimited,
    ServerMoved,
    UserError,
)
from broker.providers._ews.markup import SOAP, E, M, T, child_text
from broker.providers._ews.meanings import MEANINGS, Meaning
from broker.retry_after import bounded

PROVIDER = "exchange"
_T = TypeVar("_T")

ACCESS_REFUSED = "access refused"
MOVED = "mailbox is elsewhere"
SIGN_IN_PAGE = "sign-in page in front"
NOT_EWS = "not EWS"
TOO_NEW = "version not spoken"
TOO_MUCH = "asked for too much"
ITEM_GONE = "ErrorItemNotFound"
BATCH_STOPPED = "ErrorBatchProcessingStopped"


class ZoneUnknown(UserError):
    """The server has never heard of the zone that an event is meant in."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A refusal, read. *code* is a code that we know, or empty."""

    code: str
    wait: timedelta | None = None

    @property
    def meaning(self) -> Meaning:
        """What it asks of us; an unknown code is taken for our own mistake."""
        return MEANINGS.get(self.code, Meaning.BUG)


@dataclass(frozen=True, slots=True)
class Message:
    """One response message: what became of one object that was asked for."""

    element: etree._Element
    trouble: Trouble | None = None
    warning: bool = False


def messages_of(response: etree._Element) -> Iterator[Message]:
    """Read the response messages of an operation, in the order of what was asked for."""
    for found in response.iterfind(f"{M}ResponseMessages/*"):
        yield read_message(found)


def paired(
    asked: Sequence[_T], response: etree._Element, operation: str
) -> list[tuple[_T, Message]]:
    """Pair what was asked for with what became of it.

    Raises the error of the answer when it is one for all, and ProtocolError when something is
    missing.
    """
    messages = list(messages_of(response))
    if len(messages) == len(asked):
        return list(zip(asked, messages, strict=True))
    trouble = next((one.trouble for one in messages if one.trouble is not None), None)
    if trouble is not None:
        raise error_of(trouble, operation, 200)
    raise ProtocolError(PROVIDER, operation, 200, detail="answers missing")


def read_message(found: etree._Element) -> Message:
    """Read an element that bears class and code itself."""
    kind = found.get("ResponseClass", "Success")
    trouble = _trouble(found, f"{M}ResponseCode", f"{M}MessageXml") if kind != "Success" else None
    return Message(found, trouble, kind == "Warning")


def read_fault(body: etree._Element) -> Trouble | None:
    """Read the SOAP fault in a Body; None when there is none."""
    fault = body.find(f"{SOAP}Fault")
    if fault is None:
        return None
    detail = fault.find("detail")
    told = _trouble(detail, f"{E}ResponseCode", f"{T}MessageXml") if detail is not None else None
    if told is not None and told.code:
        return told
    named = (child_text(fault, "faultcode") or "").rpartition(":")[2]
    return Trouble(named if named in MEANINGS else "", told.wait if told else None)


def _trouble(holder: etree._Element, code_name: str, xml_name: str) -> Trouble:
    code = child_text(holder, code_name) or ""
    values: dict[str | None, str] = {}
    told = holder.find(xml_name)
    if told is not None:
        values = {value.get("Name"): value.text or "" for value in told.iter(f"{T}Value")}
    inner = values.get("InnerErrorResponseCode", "").strip()
    # A generic failure may hide what it is about.
    if inner in MEANINGS and MEANINGS.get(code) is not Meaning.BUSY:
        code = inner
    back_off = values.get("BackOffMilliseconds", "").strip()
    wait = bounded(timedelta(milliseconds=int(back_off[:12]))) if _is_number(back_off) else None
    return Trouble(code if code in MEANINGS else "", wait)


def error_of(trouble: Trouble, operation: str, status: int | None = None) -> BrokerError:
    """Make the error that a refusal means."""
    where = (PROVIDER, operation, status)
    if trouble.meaning is Meaning.BUSY:
        return RateLimited(*where, retry_after=trouble.wait, detail=trouble.code)
    return _ERRORS[trouble.meaning](*where, detail=trouble.code or "unknown response code")


def _elsewhere(provider: str, operation: str, status: int | None, *, detail: str) -> BrokerError:
    return ServerMoved(provider, operation, status, detail=MOVED)


def _conflict(*where: object, detail: str) -> BrokerError:
    return EditConflict(detail)


def _not_editable(*where: object, detail: str) -> BrokerError:
    return UserError("event_not_editable")


def _bad_event(*where: object, detail: str) -> BrokerError:
    return UserError("event_refused")


def _too_much(provider: str, operation: str, status: int | None, *, detail: str) -> BrokerError:
    return ProviderUnavailable(provider, operation, status, detail=TOO_MUCH)


def _zone_unknown(*where: object, detail: str) -> BrokerError:
    return ZoneUnknown("event_refused")


def _too_new(provider: str, operation: str, status: int | None, *, detail: str) -> BrokerError:
    return ProtocolError(provider, operation, status, detail=TOO_NEW)


_ERRORS: Mapping[Meaning, Callable[..., BrokerError]] = {
    Meaning.TRANSIENT: ProviderUnavailable,
    Meaning.FAILED: ProviderUnavailable,
    Meaning.TOO_MUCH: _too_much,
    Meaning.ELSEWHERE: _elsewhere,
    Meaning.REFUSED: AuthorizationLost,
    Meaning.FORBIDDEN: PermissionMissing,
    Meaning.FOLDER_GONE: CalendarGone,
    # For what reads a folder, a folder that cannot be found is an item like any other.
    Meaning.ITEM_GONE: CalendarGone,
    Meaning.NOBODY: ProtocolError,
    Meaning.STATE_DEAD: CursorExpired,
    Meaning.UNHEARD: ConfigurationRefused,
    Meaning.CONFLICT: _conflict,
    Meaning.NOT_EDITABLE: _not_editable,
    Meaning.BAD_EVENT: _bad_event,
    Meaning.ZONE_UNKNOWN: _zone_unknown,
    Meaning.TOO_NEW: _too_new,
    Meaning.BUG: ProtocolError,
}


def _is_number(told: str) -> bool:
    return told.isascii() and told.isdigit()
