"""The trace of a login: which steps were taken where, and how each ended.

The connection doctor tells from it what a person is to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from broker.certificates import Certificate
from broker.laps import Lap

LOOKUPS = frozenset({"SRV", "TXT", "MX"})
"""The operations of steps that asked DNS for more than addresses, by the kind of record."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the trace: what was tried where, and how it ended. Carries no secret.

    *outcome* is the status of the answer, or the name of what went wrong. *secure* is False
    for plain http. *laps* says how many of the *milliseconds* went into the connection.
    *offered* are the ways to log in that an answer of 401 named, *tried* is the one that was used.
    *refused* marks a login that its server refused, and has counted. *found* are the hosts that
    DNS named. *chain* is what the host showed of itself over TLS, where it is not as before.
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
    found: tuple[str, ...] = ()
    chain: tuple[Certificate, ...] = ()

    def details(self) -> list[str]:
        """Give what there is to tell, for those who read such things in English everywhere."""
        parts = (
            f"{self.operation} {self.host}".strip(),
            "" if self.secure else "http",
            self.tried,
            self.outcome,
            f"offers {', '.join(self.offered)}" if self.offered else "",
            f"names {', '.join(self.found)}" if self.found else "",
            f"{self.milliseconds} ms",
            *(f"certificate {one}" for one in self.chain),
        )
        return [part for part in parts if part]


def mark_refused(steps: list[Step] | None) -> None:
    """Mark the login that was tried last as refused; without a trace nobody counts."""
    for at in reversed(range(len(steps or ()))):
        if steps is not None and steps[at].tried:
            steps[at] = replace(steps[at], refused=True)
            return


def unseen(
    steps: Sequence[Step], host: str, chain: tuple[Certificate, ...]
) -> tuple[Certificate, ...]:
    """Give what a host showed, unless it was the same at an earlier step."""
    before = (step.chain for step in reversed(steps) if step.host == host and step.chain)
    return () if next(before, None) == chain else chain
