"""Profiles as an application sees them."""

from __future__ import annotations

from sqlalchemy import select

from broker.models import Connection, Profile, reading
from broker.services import connections
from broker.services.runtime import Runtime


def linking_profile(runtime: Runtime, profile_id: str) -> dict[str, str] | None:
    """Describe a profile for a token answer; None when it is gone."""
    connection = reading().scalar(
        select(Connection)
        .join(Profile, Profile.connection_id == Connection.id)
        .where(Profile.id == profile_id)
    )
    if connection is None:
        return None
    provider = runtime.providers.get(connection.provider)
    return {
        "provider_name": provider.provider_name if provider else connection.provider,
        "profile_id": profile_id,
        "profile_name": connections.identity(runtime.vault, connection).profile_name,
        "provider_service": connection.service,
    }
