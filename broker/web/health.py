"""Health: each part is asked, none is believed."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from broker.services import health
from broker.services.runtime import current_runtime
from broker.web.errors import json_answer


def blueprint() -> Blueprint:
    """Make the blueprint of /health."""
    parts = Blueprint("health", __name__)
    parts.get("/health")(show)
    return parts


def show() -> ResponseReturnValue:
    """Tell each part's state: 200 when all are well, 503 when one is not."""
    parts = health.check(current_runtime())
    well = all(state == "ok" for state in parts.values())
    return json_answer(
        {"status": "ok" if well else "degraded", "parts": parts}, 200 if well else 503
    )
