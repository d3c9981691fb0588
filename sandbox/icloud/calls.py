"""The log of answered requests, for assertions; credentials are in it as digests only."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.stand_in import calls


@dataclass(frozen=True)
class Call(calls.Call):
    """One answered request; `person` is whose address it named, known or not.

    `report` is the root element of the body. `credential` says what it brought: `app` (a live
    app-specific password), `main` (the account's own password, which must never be sent),
    `wrong` or `none`. `authorization` is a digest of the header, empty without one.
    """

    host: str = ""
    report: str = ""
    credential: str = "none"
    authorization: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    """What was sent, without Authorization and Cookie."""


Calls = calls.Calls[Call]
