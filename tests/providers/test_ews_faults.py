"""What Exchange's refusals become, in all their shapes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from werkzeug.wrappers import Response

from broker.clock import FixedClock
from broker.errors import (
    AuthorizationLost,
    BrokerError,
    CalendarGone,
    CursorExpired,
    EditConflict,
    PermissionMissing,
    ProtocolError,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    ServerMoved,
    UserError,
)
from broker.http import Http
from broker.logins import PasswordCredential
from broker.providers._ews.folders import GetFolder, Place
from broker.providers._ews.session import Session, Version, read_dialect
from broker.providers._ews.signing_in import Scheme
from broker.providers._ews.sync_folder_items import SyncFolderItems
from tests.providers.ews_samples import answer, error, fault, message, told
from tests.wsgi_adapter import WsgiAdapter

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
URL = "https://mail.contoso.example/EWS/Exchange.asmx"
FOLDER = (
    '<m:Folders><t:CalendarFolder><t:FolderId Id="AAA=" ChangeKey="Ag=="/>'
    "<t:DisplayName>Calendar</t:DisplayName></t:CalendarFolder></m:Folders>"
)
XML = "text/xml; charset=utf-8"


class Server:
    """Gives prepared answers one after the other, the last one again and again."""

    def __init__(self, *answers: Response) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self.adapter = WsgiAdapter(self)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.bodies.append(environ["wsgi.input"].read())
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return found(environ, start_response)

    def session(self, dialect: str = "Basic") -> Session:
        clock = FixedClock(NOW)
        http = Http(clock, mounts={"https://mail.contoso.example/": self.adapter})
        return Session(http, clock, PasswordCredential(URL, "ada", "secret", dialect=dialect))


def xml(body: bytes, status: int = 200) -> Response:
    return Response(body, status, content_type=XML)


def refusal(*answers: Response, operation: Any = None) -> BrokerError:
    with pytest.raises(BrokerError) as raised:
        Server(*answers).session().call(operation or GetFolder())
    assert "ada@contoso" not in repr(raised.value) + str(raised.value)
    return raised.value


BUSY = {"BackOffMilliseconds": "297749"}


@pytest.mark.parametrize(
    "shape",
    [
        xml(fault("ErrorServerBusy", back_off="297749"), 500),
        xml(fault("ErrorServerBusy", back_off="297749")),
        xml(error("GetFolder", "ErrorServerBusy", told(**BUSY))),
        xml(
            error(
                "GetFolder",
                "ErrorInternalServerError",
                told(InnerErrorResponseCode="ErrorServerBusy", **BUSY),
            )
        ),
        Response("", 503, headers={"Retry-After": "298"}),
    ],
)
def test_a_busy_server_says_how_long_in_every_shape(shape: Response) -> None:
    raised = refusal(shape)

    assert isinstance(raised, RateLimited)
    assert raised.retry_after is not None
    assert timedelta(seconds=297) < raised.retry_after <= timedelta(seconds=298)


@pytest.mark.parametrize("back_off", ["", "soon", "-5", "٣"])
def test_a_busy_server_need_not_say_how_long(back_off: str) -> None:
    raised = refusal(xml(error("GetFolder", "ErrorServerBusy", told(BackOffMilliseconds=back_off))))
    assert isinstance(raised, RateLimited) and raised.retry_after is None


def test_a_wait_is_a_day_at_the_most() -> None:
    raised = refusal(xml(fault("ErrorServerBusy", back_off="9" * 12), 500))
    assert isinstance(raised, RateLimited) and raised.retry_after == timedelta(days=1)
    raised = refusal(Response("", 503, headers={"Retry-After": "Sat, 21 Nov 2026 09:00:30 GMT"}))
    assert isinstance(raised, RateLimited) and raised.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ErrorMailboxMoveInProgress", ProviderUnavailable),
        ("ErrorInternalServerError", ProviderUnavailable),
        ("ErrorNonExistentMailbox", ServerMoved),
        ("ErrorProxyRequestNotAllowed", ServerMoved),
        ("ErrorPasswordExpired", AuthorizationLost),
        ("ErrorAccountDisabled", AuthorizationLost),
        ("ErrorAccessDenied", PermissionMissing),
        ("ErrorImpersonateUserDenied", PermissionMissing),
        ("ErrorFolderNotFound", CalendarGone),
        ("ErrorSyncFolderNotFound", CalendarGone),
        ("ErrorInvalidIdMalformed", CalendarGone),
        ("ErrorItemNotFound", CalendarGone),
        ("ErrorInvalidSyncStateData", CursorExpired),
        ("ErrorIrresolvableConflict", EditConflict),
        ("ErrorCalendarIsOrganizerForAccept", UserError),
        ("ErrorCalendarDurationIsTooLong", UserError),
        ("ErrorSchemaValidation", ProtocolError),
        ("ErrorNobodyKnows", ProtocolError),
        ("", ProtocolError),
    ],
)
def test_codes_mean_the_same_as_message_and_as_fault(code: str, kind: type[BrokerError]) -> None:
    operation = SyncFolderItems("AAA=")
    for shape in (
        xml(error("SyncFolderItems", code)),
        xml(fault(code), 500),
        xml(fault(code, detail=False), 500),
    ):
        raised = refusal(shape, operation=operation)
        assert type(raised) is kind
        assert "NobodyKnows" not in repr(raised)


@pytest.mark.parametrize(
    ("shape", "kind", "detail"),
    [
        (Response("", 401), AuthorizationLost, ""),
        (Response("", 403), ProviderUnavailable, "access refused"),
        (Response("<html>", 404), ProviderUnavailable, "not EWS"),
        (Response("", 440), ProviderUnavailable, "sign-in page in front"),
        (Response("", 429), RateLimited, ""),
        (Response("Down", 500), ProviderUnavailable, ""),
        (Response("", 501), ProviderUnavailable, "not EWS"),
        (Response("", 502), ProviderUnavailable, ""),
        (Response("", 510), RateLimited, ""),
        (Response("", 413), ProtocolError, "asked for too much"),
        (Response("<html><p>Sign in</html>", 200), ProtocolError, "not well-formed"),
        (Response("<p>Sign in", 200, content_type="text/html"), ProtocolError, "not EWS"),
        (Response("<html/>", 200), ProtocolError, "not EWS"),
        (Response("<html/>", 500), ProviderUnavailable, ""),
        (Response(answer("GetFolder")[:-20], 200), ProtocolError, "not well-formed"),
        (
            Response("", 302, headers={"Location": "/owa/auth/logon.aspx"}),
            ProviderUnavailable,
            "sign-in page in front",
        ),
        (
            Response("", 302, headers={"Location": "/ews/genericerrorpage.htm"}),
            ProviderUnavailable,
            "",
        ),
        (
            Response("", 307, headers={"Location": "https://mail.fabrikam.example/EWS/"}),
            ServerMoved,
            "redirected",
        ),
    ],
)
def test_statuses_are_told_apart(shape: Response, kind: type[ProviderError], detail: str) -> None:
    raised = refusal(shape)

    assert type(raised) is kind
    assert isinstance(raised, ProviderError) and raised.detail == detail


def test_an_older_server_is_asked_again_in_its_own_version() -> None:
    server = Server(
        xml(fault("ErrorInvalidServerVersion"), 500),
        xml(fault("ErrorInvalidServerVersion"), 500),
        xml(answer("GetFolder", message("GetFolder", FOLDER))),
    )
    session = server.session()

    (found,) = session.call(GetFolder())
    assert found is not None and "AAA=" == found.remote_id
    assert b'Version="Exchange2010_SP2"' in server.bodies[0]
    assert b'Version="Exchange2010"' in server.bodies[1]
    assert b'Version="Exchange2007_SP1"' in server.bodies[2]
    # What it says of itself is what stands in front of the mailbox.
    spoken = "Basic Exchange2007_SP1 of:Exchange2010_SP2"
    assert spoken == session.dialect == session.credential.dialect
    known = (Scheme.BASIC, Version.EXCHANGE_2007, Version.EXCHANGE_2010)
    assert known == read_dialect(session.dialect)
    again = server.session(session.dialect)
    again.call(GetFolder())
    assert b'Version="Exchange2007_SP1"' in server.bodies[3]
    assert (4, spoken) == (len(server.bodies), again.dialect)


def of(build: tuple[int, int], body: bytes) -> bytes:
    """Let an answer come from another server."""
    usual = b'MajorVersion="15" MinorVersion="1"'
    assert usual in body
    return body.replace(usual, b'MajorVersion="%d" MinorVersion="%d"' % build)


@pytest.mark.parametrize(
    ("build", "version"),
    [
        ((8, 1), "Exchange2007_SP1"),
        ((8, 3), "Exchange2007_SP1"),
        ((14, 0), "Exchange2010"),
        ((14, 1), "Exchange2010"),
        ((14, 2), "Exchange2010_SP2"),
        ((14, 3), "Exchange2010_SP2"),
        ((15, 0), "Exchange2010_SP2"),
        ((15, 1), "Exchange2010_SP2"),
        ((15, 2), "Exchange2010_SP2"),
        ((15, 20), "Exchange2010_SP2"),
    ],
)
def test_a_server_is_spoken_to_as_it_says_that_it_is(build: tuple[int, int], version: str) -> None:
    """One request more at the most, and none of the next login."""
    good = xml(of(build, answer("GetFolder", message("GetFolder", FOLDER))))
    bad = xml(of(build, fault("ErrorInvalidServerVersion")), 500)
    is_new = version == "Exchange2010_SP2"
    server = Server(*([good] if is_new else [bad, good]))
    session = server.session()

    session.call(GetFolder())
    session.call(GetFolder())

    assert f"Basic {version}" == session.dialect
    assert (2 if is_new else 3) == len(server.bodies)
    assert f'Version="{version}"'.encode() in server.bodies[-1]


def test_a_server_that_was_renewed_is_spoken_to_in_a_newer_version() -> None:
    good = answer("GetFolder", message("GetFolder", FOLDER))
    server = Server(xml(good))
    session = server.session("Basic Exchange2007_SP1")

    session.call(GetFolder())
    session.call(GetFolder())

    assert b'Version="Exchange2007_SP1"' in server.bodies[0]
    assert b'Version="Exchange2010_SP2"' in server.bodies[1]
    assert "Basic Exchange2010_SP2" == session.dialect


@pytest.mark.parametrize("said", ["", "x", "-15", "99999", "١٥"])
def test_a_build_that_cannot_be_read_changes_nothing(said: str) -> None:
    good = answer("GetFolder", message("GetFolder", FOLDER)).decode()
    body = good.replace('MajorVersion="15"', f'MajorVersion="{said}"').encode()
    session = Server(xml(body)).session("Basic Exchange2007_SP1")
    session.call(GetFolder())
    assert "Basic Exchange2007_SP1" == session.dialect


def test_a_server_that_speaks_no_version_is_asked_in_each_once() -> None:
    server = Server(xml(fault("ErrorInvalidServerVersion"), 500))
    with pytest.raises(ProtocolError):
        server.session().call(GetFolder())
    assert 3 == len(server.bodies)


def test_a_dialect_may_be_unknown() -> None:
    newest = Version.EXCHANGE_2010
    assert (None, newest, newest) == read_dialect("") == read_dialect("Digest Exchange9 of:9")


def test_a_server_without_passwords_ends_no_connection() -> None:
    shape = Response("", 401, headers={"WWW-Authenticate": "Bearer"})
    with pytest.raises(ProviderUnavailable) as raised:
        Server(shape).session("").call(GetFolder())
    assert "no way to log in" == raised.value.detail


def test_a_missing_folder_is_left_out() -> None:
    shape = xml(
        answer(
            "GetFolder",
            message("GetFolder", "", "ErrorFolderNotFound", "Error"),
            message("GetFolder", FOLDER),
        )
    )
    places = (Place("deleteditems"), Place("calendar"))
    found = Server(shape).session().call(GetFolder(places))
    assert found[0] is None and found[1] is not None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ErrorAccessDenied", None),
        ("ErrorNonExistentMailbox", None),
        ("ErrorServerBusy", RateLimited),
    ],
)
def test_nothing_is_told_of_other_mailboxes(code: str, kind: type[Exception] | None) -> None:
    shape = xml(error("GetFolder", code))
    other = GetFolder((Place("calendar", "boss@contoso.example"),))
    if kind is None:
        assert [None] == Server(shape).session().call(other)
    else:
        assert isinstance(refusal(shape, operation=other), kind)
