"""The profile that a grant was given with: token answers describe it.

It is read along with the code or token that is presented, since on PostgreSQL each statement is
a round trip.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Join

from broker.models import Connection, Profile
from broker.models.base import table_of

_profiles = table_of(Profile)
_connections = table_of(Connection)

COLUMNS = (
    _profiles.c.id.label("profile_id"),
    _connections.c.id.label("connection_id"),
    _connections.c.provider,
    _connections.c.service,
    _connections.c.wrapped_key,
    _connections.c.sealed_identity,
)


@dataclass(frozen=True, slots=True)
class LinkedProfile:
    """A profile and what its connection tells of it; *id* is the connection's.

    Whose login it is is still sealed.
    """

    profile_id: str
    id: str
    provider: str
    service: str
    wrapped_key: bytes = field(repr=False)
    sealed_identity: bytes = field(repr=False)


def joined(grants: Join) -> Join:
    """Join the profile of each grant, where it is still there."""
    return grants.outerjoin(_profiles).outerjoin(_connections)


def of_row(row: Any) -> LinkedProfile | None:
    """Give the profile in a row that has COLUMNS; None when it is gone."""
    if row.connection_id is None:
        return None
    return LinkedProfile(
        row.profile_id,
        row.connection_id,
        row.provider,
        row.service,
        row.wrapped_key,
        row.sealed_identity,
    )
