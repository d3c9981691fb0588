"""The providers, one line each; `configured` gives those that this deployment can offer."""

from __future__ import annotations

from collections.abc import Callable

from broker.clock import Clock
from broker.http import Http
from broker.providers.apple import Apple
from broker.providers.base import Provider
from broker.providers.caldav import CalDav
from broker.providers.exchange import Exchange
from broker.providers.exchange_push import CalledExchange
from broker.providers.google import Google
from broker.settings import Settings

Maker = Callable[[Http, Clock, Settings], Provider | None]

REGISTRY: dict[str, Maker] = {
    "google": lambda http, clock, s: Google(http, clock, s.google) if s.google else None,
    "apple": lambda http, clock, s: Apple(http, clock, s.apple),
    "exchange": lambda http, clock, s: (CalledExchange if s.exchange_push else Exchange)(
        http, clock
    ),
    "caldav": lambda http, clock, s: CalDav(http, clock),
}

SERVERS_NAMED_BY_PEOPLE = frozenset({"caldav", "exchange"})
"""Providers whose servers people name: an address may be mistyped, and an IT department rules."""

MAILBOXES = frozenset({"exchange"})
"""Providers whose calendars lie in a mailbox, which a good login may be without."""


def configured(http: Http, clock: Clock, settings: Settings) -> dict[str, Provider]:
    """Make the providers whose settings are there, in the order in which they are offered."""
    made = {slug: make(http, clock, settings) for slug, make in REGISTRY.items()}
    return {slug: provider for slug, provider in made.items() if provider is not None}
