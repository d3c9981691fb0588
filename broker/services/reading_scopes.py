"""Which scope each reading call needs."""

from __future__ import annotations

from collections.abc import Mapping

from broker.errors import Forbidden
from broker.oauth_server.scopes import expand

ANY: frozenset[str] = frozenset()
"""Any valid token will do."""

NEEDS: Mapping[str, frozenset[str]] = {
    "account": ANY,
    "userinfo": ANY,
    "profiles": ANY,
    "revoke_profile": ANY,
    # Each scope that names calendars is of no use without their list.
    "calendars": frozenset(
        {
            "list_calendars",
            "create_calendar",
            "read_events",
            "read_free_busy",
            "create_event",
            "delete_event",
            "event_reminders",
            "change_participation_status",
        }
    ),
    "events": frozenset({"read_events"}),
    "managed_events": ANY,
    "free_busy": frozenset({"read_free_busy", "read_events"}),
}
"""Call to the scopes of which one is enough."""

_NAMED = {"calendars": "list_calendars", "events": "read_events", "free_busy": "read_free_busy"}


class MissingScope(Forbidden):
    """The token is good, but lacks *scope* (RFC 6750 section 3.1)."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"the access token lacks the scope {scope}")
        self.scope = scope


def require(scope: str, call: str) -> None:
    """Raise MissingScope unless *scope* (space-separated, as granted) allows *call*."""
    enough = NEEDS[call]
    if enough and not enough & expand(scope):
        raise MissingScope(_NAMED[call])


def allows(scope: str, single: str) -> bool:
    """Tell whether *scope* (as granted) holds a single scope."""
    return single in expand(scope)
