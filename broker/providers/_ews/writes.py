"""Saving and deleting events of applications: see `EventWriter`."""

from __future__ import annotations

from lxml import etree

from broker.domain import Busy, EventDraft, RemoteEvent
from broker.errors import EditConflict, ProtocolError, UserError
from broker.providers._ews.calendar_items import Series, read_item
from broker.providers._ews.create_item import CreateItem
from broker.providers._ews.delete_item import DeleteItem
from broker.providers._ews.faults import PROVIDER
from broker.providers._ews.find_item import FindItem
from broker.providers._ews.get_item import GetItem
from broker.providers._ews.markup import T, checked_id
from broker.providers._ews.session import Session
from broker.providers._ews.update_item import UpdateItem


def save(session: Session, folder: str, draft: EventDraft, etag: str | None) -> RemoteEvent:
    """Create an event, or change the one that still has *etag*.

    Creating has no key of its own in EWS: after a lost answer the tag tells that it was done.
    """
    if etag is None:
        if session.call(FindItem(folder, draft.uid)):
            raise EditConflict("exists")
        remote_id = session.call(CreateItem(folder, draft))
    else:
        remote_id = _own_id(draft.remote_id) or _tagged(session, folder, draft.uid)
        held = _editable(session, remote_id)
        if held.etag != etag:
            raise EditConflict("changed")
        was_free = held.busy is Busy.FREE
        status = draft.transparent if draft.transparent != was_free else None
        session.call(UpdateItem(remote_id, etag, draft, status))
    item = _item(session, remote_id)
    if item is None:
        raise EditConflict("gone")
    return _single(item, remote_id)


def delete(session: Session, remote_id: str, etag: str | None) -> None:
    """Delete an event that still has *etag*, or whatever it is when None. Gone is done."""
    remote_id = _own_id(remote_id) or ""
    if etag is not None:
        item = _item(session, remote_id)
        if item is None:
            return
        if _change_key(item) != etag:
            raise EditConflict("changed")
    session.call(DeleteItem(remote_id))


def _own_id(remote_id: str | None) -> str | None:
    """Give the id of an event that is no occurrence of a series."""
    if remote_id is None:
        return None
    if "#" in remote_id:
        raise UserError("event_not_editable")
    try:
        return checked_id(remote_id)
    except ValueError as error:
        raise EditConflict("not an id") from error


def _tagged(session: Session, folder: str, tag: str) -> str:
    found = session.call(FindItem(folder, tag))
    if not found:
        raise EditConflict("gone")
    return found[0]


def _item(session: Session, remote_id: str) -> etree._Element | None:
    return session.call(GetItem((remote_id,))).items.get(remote_id)


def _editable(session: Session, remote_id: str) -> RemoteEvent:
    item = _item(session, remote_id)
    if item is None:
        raise EditConflict("gone")
    if item.findtext(f"{T}CalendarItemType", "Single") != "Single":
        raise UserError("event_not_editable")
    if item.findtext(f"{T}IsMeeting") == "true":
        raise UserError("event_not_editable")
    return _single(item, remote_id)


def _single(item: etree._Element, remote_id: str) -> RemoteEvent:
    try:
        event = read_item(item, remote_id)
    except (ValueError, LookupError, OverflowError) as error:
        raise ProtocolError(PROVIDER, "GetItem", 200, detail="event unreadable") from error
    return event.master if isinstance(event, Series) else event


def _change_key(item: etree._Element) -> str:
    own = item.find(f"{T}ItemId")
    return own.get("ChangeKey", "") if own is not None else ""
