"""One login's conversation with one EWS endpoint: one request at a time, one connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Protocol, TypeVar

from lxml import etree

from broker.clock import Clock
from broker.errors import ProtocolError, ProviderUnavailable
from broker.http import DEADLINE, REDIRECT_STATUSES, Answer, Call, Http
from broker.logins import PasswordCredential
from broker.providers._ews.builds import Build, build_of
from broker.providers._ews.faults import NOT_EWS, PROVIDER, Trouble, error_of, read_fault
from broker.providers._ews.markup import MAX_BYTES, SOAP, UnreadableXml, parse_chunks
from broker.providers._ews.meanings import Meaning
from broker.providers._ews.moving import Following
from broker.providers._ews.signing_in import NO_SCHEME, NOT_ASKED, NoScheme, Scheme, SignIn
from broker.providers._ews.statuses import status_error
from broker.transport_failures import TOO_LARGE

MOST_MOVES = 3
_NEWEST = "of:"

_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "Accept": "text/xml"}
# What is compressed waits until there is enough of it.
_STREAM_HEADERS = _HEADERS | {"Accept-Encoding": "identity"}
_T = TypeVar("_T", covariant=True)
_S = TypeVar("_S")


class Version(StrEnum):
    """A schema that we write, the newest first. A server reads its own and all older ones."""

    EXCHANGE_2010 = "Exchange2010_SP2"
    EXCHANGE_2010_RTM = "Exchange2010"
    EXCHANGE_2007 = "Exchange2007_SP1"

    @classmethod
    def newest_for(cls, build: Build) -> Version:
        """Give the newest that a server reads."""
        if build >= (14, 2):
            return cls.EXCHANGE_2010
        return cls.EXCHANGE_2010_RTM if build >= (14, 0) else cls.EXCHANGE_2007


class Request(Protocol):
    """What is asked of a server."""

    @property
    def name(self) -> str:
        """Its name in errors and traces."""
        ...

    def body(self, version: Version) -> str:
        """Write the element that goes into the SOAP Body."""
        ...


class Operation(Request, Protocol[_T]):
    """One EWS operation: what it asks, and how its answer is read."""

    def read(self, response: etree._Element) -> _T:
        """Read the element that came in it. Raises the errors of `faults`."""
        ...


class Streamed(Request, Protocol[_S]):
    """One that is answered bit by bit, for as long as *lasts*."""

    @property
    def lasts(self) -> timedelta:
        """How long the answer may stay open."""
        ...

    def said(self, chunks: Iterator[bytes]) -> Iterator[_S]:
        """Read what is said as it comes. Raises the errors of `faults`."""
        ...

    def is_end(self, said: _S) -> bool:
        """Tell whether this was the last of it."""
        ...


class Session:
    """One login at one endpoint. *version* and the scheme are learned on the way.

    A server that is newer than when it was met is spoken to in a newer version. One may refuse
    what it says that it reads, because a mailbox is at an older server behind it: that is
    remembered, or it would be found out with each sync.

    An endpoint that moves is gone along with as *following* says; by default it is not.
    """

    def __init__(
        self,
        http: Http,
        clock: Clock,
        credential: PasswordCredential,
        following: Following | None = None,
    ) -> None:
        self._http, self._clock = http, clock
        self._given = credential
        self._following = following
        self._moves_left = MOST_MOVES
        self._url = credential.url
        scheme, self.version, self._newest = read_dialect(credential.dialect)
        self._refused: set[Version] = set()
        self._sign_in = SignIn(http.alone(), credential.username, credential.password, scheme)

    @property
    def credential(self) -> PasswordCredential:
        """The login, with the address where it was answered last, and how it is spoken there."""
        return replace(self._given, url=self._url, dialect=self.dialect)

    @property
    def dialect(self) -> str:
        """How to speak to this server, for `PasswordCredential.dialect`."""
        newest = "" if self._newest is self.version else f"{_NEWEST}{self._newest}"
        return f"{self._sign_in.scheme or ''} {self.version} {newest}".strip()

    def call(self, operation: Operation[_T], *, deadline: timedelta = DEADLINE) -> _T:
        """Do one operation. Raises the ProviderError, UserError or EditConflict that it meets."""
        while True:
            version = self.version
            answer = self._send(operation, deadline, _document, _HEADERS)
            fault, response = self._read(operation, answer)
            if fault is None or fault.meaning is not Meaning.TOO_NEW:
                break
            if not self._steps_down(version):
                break
        if fault is not None:
            raise error_of(fault, operation.name, answer.status)
        if response is None:
            raise ProtocolError(PROVIDER, operation.name, answer.status, detail=NOT_EWS)
        if self._sign_in.scheme is None:
            # Who answers without asking for a login has not checked this one.
            raise ProviderUnavailable(PROVIDER, operation.name, answer.status, detail=NOT_ASKED)
        return operation.read(response)

    def stream(self, asked: Streamed[_S], take: Callable[[_S], None]) -> bool:
        """Pass on what an answer says while it stays open; True when it ended in good order.

        Raises what `call` raises, and what *asked* and *take* do.
        """

        def reading(chunks: Iterator[bytes]) -> bool:
            is_over = False
            for said in asked.said(chunks):
                take(said)
                is_over = is_over or asked.is_end(said)
            return is_over

        answer = self._send(asked, asked.lasts + DEADLINE, reading, _STREAM_HEADERS)
        if answer.status == 200:
            return bool(answer.read)
        fault, _response = self._read(asked, answer)
        if fault is None:
            raise status_error(answer, asked.name, self._clock.now())
        raise error_of(fault, asked.name, answer.status)

    def _steps_down(self, refused: Version) -> bool:
        """Go on in an older version; False when there is none."""
        self._refused.add(refused)
        ages = list(Version)
        oldest = max(ages.index(refused) + 1, ages.index(self._newest))
        older = [one for one in ages[oldest:] if one not in self._refused]
        self.version = older[0] if older else self.version
        return bool(older)

    def _meet(self, build: Build | None) -> None:
        """Note which server has answered; from the next request on a newer one is told so."""
        newest = Version.newest_for(build) if build is not None else self._newest
        if newest is self._newest:
            return
        self._newest = newest
        ages = list(Version)
        if newest not in self._refused and ages.index(newest) < ages.index(self.version):
            self.version = newest

    def _send(
        self,
        operation: Request,
        deadline: timedelta,
        reading: Callable[[Iterator[bytes]], object],
        headers: Mapping[str, str],
    ) -> Answer:
        call = Call(
            PROVIDER,
            operation.name,
            "POST",
            self._url,
            headers=headers,
            body=envelope(operation.body(self.version), self.version),
            deadline=deadline,
            cap_bytes=MAX_BYTES,
            guarded=True,
            reading=reading,
            read_status=200,
        )
        try:
            answer = self._sign_in.send(call)
        except NoScheme:
            # Basic and NTLM were switched off: the login itself may well be good.
            raise ProviderUnavailable(PROVIDER, operation.name, 401, detail=NO_SCHEME) from None
        if answer.status in REDIRECT_STATUSES and self._moves(answer):
            return self._send(operation, deadline, reading, headers)
        if answer.status not in {200, 500}:
            raise status_error(answer, operation.name, self._clock.now())
        return answer

    def _moves(self, answer: Answer) -> bool:
        """Go on where the endpoint says that it is; False when it must not, or not again."""
        if self._following is None or not self._moves_left:
            return False
        there = self._following.new_endpoint(self._url, answer.headers.get("Location", ""))
        if there is None or there == self._url:
            return False
        self._moves_left -= 1
        self._url = there
        # Its connection and its ways to log in are others.
        self._sign_in = SignIn(self._http.alone(), self._given.username, self._given.password)
        return True

    def _read(
        self, operation: Request, answer: Answer
    ) -> tuple[Trouble | None, etree._Element | None]:
        root = answer.read if answer.status == 200 else _document((answer.body,))
        if isinstance(root, UnreadableXml):
            is_page = "html" in answer.headers.get("Content-Type", "").lower()
            if is_page or answer.status == 500:
                raise status_error(answer, operation.name, self._clock.now())
            # An answer without end is too large in one way or another.
            kind = ProviderUnavailable if str(root) == TOO_LARGE else ProtocolError
            raise kind(PROVIDER, operation.name, answer.status, detail=str(root))
        body = root.find(f"{SOAP}Body") if root.tag == f"{SOAP}Envelope" else None
        if body is None:
            raise status_error(answer, operation.name, self._clock.now())
        self._meet(build_of(root))
        return read_fault(body), next(body.iterchildren(), None)


def _document(chunks: Iterable[bytes]) -> etree._Element | UnreadableXml:
    """Parse an answer, or say why not; what is left of it then is not waited for."""
    try:
        return parse_chunks(chunks)
    except UnreadableXml as error:
        return error


def envelope(body: str, version: Version) -> bytes:
    """Write a request around the element of an operation."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
        ' xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">'
        f'<soap:Header><t:RequestServerVersion Version="{version}"/></soap:Header>'
        f"<soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode()


def without_scheme(dialect: str) -> str:
    """Give a dialect that leaves it to the server to ask for a login, as if nobody had yet."""
    return " ".join(word for word in dialect.split() if word not in {*Scheme})


def read_dialect(dialect: str) -> tuple[Scheme | None, Version, Version]:
    """Read what an earlier login learned: scheme, version, and the newest that the server claimed.

    What is missing or unknown has to be asked again.
    """
    words = dialect.split()
    scheme = next((scheme for scheme in Scheme if scheme in words), None)
    version = next((version for version in Version if version in words), Version.EXCHANGE_2010)
    newest = next((version for version in Version if f"{_NEWEST}{version}" in words), version)
    return scheme, version, newest
