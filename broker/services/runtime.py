"""What every service works with: its first argument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from flask import current_app
from redis import Redis

from broker.clock import Clock
from broker.crypto import Vault
from broker.errors import ProviderMissing
from broker.http import Http
from broker.oauth_server.server import OAuthServer
from broker.providers.base import Provider
from broker.queues import TaskQueue
from broker.services.limits import Limits
from broker.settings import Settings


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts of a running broker, wired once in `create_app`.

    *providers* maps slugs to the providers that are configured. *redis* is for health only:
    tasks go through *queue*, counters through *limits*.
    """

    settings: Settings
    clock: Clock
    vault: Vault
    http: Http
    queue: TaskQueue
    redis: Redis
    limits: Limits
    providers: Mapping[str, Provider]
    oauth: OAuthServer

    def provider(self, slug: str) -> Provider:
        """Give the provider of a connection. Raises ProviderMissing when it is not configured."""
        found = self.providers.get(slug)
        if found is None:
            raise ProviderMissing(slug, "settings")
        return found


def current_runtime() -> Runtime:
    """Give the runtime of the app that handles this request, job or command."""
    return cast(Runtime, current_app.extensions["calbroker"])
