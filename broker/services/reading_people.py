"""Whose account it is, its profiles, how they are doing, and their calendars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import bindparam, func, select

from broker.models import Calendar, Connection, Profile, Task, snapshot
from broker.models.base import table_of
from broker.models.ready import Ready
from broker.oauth_server.tokens import Bearer
from broker.services import connections, partner_ids, reasons, times
from broker.services.connections import Identity
from broker.services.reading_scopes import require
from broker.services.runtime import Runtime

Answer = dict[str, Any]

_P = table_of(Profile).c
_K = table_of(Connection).c
_C = table_of(Calendar).c
_T = table_of(Task).c
_SYNC = "sync_calendar"


class _ProfileRow(NamedTuple):
    """A profile with its connection: *id* is the connection's."""

    profile_id: str
    id: str
    provider: str
    access_mode: str
    service: str
    wrapped_key: bytes
    sealed_identity: bytes
    disconnected_reason: str | None
    reason: str | None
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    initial_sync_at: datetime | None


class _CalendarRow(NamedTuple):
    """A calendar, with its name still sealed."""

    connection_id: str
    id: str
    sealed_name: bytes
    tzid: str | None
    read_only: bool
    primary: bool
    deleted_at: datetime | None
    last_attempt_at: datetime | None
    synced_through: datetime | None
    reason: str | None
    held_back_at: datetime | None


_PROFILES = (
    select(
        _P.id,
        _K.id,
        _K.provider,
        _K.access_mode,
        _K.service,
        _K.wrapped_key,
        _K.sealed_identity,
        _K.disconnected_reason,
        _K.reason,
        _K.last_attempt_at,
        _K.last_success_at,
        _K.initial_sync_at,
    )
    .join_from(table_of(Profile), table_of(Connection), _K.id == _P.connection_id)
    .where(_P.account_id == bindparam("account_id"))
    .order_by(_P.created_at, _P.id)
)
_CALENDARS = (
    select(
        _C.connection_id,
        _C.id,
        _C.sealed_name,
        _C.tzid,
        _C.read_only,
        _C.primary,
        _C.deleted_at,
        _C.last_attempt_at,
        _C.synced_through,
        _C.reason,
        _C.held_back_at,
    )
    .join_from(table_of(Profile), table_of(Calendar), _C.connection_id == _P.connection_id)
    .where(_P.account_id == bindparam("account_id"))
    .order_by(_P.created_at, _P.id, _C.primary.desc(), _C.id)
)
_OWNER = Ready(
    select(_K.id, _K.wrapped_key, _K.sealed_identity, _C.primary, _C.tzid)
    .join_from(table_of(Profile), table_of(Connection), _K.id == _P.connection_id)
    .outerjoin(table_of(Calendar), (_C.connection_id == _K.id) & _C.deleted_at.is_(None))
    .where(_P.account_id == bindparam("account_id"))
    .order_by(_P.created_at, _P.id, _C.primary.desc(), _C.id)
)
_NEXT_DUE = (
    select(_C.connection_id, func.min(_T.due_at))
    .join_from(table_of(Profile), table_of(Calendar), _C.connection_id == _P.connection_id)
    .join(table_of(Task), (_T.subject_id == _C.id) & (_T.kind == _SYNC))
    .where(_P.account_id == bindparam("account_id"))
    .group_by(_C.connection_id)
)


def account(runtime: Runtime, bearer: Bearer) -> Answer:
    """Answer `/v1/account`; name and address are those of the oldest profile."""
    require(bearer.scope, "account")
    rows = _OWNER.all(snapshot(), account_id=bearer.account_id)
    who = _identity(runtime, rows[0]) if rows else None
    return {
        "account": {
            "account_id": bearer.account_id,
            "email": who.email if who else None,
            "name": who.display_name if who else None,
            "scope": bearer.scope,
            "default_tzid": _home_zone(rows),
        }
    }


def userinfo(runtime: Runtime, bearer: Bearer) -> Answer:
    """Answer `/v1/userinfo`, whose keys with a dot are flat."""
    require(bearer.scope, "userinfo")
    profiles = _profiles(bearer)
    calendars = _calendars(bearer)
    due = _next_due(bearer)
    who = _identity(runtime, profiles[0]) if profiles else None
    return {
        "sub": bearer.account_id,
        "email": who.email if who else None,
        "name": who.display_name if who else None,
        "zoneinfo": _home_zone(row for row in calendars if row.deleted_at is None),
        "cronofy.type": "account",
        "cronofy.data": {
            "authorization": {"scope": bearer.scope, "status": "active"},
            "profiles": [
                _profile(runtime, row, calendars, due)
                | {"profile_calendars": [item for _, item in _listed(runtime, row, calendars)]}
                for row in profiles
            ],
            "conferencing_profiles": [],
        },
    }


def profiles(runtime: Runtime, bearer: Bearer) -> Answer:
    """Answer `/v1/profiles`."""
    require(bearer.scope, "profiles")
    calendars, due = _calendars(bearer), _next_due(bearer)
    return {"profiles": [_profile(runtime, row, calendars, due) for row in _profiles(bearer)]}


