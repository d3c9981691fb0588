"""What a partner application may be allowed, and the words in which a person reads it.

`read_write` and its like are short for several basic scopes; they are stored and shown as
they were asked for, and expanded only where a permission is checked or explained.
"""

from __future__ import annotations

from collections.abc import Callable


def message(text: str) -> str:
    """Mark *text* for the translation catalogue; it is translated where it is shown."""
    return text


_FREE_BUSY = ("read_account", "list_calendars", "read_free_busy")
_OWN_EVENTS = ("create_event", "delete_event", "event_reminders")
_READ_ONLY = ("read_account", "list_calendars", "read_events", "read_free_busy")

SHORTHANDS: dict[str, tuple[str, ...]] = {
    "free_busy": _FREE_BUSY,
    "free_busy_write": (*_FREE_BUSY, *_OWN_EVENTS),
    "read_only": _READ_ONLY,
    "write_only": ("read_account", "list_calendars", *_OWN_EVENTS),
    "read_write": (*_READ_ONLY, *_OWN_EVENTS, "change_participation_status"),
}

# Older spellings that are still in READMEs and sample apps.
ALIASES = {
    "service_account/manage_accounts": "service_account/accounts/manage",
    "service_account/manage_resources": "service_account/resources/manage",
}

NAMING_CALENDARS = frozenset(
    {
        "create_calendar",
        "read_events",
        "read_free_busy",
        "create_event",
        "delete_event",
        "event_reminders",
        "change_participation_status",
    }
)
"""Scopes whose calls name calendars: each of them lets its holder list them."""

# The basic scopes, in the order in which people read about them. What applications write is
# told as what they may do: it is allowed now, for when we can do it.
_SENTENCES = {
    "read_events": message(
        "{application} can see your calendars and your events with their titles, places and "
        "guests. It cannot read your e-mail."
    ),
    "read_free_busy": message(
        "{application} can see when you are busy. It cannot see titles, places or guests."
    ),
    "list_calendars": message(
        "{application} can see the names of your calendars. It cannot see your events."
    ),
    "create_event": message(
        "{application} may add events to your calendars and change those. "
        "It cannot change events that it did not add."
    ),
    "delete_event": message(
        "{application} may delete events that it added. It cannot delete any others."
    ),
    "event_reminders": message(
        "{application} may set reminders for events that it added. "
        "It cannot change the reminders of your other events."
    ),
    "change_participation_status": message(
        "{application} may answer invitations for you. It cannot change the meetings themselves."
    ),
    "create_calendar": message(
        "{application} may add new calendars. It cannot rename or delete the ones you have."
    ),
    "read_account": message(
        "{application} can see your name and e-mail address. It never sees your password."
    ),
}

# What already says as much; the weaker sentence beside it would only confuse.
_SAID_BY = {
    "read_free_busy": frozenset({"read_events"}),
    "list_calendars": frozenset({"read_events"}),
    "event_reminders": frozenset({"create_event"}),
}

KNOWN = (*_SENTENCES, *SHORTHANDS)


def is_known(scope: str) -> bool:
    """Tell whether one scope, not a list of them, is one that we serve."""
    return scope in _SENTENCES or scope in SHORTHANDS


def normalise(scope: str) -> str:
    """Write a space-separated list in its one form: no repeats, first-seen order kept."""
    return " ".join(dict.fromkeys(ALIASES.get(part, part) for part in scope.split()))


def expand(scope: str) -> frozenset[str]:
    """Give every basic scope that a list amounts to.

    `read_events` includes `read_free_busy`, and whatever touches calendars includes
    `list_calendars`.
    """
    found: set[str] = set()
    for part in scope.split():
        found.update(SHORTHANDS.get(part, (ALIASES.get(part, part),)))
    if "read_events" in found:
        found.add("read_free_busy")
    if found & NAMING_CALENDARS:
        found.add("list_calendars")
    return frozenset(found)


def covers(granted: str, requested: str) -> bool:
    """Tell whether everything in *requested* is within *granted*."""
    return expand(requested) <= expand(granted)


def sentences(
    scope: str, application_name: str, translate: Callable[[str], str] = str
) -> list[str]:
    """Say what a list of scopes lets an application do, one whole sentence or two each.

    *translate* is given each sentence before the application's name goes into it.
    """
    asked = expand(scope)
    shown = [
        template
        for name, template in _SENTENCES.items()
        if name in asked and not asked & _SAID_BY.get(name, frozenset())
    ]
    return [translate(template).format(application=application_name) for template in shown]
