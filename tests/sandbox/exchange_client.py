"""Clients of the sandbox's Exchange: exchangelib as it is, and requests by hand."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import requests
from exchangelib import (
    DELEGATE,
    IMPERSONATION,
    NTLM,
    Account,
    Build,
    Configuration,
    Credentials,
    EWSTimeZone,
    FailFast,
    Version,
)
from exchangelib.protocol import CachingProtocol
from flask import Flask
from lxml import etree

from sandbox.exchange import Calls, ExchangeState, Faults, Listening, create_app, listen
from sandbox.exchange.seed import ADA, PASSWORD
from sandbox.exchange.soap import MESSAGES, TYPES, Element

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SPACES = {"m": MESSAGES, "t": TYPES}
LONDON = EWSTimeZone("Europe/London")
_ENVELOPE = (
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" '
    f'xmlns:m="{MESSAGES}" xmlns:t="{TYPES}"><soap:Header>'
    '<t:RequestServerVersion Version="{version}"/>{header}</soap:Header>'
    "<soap:Body>{body}</soap:Body></soap:Envelope>"
)
GET_CALENDAR = (
    "<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"
    '<m:FolderIds><t:DistinguishedFolderId Id="calendar"/></m:FolderIds></m:GetFolder>'
)


class Company:
    """An Exchange that listens on a free port, with a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        self.slept: list[float] = []
        self.app: Flask = create_app(now=lambda: self.now)
        self.listening: Listening = listen(self.app, folder, port=0, sleep=self.slept.append)
        self.state: ExchangeState = self.app.extensions["exchange"]
        self.faults: Faults = self.app.extensions["faults"]
        self.calls: Calls = self.app.extensions["calls"]
        self.url = self.listening.url
        self.ca_file = str(self.listening.ca_file)

    def close(self) -> None:
        self.listening.close()

    def account(
        self,
        email: str = ADA,
        login: str = "CORP\\ada",
        password: str = PASSWORD,
        *,
        auth: str = NTLM,
        build: Build | None = None,
        impersonate: bool = False,
    ) -> Account:
        """Sign in with exchangelib."""
        config = Configuration(
            service_endpoint=self.url,
            credentials=Credentials(login, password),
            auth_type=auth,
            version=Version(build or Build(15, 1, 2507, 6)),
            retry_policy=FailFast(),
        )
        access = IMPERSONATION if impersonate else DELEGATE
        return Account(
            email,
            config=config,
            autodiscover=False,
            access_type=access,
            default_timezone=LONDON,
        )

    def session(self) -> requests.Session:
        """Return a session that trusts the sandbox and nothing of the environment."""
        session = requests.Session()
        session.trust_env = False
        session.verify = self.ca_file
        return session

    def ask(
        self,
        body: str = GET_CALENDAR,
        *,
        login: str = "CORP\\ada",
        password: str = PASSWORD,
        version: str = "Exchange2010_SP2",
        header: str = "",
        session: requests.Session | None = None,
        **headers: str | None,
    ) -> requests.Response:
        """Send one request by hand, signed in with Basic."""
        text = _ENVELOPE.format(version=version, header=header, body=body)
        own = session or self.session()
        try:
            return own.post(
                self.url,
                text.encode(),
                headers={"Content-Type": "text/xml; charset=utf-8", **basic(login, password)}
                | {name.replace("_", "-"): value for name, value in headers.items()},
                allow_redirects=False,
                timeout=20,
            )
        finally:
            if session is None:
                own.close()


def basic(login: str, password: str) -> dict[str, str]:
    token = base64.b64encode(f"{login}:{password}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


@contextmanager
def company(folder: Path) -> Iterator[Company]:
    """Run an Exchange that exchangelib trusts; nothing of it is left afterwards."""
    made = Company(folder)
    before = os.environ.get("REQUESTS_CA_BUNDLE")
    # The only way to tell exchangelib whom to trust.
    os.environ["REQUESTS_CA_BUNDLE"] = made.ca_file
    try:
        yield made
    finally:
        CachingProtocol.clear_cache()
        if before is None:
            del os.environ["REQUESTS_CA_BUNDLE"]
        else:
            os.environ["REQUESTS_CA_BUNDLE"] = before
        made.close()


def xml(answer: requests.Response) -> Element:
    """Read an answer."""
    return etree.fromstring(answer.content)


def codes(answer: requests.Response) -> list[str]:
    """Return the response codes of an answer, or the fault's."""
    return [(found.text or "") for found in xml(answer).iter("{*}ResponseCode")]


def texts(answer: requests.Response, name: str) -> list[str]:
    """Return the texts of all elements with a name, in order."""
    return [found.text or "" for found in xml(answer).iter(f"{{*}}{name}")]
