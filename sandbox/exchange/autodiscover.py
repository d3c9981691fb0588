"""Autodiscover in its three forms (section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model import Person
from .wire import Answer, Request

if TYPE_CHECKING:
    from .front import Front


def answer(front: Front, request: Request, path: str) -> tuple[Person | None, Answer]:
    """Answer a request below /autodiscover/."""
    return None, Answer(404)
