"""Which scope each call needs; those that come later are refused for a missing one already."""

from __future__ import annotations

from collections.abc import Mapping

from broker.errors import Forbidden
from broker.oauth_server.scopes import NAMING_CALENDARS, expand

ANY: frozenset[str] = frozenset()
"""Any valid token will do."""

NEEDS: Mapping[str, frozenset[str]] = {
    "account": ANY,
    "userinfo": ANY,
    "profiles": ANY,
    "revoke_profile": ANY,
    # Each scope that names calendars is of no use without their list.
    "calendars": NAMING_CALENDARS | {"list_calendars"},
    "events": frozenset({"read_events"}),
    "managed_events": ANY,
    "free_busy": frozenset({"read_free_busy", "read_events"}),
    "create_calendar": frozenset({"create_calendar"}),
    "create_event": frozenset({"create_event"}),
    "delete_event": frozenset({"delete_event"}),
    "change_participation_status": frozenset({"change_participation_status"}),
    # Their entries and filters decide.
    "batch": ANY,
    "channels": ANY,
    "link_tokens": ANY,
}
"""Call to the scopes of which one is enough."""

# Where more than one would do; others are called as their scope is.
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
        raise MissingScope(_NAMED.get(call, call))


def allows(scope: str, single: str) -> bool:
    """Tell whether *scope* (as granted) holds a single scope."""
    return single in expand(scope)
