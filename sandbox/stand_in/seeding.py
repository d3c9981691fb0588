"""`POST /seed`: generated events, as many as a scenario wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request

MOST_SEEDED = 100_000

Adding = Callable[[str, int, Mapping[str, Any]], tuple[str, int]]
"""Takes person, number and the whole request; gives the person's address and what is there now."""


class Refused(ValueError):
    """A wish that cannot be met; the text says what is allowed."""


def register(blueprint: Blueprint, add: Adding) -> None:
    """Let `events` generated events be added to a calendar of `person` by *add*."""

    @blueprint.post("/seed")
    def seed() -> tuple[Response, int]:
        try:
            body = request.get_json(force=True, silent=True)
            if not isinstance(body, dict) or not isinstance(body.get("person"), str):
                raise Refused("send a JSON object with person and events")
            count = body.get("events")
            if isinstance(count, bool) or not isinstance(count, int):
                count = 0
            if not 1 <= count <= MOST_SEEDED:
                raise Refused(f"events must be a whole number from 1 to {MOST_SEEDED}")
            person, total = add(body["person"], count, body)
        except Refused as refusal:
            return jsonify({"error": str(refusal)}), 400
        return jsonify({"person": person, "added": count, "total": total}), 200
