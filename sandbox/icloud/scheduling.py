"""The mails that iCloud sends when meetings are stored or deleted (RFC 6638)."""

from __future__ import annotations

from . import ical
from .ical import Component, Line
from .model import Mail, Person
from .store import Store

_SILENT = ("CLIENT", "NONE")


def stored(store: Store, person: Person, text: str) -> None:
    """Note what storing an object would send: invitations, or an answer to the organizer."""
    _note(store, person, text, "REQUEST")


def deleted(store: Store, person: Person, text: str) -> None:
    """Note what deleting an object would send: cancellations, or a refusal."""
    _note(store, person, text, "CANCEL")


def _note(store: Store, person: Person, text: str, method: str) -> None:
    try:
        part = ical.events(ical.parse(text))[0]
    except (ValueError, IndexError):
        return
    organizer = part.line("ORGANIZER")
    if organizer is None:
        return
    own = {person.email, *person.aliases}
    if _address(organizer) in own:
        for attendee in part.all("ATTENDEE"):
            if _address(attendee) not in own:
                _send(store, method, person, attendee, part)
    else:
        _send(store, "REPLY", person, organizer, part)


def _send(store: Store, method: str, person: Person, to: Line, part: Component) -> None:
    if to.params.get("SCHEDULE-AGENT", "SERVER").upper() not in _SILENT:
        mail = Mail(method, person.email, _address(to), part.value("UID"))
        store.world.mails.append(mail)


def _address(line: Line) -> str:
    return line.value.lower().removeprefix("mailto:")
