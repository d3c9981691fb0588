"""Why a connection is not well, in sentences for people."""

from __future__ import annotations

from collections.abc import Mapping

SENTENCES: Mapping[str, str] = {
    "authorization_lost": (
        "The calendar service no longer accepts this connection. Please connect the calendar again."
    ),
    "login_rejected": (
        "The calendar service refused the user name or password. "
        "Please connect the calendar again with the current password."
    ),
    "permission_missing": (
        "The connection lacks a permission that it needs. "
        "Please connect the calendar again and allow access to it."
    ),
    "not_permitted": (
        "The calendar service does not let this connection read the calendars. The person, or "
        "whoever looks after their account, can allow it there; we keep trying."
    ),
    "provider_unavailable": (
        "The calendar service cannot be reached at the moment. We keep trying; "
        "what is shown may be out of date."
    ),
    "server_moved": (
        "The calendar's server says that it has moved. Please connect the calendar again, so that "
        "it is found at its new address; what is shown may be out of date."
    ),
    "rate_limited": (
        "The calendar service asked us to slow down. We continue shortly; "
        "what is shown may be out of date."
    ),
    "calendar_gone": (
        "A calendar was deleted at the calendar service, or is no longer shared with this person."
    ),
    "unreadable_answer": (
        "The calendar service sent an answer that we could not read. We keep trying; "
        "what is shown may be out of date."
    ),
    "events_unreadable": (
        "Some events of a calendar are damaged at the calendar service, so they are missing or "
        "as they were before. All others are up to date."
    ),
    "configuration_refused": (
        "The calendar service refuses this installation. Its operator has to check the "
        "settings; the person need not do anything."
    ),
    "provider_not_configured": (
        "This installation is not set up for the calendar service at the moment. Its operator "
        "has to mend that; the person need not do anything."
    ),
    "held_back": (
        "Unusually many events would disappear at once. We ask the calendar service again "
        "before we believe it."
    ),
    "series_waiting": (
        "This calendar repeats unusually many events. We work through them bit by bit; "
        "until then some dates are missing or out of date."
    ),
}
_OTHER = "The calendars could not be updated. We keep trying; what is shown may be out of date."


def sentence(code: str) -> str:
    """Give the sentence for a reason code; a general one for a code without its own."""
    return SENTENCES.get(code, _OTHER)
