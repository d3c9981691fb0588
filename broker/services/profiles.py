"""Profiles as an application sees them."""

from __future__ import annotations

from typing import cast

from sqlalchemy import bindparam, select

from broker.models import Connection, Profile, snapshot
from broker.models.base import table_of
from broker.models.ready import Ready
from broker.services import connections
from broker.services.runtime import Runtime

_P = table_of(Profile).c
_K = table_of(Connection).c

_CONNECTION = Ready(
    select(_K.id, _K.provider, _K.service, _K.wrapped_key, _K.sealed_identity)
    .join_from(table_of(Profile), table_of(Connection), _K.id == _P.connection_id)
    .where(_P.id == bindparam("profile_id"))
)


def linking_profile(runtime: Runtime, profile_id: str) -> dict[str, str] | None:
    """Describe a profile for a token answer; None when it is gone."""
    row = _CONNECTION.first(snapshot(), profile_id=profile_id)
    if row is None:
        return None
    provider = runtime.providers.get(row.provider)
    return {
        "provider_name": provider.provider_name if provider else row.provider,
        "profile_id": profile_id,
        "profile_name": connections.identity(runtime.vault, cast(Connection, row)).profile_name,
        "provider_service": row.service,
    }
