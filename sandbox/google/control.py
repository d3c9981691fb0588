"""What scenarios steer and read: `/seed` and `/__state`."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from flask import Blueprint, Response, current_app, request

from . import seed
from .bearer import state
from .calls import Calls
from .errors import json_response

blueprint = Blueprint("google_control", __name__)

MOST_SEEDED = 100_000


@blueprint.post("/seed")
def add_events() -> Response:
    """Add `events` generated events to the primary calendar of `person`."""
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        return _refused("send a JSON object with person and events")
    person, count = body.get("person"), body.get("events")
    if not isinstance(person, str) or person.strip().lower() not in state().world.people:
        return _refused(f"person must be one of {', '.join(state().world.people)}")
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_SEEDED:
        return _refused(f"events must be a whole number from 1 to {MOST_SEEDED}")
    total = seed.add_generated(state(), person, count)
    return json_response({"person": person.strip().lower(), "added": count, "total": total})


def _refused(problem: str) -> Response:
    return json_response({"error": problem}, 400)


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
    calls = cast(Calls, current_app.extensions["calls"])
    body["calls"] = Counter(f"{call.method} {call.path}" for call in calls)
    body["faults"] = current_app.extensions["faults"].active()
    return json_response(body)
