"""What scenarios steer and read: `/seed` and `/__state`."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from flask import Blueprint, Response, current_app, jsonify, request

from . import seed
from .calls import Call, Calls
from .context import faults, state

blueprint = Blueprint("icloud_control", __name__)

MOST_SEEDED = 100_000


@blueprint.post("/seed")
def add_events() -> tuple[Response, int]:
    """Add `events` generated events to the first calendar of `person`, or to `calendar`."""
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        return _refused("send a JSON object with person and events")
    person, count = body.get("person"), body.get("events")
    known = state().find_person(person) if isinstance(person, str) else None
    if known is None:
        return _refused(f"person must be one of {', '.join(state().world.people)}")
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_SEEDED:
        return _refused(f"events must be a whole number from 1 to {MOST_SEEDED}")
    calendar = body.get("calendar") or next(iter(known.home))
    if calendar not in known.home:
        return _refused(f"calendar must be one of {', '.join(known.home)}")
    total = seed.add_generated(state(), known.email, count, calendar)
    return jsonify({"person": known.email, "added": count, "total": total}), 200


def _refused(problem: str) -> tuple[Response, int]:
    return jsonify({"error": problem}), 400


@blueprint.get("/__state")
def show_state() -> dict[str, Any]:
    """Count calls and events; no secret is shown."""
    world = state().world
    calls = cast("list[Call]", list(cast(Calls, current_app.extensions["calls"])))
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
