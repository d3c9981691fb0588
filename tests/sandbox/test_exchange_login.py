"""Signing in to the sandbox's Exchange, and attacks on it."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests
import spnego
from requests_ntlm import HttpNtlmAuth
from spnego.channel_bindings import GssChannelBindings

from sandbox.exchange.accounts import LOCKED_AFTER, LOCKED_FOR_S
from sandbox.exchange.seed import ADA, GRACE, PASSWORD, SERVICE
from tests.sandbox.exchange_client import Company, basic


@pytest.fixture
def session(corp: Company) -> Iterator[requests.Session]:
    with corp.session() as made:
        yield made


def binding(corp: Company) -> GssChannelBindings:
    pem = ssl.get_server_certificate(("127.0.0.1", corp.listening.server.port))
    der = ssl.PEM_cert_to_DER_cert(pem)
    return GssChannelBindings(
        application_data=b"tls-server-end-point:" + hashlib.sha256(der).digest()
    )


class Handshake:
    """The three steps of NTLM by hand, on one connection."""

    def __init__(
        self,
        corp: Company,
        session: requests.Session,
        login: str = "CORP\\ada",
        password: str = PASSWORD,
        *,
        bindings: GssChannelBindings | None = None,
        scheme: str = "NTLM",
    ) -> None:
        self.corp, self.session, self.scheme = corp, session, scheme
        self.context = spnego.client(
            login,
            password,
            protocol=scheme.lower(),
            channel_bindings=bindings,
            options=spnego.NegotiateOptions.use_ntlm,
        )
        self.last = b""

    def send(self, token: bytes | None) -> requests.Response:
        self.last = token or b""
        text = f"{self.scheme} {base64.b64encode(self.last).decode()}"
        return self.corp.ask(session=self.session, Authorization=text)

    def challenge(self) -> bytes:
        answer = self.send(self.context.step())
        assert 401 == answer.status_code
        return base64.b64decode(answer.headers["WWW-Authenticate"].partition(" ")[2])

    def run(self) -> requests.Response:
        return self.send(self.context.step(self.challenge()))


def nobody(corp: Company, session: requests.Session) -> requests.Response:
    """Ask without a word about who asks."""
    return session.post(corp.url, b"<x/>", timeout=10)


def test_schemes_are_offered_on_lines_of_their_own(
    corp: Company, session: requests.Session
) -> None:
    answer = nobody(corp, session)

    assert 401 == answer.status_code
    lines = answer.raw.headers.getlist("WWW-Authenticate")
    assert ["Negotiate", "NTLM", 'Basic realm="127.0.0.1"'] == lines
    assert "EX01" == answer.headers["X-FEServer"]


@pytest.mark.parametrize(
    "login",
    [
        "CORP\\ada",
        "corp\\ADA",
        "corp.calbroker.test\\ada",
        "\\ada@corp.calbroker.test",
        "ada@corp.calbroker.test",
    ],
)
def test_every_form_of_the_name_is_taken(
    corp: Company, session: requests.Session, login: str
) -> None:
    session.auth = HttpNtlmAuth(login, "sandbox")

    assert 200 == corp.ask(session=session, Authorization=None).status_code


@pytest.mark.parametrize("login", ["CORP\\nobody", "OTHER\\ada", "ada"])
def test_other_names_are_refused_and_counted_for_nobody(
    corp: Company, session: requests.Session, login: str
) -> None:
    assert 401 == Handshake(corp, session, login).run().status_code
    assert 401 == corp.ask(login=login).status_code
    assert {0} == {person.bad_logons for person in corp.state.world.people.values()}


@pytest.mark.parametrize("by_ntlm", [True, False])
def test_wrong_passwords_lock_the_account(
    corp: Company, session: requests.Session, by_ntlm: bool
) -> None:
    def attempt(password: str) -> int:
        if by_ntlm:
            with corp.session() as own:
                return Handshake(corp, own, password=password).run().status_code
        return corp.ask(password=password).status_code

    for number in range(1, LOCKED_AFTER + 1):
        assert 401 == attempt("wrong")
        assert number == corp.state.person(ADA).person.bad_logons
    assert 401 == attempt("sandbox")
    assert 200 == corp.ask(login="CORP\\grace").status_code

    corp.now += timedelta(seconds=LOCKED_FOR_S + 1)

    assert 200 == attempt("sandbox")
    assert 0 == corp.state.person(ADA).person.bad_logons


def test_one_handshake_counts_once(corp: Company, session: requests.Session) -> None:
    session.auth = HttpNtlmAuth("CORP\\ada", "wrong")
    corp.ask(session=session, Authorization=None)

    assert 1 == corp.state.person(ADA).person.bad_logons


def test_refusal_does_not_say_why(corp: Company) -> None:
    def refusal(**asked: str) -> tuple[int, bytes, list[str]]:
        with corp.session() as own:
            answer = corp.ask(session=own, **asked)
            return (
                answer.status_code,
                answer.content,
                answer.raw.headers.getlist("WWW-Authenticate"),
            )

    wrong = refusal(password="wrong")
    for fault in ("disabled", "locked", "password_expired", "password_changed", "spurious_401"):
        corp.faults.set(ADA, fault)
        assert wrong == refusal(), fault
        corp.faults.clear()
    corp.state.person(ADA).person.account = "expired"
    assert wrong == refusal() == refusal(login="CORP\\nobody")


def test_answer_of_one_connection_is_worth_nothing_on_another(corp: Company) -> None:
    with corp.session() as first, corp.session() as second:
        known = Handshake(corp, first)
        assert 200 == known.run().status_code
        replayed = Handshake(corp, second)
        assert 401 == replayed.send(known.last).status_code

        replayed.challenge()
        assert 401 == replayed.send(known.last).status_code
        assert 401 == nobody(corp, second).status_code


def test_sign_in_belongs_to_the_connection_and_ends_with_a_new_handshake(corp: Company) -> None:
    with corp.session() as own, corp.session() as other:
        assert 200 == Handshake(corp, own).run().status_code
        assert 500 == nobody(corp, own).status_code
        assert 401 == nobody(corp, other).status_code

        Handshake(corp, own).challenge()
        assert 401 == nobody(corp, own).status_code


def test_old_ntlm_is_refused(
    corp: Company, session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    handshake = Handshake(corp, session)
    monkeypatch.setenv("LM_COMPAT_LEVEL", "2")
    old = Handshake(corp, session)
    assert old.context is not handshake.context

    assert 401 == old.run().status_code


@pytest.mark.parametrize("style", ["none", "allow", "require"])
def test_binding_is_asked_for_as_configured(
    corp: Company, monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    md5 = spnego._ntlm.md5
    monkeypatch.setattr(spnego._ntlm, "md5", lambda m: bytes(16) if m == b"zeros" else md5(m))
    corp.faults.set(None, "extended_protection", style=style)
    right = binding(corp)
    other = GssChannelBindings(application_data=b"tls-server-end-point:" + b"0" * 32)
    zeros = _Zeros(application_data=b"")

    def status(bindings: GssChannelBindings | None) -> int:
        with corp.session() as own:
            return Handshake(corp, own, bindings=bindings).run().status_code

    assert 200 == status(right)
    assert (401 if style == "require" else 200) == status(None) == status(zeros)
    assert (200 if style == "none" else 401) == status(other)


class _Zeros(GssChannelBindings):
    """What some clients send for want of a binding; pyspnego itself takes it for a right one."""

    def pack(self) -> bytes:
        return b"zeros"


def test_binding_fails_behind_a_proxy_that_ends_tls(
    corp: Company, session: requests.Session
) -> None:
    corp.faults.set(None, "extended_protection", style="bridged")

    assert 401 == Handshake(corp, session, bindings=binding(corp)).run().status_code


def test_requests_ntlm_binds_to_the_certificate(corp: Company, session: requests.Session) -> None:
    corp.faults.set(None, "extended_protection")
    session.auth = HttpNtlmAuth("CORP\\ada", "sandbox")

    assert 200 == corp.ask(session=session, Authorization=None).status_code

    with corp.session() as unbound:
        unbound.auth = HttpNtlmAuth("CORP\\ada", "sandbox", send_cbt=False)
        assert 401 == corp.ask(session=unbound, Authorization=None).status_code


@pytest.mark.parametrize("protocol", ["ntlm", "negotiate"])
def test_ntlm_within_negotiate(corp: Company, session: requests.Session, protocol: str) -> None:
    corp.faults.set(None, "schemes", style="negotiate")
    handshake = Handshake(corp, session, scheme="Negotiate", bindings=binding(corp))
    if protocol == "ntlm":
        handshake.context = Handshake(corp, session).context

    assert 200 == handshake.run().status_code


@pytest.mark.parametrize(
    ("style", "lines"),
    [
        ("basic", ['Basic realm="127.0.0.1"']),
        ("kerberos", ["Negotiate"]),
        ("ntlm,basic", ["NTLM", 'Basic realm="127.0.0.1"']),
    ],
)
def test_schemes_can_be_chosen(
    corp: Company, session: requests.Session, style: str, lines: list[str]
) -> None:
    corp.faults.set(None, "schemes", style=style)

    assert lines == nobody(corp, session).raw.headers.getlist("WWW-Authenticate")
    assert (200 if "basic" in style else 401) == corp.ask().status_code
    if style == "kerberos":
        assert 401 == Handshake(corp, session, scheme="Negotiate").send(b"YIIabc").status_code


def test_modern_sign_in_takes_no_password(corp: Company) -> None:
    corp.faults.set(ADA, "mfa_only")
    answer = corp.ask()

    assert 401 == answer.status_code and answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert 0 == corp.state.person(ADA).person.bad_logons
    assert 200 == corp.ask(login="CORP\\grace").status_code


def test_load_balancer_loses_the_handshake(corp: Company, session: requests.Session) -> None:
    corp.faults.set(None, "challenge_loop")

    assert 401 == Handshake(corp, session).run().status_code


@pytest.mark.parametrize("header", ["Basic", "Basic !!", "NTLM", "NTLM AAAA", "Negotiate", "Foo x"])
def test_nonsense_is_refused(corp: Company, header: str) -> None:
    assert 401 == corp.ask(Authorization=header).status_code


@pytest.mark.parametrize(
    ("email", "login", "header", "code"),
    [
        (ADA, "CORP\\ada", GRACE, "ErrorImpersonationDenied"),
        (SERVICE, "CORP\\calsync", "alan@corp.calbroker.test", "ErrorImpersonateUserDenied"),
        (SERVICE, "CORP\\calsync", "x@corp.calbroker.test", "ErrorNonExistentMailbox"),
        (SERVICE, "CORP\\calsync", "", "ErrorMissingEmailAddress"),
        (SERVICE, "CORP\\calsync", ADA, "NoError"),
    ],
)
def test_acting_for_others_needs_the_right(
    corp: Company, email: str, login: str, header: str, code: str
) -> None:
    acting = (
        "<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>"
        f"{header}</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>"
    )
    answer = corp.ask(login=login, header=acting if header else "")

    assert f">{code}<" in answer.text
    assert email == corp.calls[-1].person


def test_passwords_are_in_no_log_of_requests(corp: Company) -> None:
    corp.ask()

    assert "sandbox" not in repr(list(corp.calls)) and basic("CORP\\ada", "sandbox")[
        "Authorization"
    ] not in repr(list(corp.calls))


def test_rooms_have_no_sign_in(corp: Company) -> None:
    assert 401 == corp.ask(login="CORP\\room4").status_code
