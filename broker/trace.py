"""The trace of a login: which steps were taken where, and how each ended.

The connection doctor tells from it what a person is to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from broker.laps import Lap

LOOKUP = "lookup"
"""The operation of a step that asked DNS for more than addresses."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the trace: what was tried where, and how it ended. Carries no secret.

    *outcome* is the status of the answer, or the name of what went wrong. *secure* is False
    for plain http. *laps* says how many of the *milliseconds* went into the connection.
    *offered* are the ways to log in that an answer of 401 named, *tried* is the one that was used.
    *refused* marks a login that its server refused, and has counted.
    """

    operation: str
    host: str
    outcome: str
    milliseconds: int
    secure: bool = True
    laps: Mapping[Lap, int] = field(default_factory=dict)
    offered: tuple[str, ...] = ()
    tried: str = ""
    refused: bool = False


def mark_refused(steps: list[Step] | None) -> None:
    """Mark the login that was tried last as refused; without a trace nobody counts."""
    for at in reversed(range(len(steps or ()))):
        if steps is not None and steps[at].tried:
            steps[at] = replace(steps[at], refused=True)
            return
