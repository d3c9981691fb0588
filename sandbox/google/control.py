"""What scenarios steer and read: `/seed` and `/__state`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from flask import Blueprint, Response, current_app

from sandbox.stand_in import seeding
from sandbox.stand_in.calls import Call, Calls

from . import seed
from .bearer import state
from .errors import json_response

blueprint = Blueprint("google_control", __name__)


def _add_events(person: str, count: int, body: Mapping[str, Any]) -> tuple[str, int]:
    """Add to the primary calendar."""
    email = person.strip().lower()
    if email not in state().world.people:
        raise seeding.Refused(f"person must be one of {', '.join(state().world.people)}")
    return email, seed.add_generated(state(), email, count)


seeding.register(blueprint, _add_events)


@blueprint.get("/__state")
def show_state() -> Response:
    """Count calls, channels and tokens; no secret is shown."""
    world = state().world
    with state().lock:
        now = state().now()
        channels = [
            {"id": c.id, "person": c.email, "resource": c.watched, "messages": c.message_number}
            for c in world.channels.values()
            if c.expires_at > now
        ]
        body: dict[str, Any] = {
            "people": sorted(world.people),
            "events": {key: len(calendar.events) for key, calendar in world.calendars.items()},
            "channels": channels,
            "refresh_tokens": len(world.refresh_tokens),
            "access_tokens": sum(t.expires_at > now for t in world.access_tokens.values()),
        }
    calls = cast("Calls[Call]", current_app.extensions["calls"])
    body["calls"] = Counter(f"{call.method} {call.path}" for call in calls)
    body["faults"] = current_app.extensions["faults"].active()
    return json_response(body)
