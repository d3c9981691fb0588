"""What listens: the paths of the server, its front-end faults, and the log of requests."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from sandbox.stand_in.faults import Faults

from . import autodiscover, broken, ews
from .accounts import Accounts
from .calls import Call, Calls
from .certificates import Authority, Credentials
from .model import Person
from .store import Store
from .wire import Answer, Request

EWS_PATH = "/ews/exchange.asmx"
_PRIVATE = frozenset({"authorization", "cookie"})


class Front:
    """Answers requests, over TLS and on the plain port."""

    def __init__(
        self,
        store: Store,
        faults: Faults,
        calls: Calls,
        folder: Path,
        sleep: Callable[[float], None] = broken.real_sleep,
    ) -> None:
        """Keep certificates and the NTLM users in *folder*."""
        self.store, self.faults, self.calls, self.sleep = store, faults, calls, sleep
        self.port = 0
        """Where it listens with TLS, for addresses that it tells."""
        self.plain_port = 0
        self.authority = Authority(folder)
        self.accounts = Accounts(store, faults, self.authority.folder / "ntlm-users")
        self._certificates: dict[str, Credentials] = {}
        self._issuing = Lock()

    def credentials(self) -> Credentials:
        """Return the certificate that the server shows now: the same one to all who ask at once."""
        style = self.faults.style(None, "certificate", "wrong_name") or "usual"
        with self._issuing:
            if style not in self._certificates:
                makers = {
                    "wrong_name": self.authority.wrong_name,
                    "expired": self.authority.expired,
                    "unknown_ca": self.authority.unknown_authority,
                    "self_signed": self.authority.self_signed,
                }
                self._certificates[style] = makers.get(style, self.authority.usual)()
            return self._certificates[style]

    def answer(self, request: Request) -> Answer:
        """Answer one request and remember it."""
        path = request.path.lower()
        is_ews = path == EWS_PATH
        operation = ews.operation_name(request.body) if is_ews and request.body else ""
        person, answer = self._route(request, path, operation)
        headers = request.headers
        scheme = request.header("authorization").partition(" ")[0].lower()
        self.calls.add(
            Call(
                request.method,
                request.path,
                person.email if person else None,
                answer.status,
                operation=operation,
                scheme=scheme,
                host=request.header("host"),
                headers={name: headers[name] for name in headers if name not in _PRIVATE},
            )
        )
        return answer

    def _route(self, request: Request, path: str, operation: str) -> tuple[Person | None, Answer]:
        if path.startswith("/autodiscover/"):
            return autodiscover.answer(self, request, path)
        if not request.secure:
            return None, Answer(403)
        if path != EWS_PATH:
            return None, self._elsewhere(path)
        agent = request.header("user-agent")
        refused = broken.front(self.faults, None, agent, self.sleep)
        if refused is not None:
            return None, refused
        person = self.accounts.sign_in(request)
        if isinstance(person, Answer):
            return None, person
        refused = broken.front(self.faults, person.email, agent, self.sleep)
        if refused is None and request.method != "POST":
            refused = Answer(200, b"<html>You have created a service.</html>")
        return person, refused or self._ews(person, request, operation)

    def _ews(self, person: Person, request: Request, operation: str) -> Answer:
        version = ews.server_version(self.faults)
        refused = broken.refusal(self.faults, person.email, version, operation)
        answer = refused or ews.answer(self.store, self.faults, person, request.body)
        answer = broken.spoiled(self.faults, person.email, answer, self.sleep)
        marks = [("request-id", secrets.token_hex(16)), ("X-FEServer", "EX01")]
        answer.headers = [*answer.headers, *marks, ("X-Powered-By", "ASP.NET")]
        return answer

    def _elsewhere(self, path: str) -> Answer:
        if path in ("/", "/owa", "/owa/"):
            place = f"/owa/auth/logon.aspx?url=https%3a%2f%2f127.0.0.1%3a{self.port}%2fowa%2f"
            return Answer(302, headers=[("Location", place)])
        if path.startswith("/owa/"):
            return broken.login_page()
        return Answer(404)
