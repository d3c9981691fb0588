"""The log of answered requests, for assertions; credentials are not in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.stand_in import calls


@dataclass(frozen=True)
class Call(calls.Call):
    """One answered request; `person` is who signed in, None for nobody.

    `operation` is the EWS operation, also of requests that were refused. `scheme` is that of the
    Authorization header in lower case, empty without one; `host` is the Host header.
    """

    operation: str = ""
    scheme: str = ""
    host: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    """What was sent, without Authorization and Cookie."""


class Calls(calls.Calls[Call]):
    """The last 10,000 calls, oldest first. Behaves as a sequence of `Call`."""

    def operations(self, person: str | None = None, *, answered: bool = True) -> list[str]:
        """Return the EWS operations in order; without those that only met a challenge (401)."""
        return [
            call.operation
            for call in self
            if call.operation
            and person in (None, call.person)
            and not (answered and call.status == 401)
        ]
