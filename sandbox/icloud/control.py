"""What scenarios steer and read: `/seed` and `/__state`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from flask import Blueprint, current_app

from sandbox.stand_in import seeding

from . import seed
from .calls import Calls
from .context import faults, state

blueprint = Blueprint("icloud_control", __name__)


def _add_events(person: str, count: int, body: Mapping[str, Any]) -> tuple[str, int]:
    """Add to the first calendar, or to `calendar`."""
    known = state().find_person(person)
    if known is None:
        raise seeding.Refused(f"person must be one of {', '.join(state().world.people)}")
    calendar = body.get("calendar") or next(iter(known.home))
    if calendar not in known.home:
        raise seeding.Refused(f"calendar must be one of {', '.join(known.home)}")
    return known.email, seed.add_generated(state(), known.email, count, calendar)


seeding.register(blueprint, _add_events)


@blueprint.get("/__state")
def show_state() -> dict[str, Any]:
    """Count calls and events; no secret is shown."""
    world = state().world
    calls = cast(Calls, current_app.extensions["calls"])
    with state().lock:
        return {
            "people": sorted(world.people),
            "events": {key: len(one.objects) for key, one in world.calendars.items()},
            "mails": [
                {"method": m.method, "from": m.sender, "to": m.recipient} for m in world.mails
            ],
            "calls": Counter(f"{c.method} {c.report or c.path}" for c in calls),
            "main_passwords_received": sum(c.credential == "main" for c in calls),
            "faults": faults().active(),
        }
