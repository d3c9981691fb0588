"""NTLM, verified by pyspnego: version 2 only, bound to the TLS connection (MS-NLMP, RFC 5929).

pyspnego takes its user file and its strictness from the environment of the process: they are
there only while it looks, under a lock.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import spnego
from spnego._ntlm_raw.messages import Authenticate, AvId, NTClientChallengeV2
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

PROTECTIONS = ("none", "allow", "require")
_LOCK = threading.Lock()
_SIGNATURE = b"NTLMSSP\0"
_NONE = b"\0" * 16


class Denied(Exception):
    """A handshake that failed. *name* is the account it named, empty when none was read.

    *counts* tells whether a domain controller would count it as a bad logon.
    """

    def __init__(self, name: str = "", *, counts: bool = False) -> None:
        super().__init__(name)
        self.name, self.counts = name, counts


class Handshake:
    """One handshake on one connection."""

    def __init__(self, users: Path, scheme: str, binding: bytes, protection: str) -> None:
        """Take the user file, `ntlm` or `negotiate`, the binding's data, and one of PROTECTIONS."""
        self._users = users
        self._binding = GssChannelBindings(application_data=binding)
        self._protection = protection
        with _environment(users):
            # Raw NTLM tokens under Negotiate are taken too, as IIS does.
            self._context = spnego.server(protocol=scheme, options=spnego.NegotiateOptions.use_ntlm)

    def step(self, token: bytes) -> tuple[bytes, str]:
        """Take the client's token; return ours, and the name of who is in once it is complete.

        Raises Denied.
        """
        name = ""
        try:
            bindings = None
            raw = _raw(token)
            if _is_authenticate(raw):
                name = _name(raw)
                bindings = self._bindings(raw, name)
            with _environment(self._users):
                answer = self._context.step(token, channel_bindings=bindings) or b""
        except SpnegoError as problem:
            raise Denied(name, counts=bool(name)) from problem
        except Exception as problem:
            # Whatever a token makes its readers do, nobody is signed in by it.
            raise Denied(name) from problem
        return answer, name if self._context.complete else ""

    def _bindings(self, token: bytes, name: str) -> GssChannelBindings | None:
        """Return what the acceptor has to compare. Raises Denied when one must be there."""
        given = _given_binding(token)
        if self._protection == "none" or (self._protection == "allow" and given is None):
            return None
        # pyspnego takes a binding of zeros for a right one; a real server does not.
        if given is None:
            raise Denied(name, counts=True)
        return self._binding


def write_users(path: Path, entries: list[tuple[str, str, str]]) -> None:
    """Write domain, name and password of everybody who may sign in, for this user only."""
    text = "".join(f"{domain}:{name}:{password}\n" for domain, name, password in entries)
    draft = path.with_suffix(f".{threading.get_ident()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


@contextmanager
def _environment(users: Path) -> Iterator[None]:
    wanted = {"NTLM_USER_FILE": str(users), "LM_COMPAT_LEVEL": "5"}
    with _LOCK:
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _raw(token: bytes) -> bytes:
    """Return the NTLM message that a Negotiate token carries, or the token itself."""
    place = token.find(_SIGNATURE)
    return token[place:] if place >= 0 else b""


def _is_authenticate(token: bytes) -> bool:
    return token[8:12] == b"\3\0\0\0"


def _name(token: bytes) -> str:
    read = Authenticate.unpack(token)
    name = read.user_name or ""
    return f"{read.domain_name}\\{name}" if read.domain_name else name


def _given_binding(token: bytes) -> bytes | None:
    """Return the binding that the client put into its answer, None when there is none."""
    answer = Authenticate.unpack(token).nt_challenge_response or b""
    if len(answer) <= 24:
        return None
    pairs = NTClientChallengeV2.unpack(answer[16:]).av_pairs
    given = pairs.get(AvId.channel_bindings)
    return None if given in (None, _NONE) else bytes(given)
