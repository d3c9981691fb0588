"""A server that logs people in the way IIS does: NTLM on a connection, or Basic."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import spnego
from spnego.channel_bindings import GssChannelBindings

from tests.keeping_server import Reply, Request

USER, PASSWORD = "CORP\\ada", "sandbox-pässword"


@dataclass
class LoginServer:
    """Answers 200 to whoever logged in, and counts refused logins.

    *bindings* is what Extended Protection requires; *drops* ends the connection after the
    challenge.
    """

    schemes: list[str] = field(default_factory=lambda: ["Negotiate", "NTLM"])
    bindings: bytes | None = None
    drops: bool = False
    refused: int = 0
    seen: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        """Answer one request."""
        self.seen.append(request)
        if request.connection.get("user"):
            return Reply(200, request.connection["user"].encode())
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme == "Basic" and any(offer.startswith("Basic") for offer in self.schemes):
            return self._basic(token)
        if scheme in self.schemes:
            return self._ntlm(scheme, token, request.connection)
        return self._asks()

    def _asks(self) -> Reply:
        return Reply(401, b"who?", [("WWW-Authenticate", offer) for offer in self.schemes])

    def _basic(self, token: str) -> Reply:
        name, _, password = base64.b64decode(token).decode().partition(":")
        if (name, password) == (USER, PASSWORD):
            return Reply(200, name.encode())
        self.refused += 1
        return self._asks()

    def _ntlm(self, scheme: str, token: str, connection: dict[str, Any]) -> Reply:
        message = base64.b64decode(token)
        if message[8] == 1:
            bindings = GssChannelBindings(application_data=self.bindings) if self.bindings else None
            connection["context"] = context = spnego.server(
                protocol="ntlm",
                channel_bindings=bindings,
                options=spnego.NegotiateOptions.use_ntlm,
            )
            challenge = base64.b64encode(context.step(message) or b"").decode()
            header = ("WWW-Authenticate", f"{scheme} {challenge}")
            return Reply(401, b"", [header], closes=self.drops)
        try:
            context = connection["context"]
            context.step(message)
        except (KeyError, spnego.exceptions.SpnegoError):
            self.refused += 1
            return self._asks()
        connection["user"] = str(context.client_principal)
        return Reply(200, connection["user"].encode())


def known_users(folder: Path) -> dict[str, str]:
    """Write the acceptor's users; gives the environment that it wants."""
    place = folder / "users"
    place.write_text(USER.replace("\\", ":") + f":{PASSWORD}\n", encoding="utf-8")
    return {"NTLM_USER_FILE": str(place), "LM_COMPAT_LEVEL": "5"}
