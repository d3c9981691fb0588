"""EWS: one SOAP request in, one answer out."""

from __future__ import annotations

from lxml import etree

from sandbox.stand_in.faults import Faults

from . import schema, soap, zones
from .context import Context
from .model import Person
from .operations import OPERATIONS, Streamed
from .soap import SOAP, Element, Refused, SoapFault, T
from .store import Store
from .versions import SCHEMAS, USUAL, VERSIONS, Version
from .wire import Answer

_IMPERSONATION = f"{T}ExchangeImpersonation/{T}ConnectingSID"
_ZONE = f"{T}TimeZoneContext/{T}TimeZoneDefinition"


def server_version(faults: Faults) -> Version:
    """Return which Exchange this is now."""
    return VERSIONS.get(faults.style(None, "version", "Exchange2007_SP1"), USUAL)


def operation_name(body: bytes) -> str:
    """Return the name of the operation that a request asks for, empty when it cannot be read."""
    try:
        found = soap.parse(body).find(f"{SOAP}Body")
    except SoapFault:
        return ""
    return etree.QName(found[0]).localname if found is not None and len(found) else ""


def answer(store: Store, faults: Faults, account: Person, body: bytes) -> Answer:
    """Carry a request out for who signed in."""
    version = server_version(faults)
    try:
        context = _context(store, faults, version, account, body)
        operation = etree.QName(context.operation).localname
        with store.transaction():
            answered = OPERATIONS[operation](context)
    except SoapFault as found:
        return Answer(500, soap.fault(found))
    except Refused as refusal:
        return Answer(500, soap.fault(SoapFault(refusal.code, refusal.text, refusal.values)))
    if isinstance(answered, Streamed):
        return Answer(200, answered.body, close=True)
    return Answer(200, soap.envelope(version, answered))


def _context(
    store: Store, faults: Faults, version: Version, account: Person, body: bytes
) -> Context:
    root = soap.parse(body)
    header, inside = root.find(f"{SOAP}Header"), root.find(f"{SOAP}Body")
    asked = _asked(header, version)
    if inside is None or len(inside) != 1:
        raise SoapFault("ErrorInvalidRequest", "The request has no operation.")
    operation = inside[0]
    name = etree.QName(operation)
    since = _SINCE.get(name.localname, "Exchange2007")
    if name.localname not in OPERATIONS or not version.knows(since):
        raise schema.unknown(operation)
    schema.check(operation, asked)
    caller = _impersonated(header, store, faults, account)
    zone = header.find(_ZONE) if header is not None else None
    zone_name = zone.get("Id", "") if zone is not None else "UTC"
    if zone_name not in zones.NAMES:
        raise SoapFault("ErrorTimeZone", "The time zone is not known to this server.")
    return Context(store, faults, version, asked, account, caller, operation, zone_name)


_SINCE = {
    "GetRoomLists": "Exchange2010",
    "GetRooms": "Exchange2010",
    "GetServerTimeZones": "Exchange2010",
    "GetStreamingEvents": "Exchange2010_SP1",
}


def _asked(header: Element | None, version: Version) -> str:
    found = header.find(f"{T}RequestServerVersion") if header is not None else None
    asked = found.get("Version", "") if found is not None else "Exchange2007_SP1"
    # Exchange2013_SP1 and later are told apart by features, not refused by name.
    if asked not in SCHEMAS or not version.knows(asked):
        raise SoapFault(
            "ErrorInvalidServerVersion",
            "The specified server version is invalid.",
        )
    return asked


def _impersonated(header: Element | None, store: Store, faults: Faults, account: Person) -> Person:
    found = header.find(_IMPERSONATION) if header is not None else None
    if found is None or not len(found):
        return account
    kind, text = etree.QName(found[0]).localname, (found[0].text or "").strip()
    wanted = store.find_person(text) if kind != "SID" else None
    if kind == "PrincipalName":
        people = store.world.people.values()
        wanted = next((one for one in people if one.upn.lower() == text.lower()), None)
        if wanted is None:
            raise SoapFault("ErrorInvalidUserPrincipalName", "The UPN is not valid.")
    if wanted is None or wanted.kind in ("service", "list"):
        raise SoapFault(
            "ErrorNonExistentMailbox",
            "The SMTP address has no mailbox associated with it.",
        )
    allowed = account.may_impersonate
    if not allowed:
        raise SoapFault(
            "ErrorImpersonationDenied", "The account does not have permission to impersonate."
        )
    denied = faults.take(wanted.email, "impersonation_denied")
    if denied or not ({"*", wanted.email} & set(allowed)):
        raise SoapFault(
            "ErrorImpersonateUserDenied",
            "The account does not have permission to impersonate the requested user.",
        )
    return wanted