def calendars(runtime: Runtime, bearer: Bearer) -> Answer:
    """Answer `/v1/calendars`. Raises MissingScope."""
    require(bearer.scope, "calendars")
    rows = _calendars(bearer)
    return {
        "sub": bearer.account_id,
        "calendars": [
            prefix | item
            for profile in _profiles(bearer)
            for prefix, item in _listed(runtime, profile, rows)
        ],
    }


def _profiles(bearer: Bearer) -> list[_ProfileRow]:
    return [_ProfileRow._make(row) for row in _execute(_PROFILES, bearer)]


def _calendars(bearer: Bearer) -> list[_CalendarRow]:
    return [_CalendarRow._make(row) for row in _execute(_CALENDARS, bearer)]


def _next_due(bearer: Bearer) -> dict[str, datetime]:
    return {row[0]: row[1] for row in _execute(_NEXT_DUE, bearer)}


def _execute(statement: Any, bearer: Bearer) -> Sequence[Any]:
    values = {"account_id": bearer.account_id}
    return snapshot().execute(statement, values).all()


def _home_zone(calendars: Iterable[Any]) -> str:
    """Guess the person's zone: a primary calendar's, or the most common.

    *calendars* are rows that have `primary` and `tzid`, those of the oldest profile first.
    """
    known = [(row.primary, row.tzid) for row in calendars if row.tzid is not None]
    primary = next((tzid for is_primary, tzid in known if is_primary), None)
    if primary is None:
        common = Counter(tzid for _, tzid in known).most_common(1)
        primary = common[0][0] if common else times.UTC_NAME
    return times.zone_name(primary)


def _identity(runtime: Runtime, row: Any) -> Identity:
    """Open whose login it is; *row* has the columns of a connection that this takes."""
    return connections.identity(runtime.vault, cast(Connection, row))


def _provider_name(runtime: Runtime, row: _ProfileRow) -> str:
    provider = runtime.providers.get(row.provider)
    return provider.provider_name if provider else row.provider


def _profile(
    runtime: Runtime,
    row: _ProfileRow,
    calendars: Iterable[_CalendarRow],
    due: Mapping[str, datetime],
) -> Answer:
    item: Answer = {
        "provider_name": _provider_name(runtime, row),
        "provider_service": row.service,
        "profile_id": row.profile_id,
        "profile_name": _identity(runtime, row).profile_name,
        "profile_connected": row.disconnected_reason is None,
        "profile_initial_sync_required": row.initial_sync_at is None,
    }
    if row.disconnected_reason is not None:
        item["profile_relink_url"] = f"{runtime.settings.public_url}/relink/{row.profile_id}"
    own = [calendar for calendar in calendars if calendar.connection_id == row.id]
    item["profile_sync"] = _health(row, own, due.get(row.id))
    return item


def _health(
    row: _ProfileRow, calendars: Sequence[_CalendarRow], due: datetime | None
) -> dict[str, str]:
    """Say how fresh the copy is, and why it is not well; what is unknown is left out."""
    live = [calendar for calendar in calendars if calendar.deleted_at is None]
    through = [calendar.synced_through for calendar in live if calendar.synced_through]
    stamps = {
        "synced_through": min(through) if through and len(through) == len(live) else None,
        "last_attempt": times.latest([row.last_attempt_at, *(one.last_attempt_at for one in live)]),
        "last_success": times.latest([row.last_success_at, *through]),
        "next_due": due if row.disconnected_reason is None else None,
    }
    found = {name: times.iso_of(at) for name, at in stamps.items() if at is not None}
    reason = row.disconnected_reason or row.reason or _calendar_reason(live)
    if reason is not None:
        found |= {"reason": reason, "reason_text": reasons.sentence(reason)}
    return found


def _calendar_reason(calendars: Iterable[_CalendarRow]) -> str | None:
    for calendar in calendars:
        if calendar.reason is not None:
            return calendar.reason
        if calendar.held_back_at is not None:
            return "held_back"
    return None


def _listed(
    runtime: Runtime, profile: _ProfileRow, calendars: Iterable[_CalendarRow]
) -> Iterable[tuple[Answer, Answer]]:
    """Yield the keys that name the profile, and the calendar's own, for each calendar."""
    vault = runtime.vault
    key = vault.data_key(profile.wrapped_key, connections.key_place(profile.id))
    prefix: Answer = {
        "provider_name": _provider_name(runtime, profile),
        "profile_id": profile.profile_id,
        "profile_name": _identity(runtime, profile).profile_name,
    }
    for row in calendars:
        if row.connection_id != profile.id:
            continue
        yield (
            prefix,
            {
                "calendar_id": partner_ids.calendar_id(vault, profile.profile_id, row.id),
                "calendar_name": connections.calendar_name(key, cast(Calendar, row)),
                "calendar_readonly": row.read_only,
                "calendar_deleted": row.deleted_at is not None,
                "calendar_primary": row.primary,
                # Events are not written yet, so nothing can be attached to them.
                "calendar_integrated_conferencing_available": False,
                "calendar_attachments_available": False,
                "permission_level": "sandbox",
            },
        )
