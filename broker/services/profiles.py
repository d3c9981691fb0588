"""Profiles as an application sees them."""

from __future__ import annotations

from typing import cast

from broker.models import Connection
from broker.oauth_server.linked_profile import LinkedProfile
from broker.services import connections
from broker.services.runtime import Runtime


def linking_profile(runtime: Runtime, profile: LinkedProfile) -> dict[str, str]:
    """Describe a profile for a token answer."""
    provider = runtime.providers.get(profile.provider)
    who = connections.identity(runtime.vault, cast(Connection, profile))
    return {
        "provider_name": provider.provider_name if provider else profile.provider,
        "profile_id": profile.profile_id,
        "profile_name": who.profile_name,
        "provider_service": profile.service,
    }
