"""What scenarios steer and read: `/seed` and `/__state`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from flask import Blueprint, current_app

from sandbox.stand_in import seeding
from sandbox.stand_in.faults import Faults

from . import seed
from .calls import Calls
from .state import ExchangeState

blueprint = Blueprint("exchange_control", __name__)


def state() -> ExchangeState:
    """Return the state of the app that answers."""
    return cast(ExchangeState, current_app.extensions["exchange"])


def _add_events(person: str, count: int, body: Mapping[str, Any]) -> tuple[str, int]:
    """Add to the default calendar."""
    with state().transaction():
        known = state().find_person(person)
        if known is None or not state().calendars(known.email):
            owners = (one for one in state().world.people if state().calendars(one))
            raise seeding.Refused(f"person must be one of {', '.join(owners)}")
        return known.email, seed.add_generated(state(), known.email, count)


seeding.register(blueprint, _add_events)


@blueprint.get("/__state")
def show_state() -> dict[str, Any]:
    """Count requests by operation, wrong passwords and items; no secret is shown."""
    calls = cast(Calls, current_app.extensions["calls"])
    listening = current_app.extensions.get("listening")
    world = state().world
    with state().lock:
        return {
            "people": sorted(world.people),
            "events": {
                f"{folder.owner} {folder.name}": len(folder.items)
                for folder in world.folders.values()
                if folder.items
            },
            "mails": [
                {"method": m.method, "from": m.sender, "to": m.recipient} for m in world.mails
            ],
            "subscriptions": Counter(one.kind for one in world.subscriptions.values()),
            "bad_logons": {p.email: p.bad_logons for p in world.people.values() if p.bad_logons},
            "calls": Counter(c.operation or f"{c.method} {c.path}" for c in calls),
            "refused": Counter(c.scheme or "nobody" for c in calls if c.status == 401),
            "faults": cast(Faults, current_app.extensions["faults"]).active(),
            "url": listening.url if listening else None,
            "plain_port": listening.front.plain_port if listening else None,
        }
