"""Health: each part is asked, none is believed."""

from __future__ import annotations

from flask import Blueprint, request
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
    """Tell each part's state: 200 when all are well, 503 when one is not.

    `forwarded` counts the proxies that this very request came through and that say so, which
    is what TRUSTED_PROXIES has to be; `flask doctor` compares them.
    """
    parts = health.check(current_runtime())
    well = all(state == "ok" for state in parts.values())
    body = {
        "status": "ok" if well else "degraded",
        "parts": parts,
        "forwarded": len(_forwarded()),
    }
    return json_answer(body, 200 if well else 503)


def _forwarded() -> list[str]:
    # ProxyFix reads this header and leaves it as it came.
    return [hop for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
