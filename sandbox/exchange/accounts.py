"""Signing in: which schemes are offered, whose password is right, and who is locked out.

Every refusal is the same 401, whatever its reason.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from pathlib import Path

from sandbox.stand_in.faults import Faults

from .model import Person
from .ntlm import Denied, Handshake, write_users
from .store import Store
from .wire import Answer, Request

NETBIOS, DOMAIN = "CORP", "corp.calbroker.test"
LOCKED_AFTER = 5
LOCKED_FOR_S = 30 * 60
USUAL_SCHEMES = "negotiate,ntlm,basic"
_NEVER_RIGHT = ("disabled", "locked", "password_expired", "password_changed", "mfa_only")


class Accounts:
    """The domain controller: everybody's passwords, and how often they were wrong."""

    def __init__(self, store: Store, faults: Faults, users: Path) -> None:
        """Keep what NTLM needs in the file *users*."""
        self._store, self._faults, self._users = store, faults, users
        self._written: list[tuple[str, str, str]] = []

    def sign_in(self, request: Request) -> Person | Answer:
        """Return who asks, or the 401 that challenges or refuses."""
        offered = self._faults.style(None, "schemes") or USUAL_SCHEMES
        if offered == "none":
            return next(iter(self._store.world.people.values()))
        scheme, _, token = request.header("authorization").partition(" ")
        scheme = scheme.lower()
        connection = request.connection
        if not scheme:
            known = self._store.world.people.get(connection.login)
            return known if known and self._is_open(known) else self.challenge(request)
        if scheme == "basic" and "basic" in offered:
            return self._basic(request, token)
        if scheme in ("ntlm", "negotiate") and scheme in offered:
            return self._step(request, scheme, token)
        return self.challenge(request)

    def find(self, name: str) -> Person | None:
        """Return whose account a login name is: `CORP\\name`, `name` in the domain, or a UPN."""
        wanted = name.strip().lower().replace("/", "\\").removeprefix("\\")
        domain, _, login = wanted.rpartition("\\")
        for person in self._store.world.people.values():
            if wanted == person.upn.lower():
                return person
            if login == person.login.lower() and domain in (NETBIOS.lower(), DOMAIN):
                return person
        return None

    def _basic(self, request: Request, token: str) -> Person | Answer:
        try:
            name, _, password = base64.b64decode(token).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return self.challenge(request)
        person = self.find(name)
        if person is None:
            return self.challenge(request)
        right = hmac.compare_digest(person.password.encode(), password.encode())
        return self._admit(request, person, right)

    def _step(self, request: Request, scheme: str, token: str) -> Person | Answer:
        connection = request.connection
        try:
            raw = base64.b64decode(token, validate=True)
        except binascii.Error:
            return self.challenge(request)
        # Whoever begins a handshake is nobody until it is complete.
        connection.login = ""
        begins = b"NTLMSSP\0\1\0\0\0" in raw or connection.handshake is None
        if begins:
            kind = "ntlm" if raw.startswith(b"NTLMSSP\0") else scheme
            connection.handshake = self._begin(request, kind)
        if connection.handshake is None:
            return self.challenge(request)
        try:
            answer, name = connection.handshake.step(raw)
        except Denied as denial:
            connection.handshake = None
            person = self.find(denial.name)
            if person and denial.counts:
                return self._admit(request, person, False)
            return self.challenge(request)
        if not name:
            return self._go_on(request, scheme, answer)
        connection.handshake = None
        person = self.find(name)
        return self._admit(request, person, True) if person else self.challenge(request)

    def _begin(self, request: Request, scheme: str) -> Handshake:
        style = self._faults.style(None, "extended_protection", "require") or "allow"
        binding = request.connection.binding
        if style == "bridged":
            style, binding = "require", binding + b"of another certificate"
        if not request.secure:
            style = "none"
        self._keep_users()
        return Handshake(self._users, scheme, binding, style)

    def _keep_users(self) -> None:
        with self._store.lock:
            entries = [
                entry
                for one in self._store.world.people.values()
                if one.kind in ("person", "service")
                for entry in (
                    (NETBIOS, one.login, one.password),
                    (DOMAIN, one.login, one.password),
                    ("", one.upn, one.password),
                )
            ]
            if entries != self._written or not self._users.exists():
                write_users(self._users, entries)
                self._written = entries

    def _go_on(self, request: Request, scheme: str, token: bytes) -> Answer:
        name = "NTLM" if scheme == "ntlm" else "Negotiate"
        header = ("WWW-Authenticate", f"{name} {base64.b64encode(token).decode()}")
        if self._faults.take(None, "challenge_loop"):
            request.connection.handshake = None
            return Answer(401, headers=[header], close=True)
        return Answer(401, headers=[header])

    def _admit(self, request: Request, person: Person, right: bool) -> Person | Answer:
        """Let somebody in whose password is right and whose account is open."""
        with self._store.transaction():
            is_open = self._is_open(person)
            right = right and not self._faults.find(person.email, "password_changed")
            if right and is_open:
                person.bad_logons = 0
                if not self._faults.take(person.email, "spurious_401"):
                    if not request.header("authorization").lower().startswith("basic"):
                        request.connection.login = person.email
                    return person
            elif not right:
                self._count(person)
        return self.challenge(request, person)

    def _count(self, person: Person) -> None:
        person.bad_logons += 1
        if person.bad_logons >= LOCKED_AFTER:
            person.locked_until_s = self._store.now_s() + LOCKED_FOR_S

    def _is_open(self, person: Person) -> bool:
        return (
            person.account == "enabled"
            and person.kind in ("person", "service")
            and person.locked_until_s <= self._store.now_s()
            and not self._faults.find(person.email, *_NEVER_RIGHT)
        )

    def challenge(self, request: Request, person: Person | None = None) -> Answer:
        """Refuse, and say by which schemes one may sign in."""
        if self._faults.find(person.email if person else None, "mfa_only"):
            offered = "bearer"
        else:
            offered = self._faults.style(None, "schemes") or USUAL_SCHEMES
        host = request.header("host").partition(":")[0]
        lines = {
            "negotiate": "Negotiate",
            "kerberos": "Negotiate",
            "ntlm": "NTLM",
            "basic": f'Basic realm="{host}"',
            "bearer": 'Bearer client_id="00000002-0000-0ff1-ce00-000000000000", '
            'trusted_issuers="00000001-0000-0000-c000-000000000000@*", token_types="app_asserted"',
        }
        headers = [("WWW-Authenticate", lines[name]) for name in offered.split(",")]
        headers += [("request-id", secrets.token_hex(16)), ("X-FEServer", "EX01")]
        return Answer(401, headers=[*headers, ("X-Powered-By", "ASP.NET")])
