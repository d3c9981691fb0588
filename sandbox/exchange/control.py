"""What scenarios steer and read: `/seed` and `/__state`."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from flask import Blueprint, Response, current_app, jsonify, request

from . import seed
from .calls import Call, Calls
from .faults import Faults
from .state import ExchangeState

blueprint = Blueprint("exchange_control", __name__)

MOST_SEEDED = 100_000


def state() -> ExchangeState:
    """Return the state of the app that answers."""
    return cast(ExchangeState, current_app.extensions["exchange"])


@blueprint.post("/seed")
def add_events() -> tuple[Response, int]:
    """Add `events` generated events to the default calendar of `person`."""
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        return _refused("send a JSON object with person and events")
    person, count = body.get("person"), body.get("events")
    known = state().find_person(person) if isinstance(person, str) else None
    if known is None or not state().calendars(known.email):
        owners = (one for one in state().world.people if state().calendars(one))
        return _refused(f"person must be one of {', '.join(owners)}")
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_SEEDED:
        return _refused(f"events must be a whole number from 1 to {MOST_SEEDED}")
    total = seed.add_generated(state(), known.email, count)
    return jsonify({"person": known.email, "added": count, "total": total}), 200


def _refused(problem: str) -> tuple[Response, int]:
    return jsonify({"error": problem}), 400


@blueprint.get("/__state")
def show_state() -> dict[str, Any]:
    """Count requests by operation, wrong passwords and items; no secret is shown."""
    calls = cast("list[Call]", list(cast(Calls, current_app.extensions["calls"])))
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
