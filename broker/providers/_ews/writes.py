"""Saving and deleting events of applications: see `EventWriter`."""

from __future__ import annotations

from dataclasses import replace

from lxml import etree

from broker.domain import Busy, EventDraft, RemoteEvent
from broker.errors import EditConflict, ProtocolError, UserError
from broker.providers._ews.calendar_items import Series, read_item
from broker.providers._ews.create_item import CreateItem
from broker.providers._ews.delete_item import DeleteItem
from broker.providers._ews.faults import PROVIDER, ZoneUnknown
from broker.providers._ews.find_item import FindItem
from broker.providers._ews.get_item import GetItem
from broker.providers._ews.guests import Whom, invited, is_meeting, is_own_meeting
from broker.providers._ews.markup import T, checked_id
from broker.providers._ews.session import Session
from broker.providers._ews.update_item import UpdateItem


def save(session: Session, folder: str, draft: EventDraft, etag: str | None) -> RemoteEvent:
    """Create an event, or change the one that still has *etag*.

    Creating has no key of its own in EWS: after a lost answer the tag tells that it was done.
    """
    if any("@" not in person.email for person in draft.attendees or ()):
        raise UserError("event_refused")
    try:
        return _saved(session, folder, draft, etag)
    except ZoneUnknown:
        # What does not repeat takes place at the same time in every zone.
        return _saved(session, folder, replace(draft, tzid=None), etag)


def _saved(session: Session, folder: str, draft: EventDraft, etag: str | None) -> RemoteEvent:
    if etag is None:
        if session.call(FindItem(folder, draft.uid)):
            raise EditConflict("exists")
        remote_id = session.call(CreateItem(folder, draft))
    else:
        remote_id = _own_id(draft.remote_id) or _tagged(session, folder, draft.uid)
        _change(session, remote_id, draft, etag)
    item = _item(session, remote_id)
    if item is None:
        raise EditConflict("gone")
    return _single(item, remote_id)


def delete(session: Session, remote_id: str, etag: str | None) -> None:
    """Delete an event that still has *etag*, or whatever it is when None. Gone is done."""
    remote_id = _own_id(remote_id) or ""
    item = _item(session, remote_id)
    if item is None:
        return
    # Not every server compares the key of what it deletes.
    if etag not in {None, _change_key(item)}:
        raise EditConflict("changed")
    session.call(DeleteItem(remote_id, etag or "", cancels=is_own_meeting(item)))


def _change(session: Session, remote_id: str, draft: EventDraft, etag: str) -> None:
    """Make an event like a draft, and tell who is, or was, invited."""
    item = _item(session, remote_id)
    if item is None:
        raise EditConflict("gone")
    if item.findtext(f"{T}CalendarItemType", "Single") != "Single":
        raise UserError("event_not_editable")
    was_meeting = is_meeting(item)
    if was_meeting and (draft.attendees is None or not is_own_meeting(item)):
        raise UserError("event_not_editable")
    held = _single(item, remote_id)
    if held.etag != etag:
        raise EditConflict("changed")
    status = draft.transparent if draft.transparent != (held.busy is Busy.FREE) else None
    guests = tuple(invited(draft.attendees or (), item))
    whom = Whom.ALL if was_meeting or guests else Whom.NOBODY
    if whom is Whom.ALL and status is None and _same(held, draft):
        whom = Whom.CHANGED
    session.call(UpdateItem(remote_id, etag, draft, status, guests, whom))


def _same(held: RemoteEvent, draft: EventDraft) -> bool:
    """Tell whether a draft changes nothing that those who are invited already would see."""
    content, start, end = held.content, held.start, held.end
    return (content.summary, content.description, content.location or None, held.all_day) == (
        draft.summary,
        draft.description,
        draft.location or None,
        draft.all_day,
    ) and (start and start.at, end and end.at) == (draft.start, draft.end)


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


def _single(item: etree._Element, remote_id: str) -> RemoteEvent:
    try:
        event = read_item(item, remote_id)
    except (ValueError, LookupError, OverflowError) as error:
        raise ProtocolError(PROVIDER, "GetItem", 200, detail="event unreadable") from error
    return event.master if isinstance(event, Series) else event


def _change_key(item: etree._Element) -> str:
    own = item.find(f"{T}ItemId")
    return own.get("ChangeKey", "") if own is not None else ""
