"""Provider notifications in: believed only with their secret, answered at once."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from broker.services import push_messages
from broker.services.runtime import current_runtime

BODY_CAP_BYTES = 64 * 1024


def blueprint() -> Blueprint:
    """Make the blueprint of the addresses that providers call."""
    hooks = Blueprint("hooks", __name__)
    hooks.post("/hooks/<slug>/<subscription_id>")(receive)
    hooks.post("/hooks/<slug>/<subscription_id>/<token>")(receive)
    return hooks


def receive(slug: str, subscription_id: str, token: str = "") -> ResponseReturnValue:
    """Take a notification: it causes an early sync and nothing else."""
    request.max_content_length = BODY_CAP_BYTES
    message = push_messages.Message(
        subscription_id, dict(request.headers), request.get_data(cache=False), token
    )
    reply = push_messages.receive(current_runtime(), slug, message)
    return reply.body, reply.status, {"Content-Type": reply.content_type}
