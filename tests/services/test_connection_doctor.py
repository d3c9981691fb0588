"""The connection doctor over real sockets and TLS, and what it keeps for support."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from broker.addresses import AddressPolicy
from broker.errors import BrokerError
from broker.http import Http
from broker.logins import Login
from broker.services import connection_doctor, keys
from broker.services.connect import Proved
from broker.services.connection_doctor import Diagnosis, StepName, StepState
from sandbox.radicale import USER, add_calendar, create_wsgi
from sandbox.radicale_events import Calendar, event, wrap
from tests.services.test_login_guard import clean_up
from tests.tls_server import Authority, serving
from tests.world import World
from tests.wsgi_adapter import WsgiAdapter

NAME = "dav.test"
SECRET = "marked-password"
Found = tuple[Proved | None, Diagnosis, BrokerError | None]
Try = Callable[..., Found]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def prove(world: World, url: str, username: str = USER, password: str = SECRET) -> Found:
    with world.app.app_context():
        return connection_doctor.prove(
            world.runtime,
            "caldav",
            Login(url, username, password),
            application_id="app_acme",
            client_address="203.0.113.7",
        )


def over_sockets(tmp_path: Path, authority: Authority | None, **resolving: Any) -> World:
    """Make a world that really connects; every name is this machine."""
    resolver = resolving.get("resolver", lambda host, port: ["127.0.0.1"])
    made = World(tmp_path)
    policy = AddressPolicy([NAME], resolver=resolver)
    ca_file = str(authority.file) if authority else None
    http = Http(made.clock, policy=policy, ca_file=ca_file)
    made.runtime.http.__dict__.update(http.__dict__)
    return made


def failed(diagnosis: Diagnosis) -> list[str]:
    return [one.step for one in diagnosis.findings if one.state is StepState.FAILED]


@pytest.mark.parametrize(
    ("name", "expired", "known", "step", "reason"),
    [
        (NAME, True, True, "tls", "certificate_expired"),
        ("other.test", False, True, "tls", "certificate_wrong_name"),
        (NAME, False, False, "tls", "certificate_untrusted"),
        (NAME, False, True, "discovery", "not_caldav"),
    ],
)
def test_certificates_are_told_apart(
    tmp_path: Path, authority: Authority, name: str, expired: bool, known: bool, step: str,
    reason: str,
) -> None:  # fmt: skip
    world = over_sockets(tmp_path, authority if known else None)
    with serving(authority.issue(name, expired=expired)) as port:
        proved, diagnosis, error = prove(world, f"https://{NAME}:{port}/")

    assert (proved, diagnosis.reason) == (None, reason)
    assert error is not None
    assert failed(diagnosis) == [step]
    # Once for all its connections, and whether it was believed or not.
    ((shown,),) = [one.chain for one in diagnosis.steps if one.chain]
    assert ((name,), "CN=Test Authority") == (shown.names, shown.issuer)
    assert expired is (shown.until < datetime.now(UTC))
    told = world.app.test_cli_runner().invoke(args=["diagnosis", diagnosis.code]).output
    assert f"certificate CN={name} for {name} by CN=Test Authority, " in told
    world.close()


def test_a_server_without_tls(tmp_path: Path, authority: Authority) -> None:
    world = over_sockets(tmp_path, authority)
    with serving(None) as port:
        _, diagnosis, _ = prove(world, f"https://{NAME}:{port}/")

    assert (diagnosis.reason, failed(diagnosis)) == ("not_https", ["tls"])
    world.close()


def test_a_closed_port(tmp_path: Path) -> None:
    world = over_sockets(tmp_path, None)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    _, diagnosis, _ = prove(world, f"https://{NAME}:{port}/")

    assert (diagnosis.reason, failed(diagnosis)) == ("address_unreachable", ["tcp"])
    world.close()


def test_a_name_that_nobody_knows(tmp_path: Path) -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "marked")

    world = over_sockets(tmp_path, None, resolver=resolver)

    _, diagnosis, _ = prove(world, f"https://{NAME}/")

    assert (diagnosis.reason, failed(diagnosis)) == ("name_not_found", ["dns"])
    assert diagnosis.findings[1].host == NAME
    world.close()


@pytest.fixture
def dav(tmp_path: Path) -> Iterator[World]:
    """A broker beside a real CalDAV server."""
    folder = tmp_path / "radicale"
    radicale = create_wsgi(folder, [], seeded=False)
    lines = ("SUMMARY:Dentist", "DTSTART:20260312T090000Z", "DTEND:20260312T093000Z")
    one = {"one.ics": wrap("-//Tests//EN", event("one", *lines))}
    add_calendar(folder, USER, Calendar("home", "Home", "#112233FF"), one)
    made = World(tmp_path, mounts={f"http://{NAME}/": WsgiAdapter(radicale)})
    yield made
    made.close()


def test_a_success_leaves_a_trace_too(dav: World) -> None:
    proved, diagnosis, error = prove(dav, f"http://{NAME}/", password="sandbox")

    assert error is None and proved is not None
    assert [calendar.name for calendar in proved.calendars] == ["Home"]
    assert diagnosis.reason is None
    assert {one.state for one in diagnosis.findings} == {StepState.OK}
    with dav.app.app_context():
        assert connection_doctor.find(dav.runtime, diagnosis.code) == diagnosis


def test_a_wrong_password_is_found_at_the_login(dav: World) -> None:
    _, diagnosis, _ = prove(dav, f"http://{NAME}/")

    assert (diagnosis.reason, failed(diagnosis)) == ("login_rejected", ["login"])
    after = {one.step: one.state for one in diagnosis.findings}
    assert after[StepName.CALENDARS] is StepState.NOT_REACHED


def test_a_paused_login_is_not_tried(dav: World) -> None:
    for _ in range(3):
        prove(dav, f"http://{NAME}/")

    _, diagnosis, _ = prove(dav, f"http://{NAME}/")

    assert (diagnosis.reason, failed(diagnosis)) == ("paused_after_refusals", ["login"])


@pytest.mark.parametrize("typed", ["https://ada:hunter2@10.0.0.1/x?token=hunter2", "::::", ""])
def test_bad_addresses_fail_at_the_address(dav: World, typed: str) -> None:
    _, diagnosis, _ = prove(dav, typed)

    assert failed(diagnosis) == ["address"]
    assert "hunter2" not in repr(diagnosis)


def test_nothing_secret_and_no_host_is_kept_in_the_clear(dav: World) -> None:
    _, diagnosis, _ = prove(dav, f"http://{NAME}/", "marked-user")

    (row,) = dav.rows("SELECT * FROM diagnoses")
    assert diagnosis.code == row.code
    assert NAME not in repr(row)
    assert "marked" not in repr(row) + repr(diagnosis)


def test_the_code_is_found_however_it_is_read_out(dav: World) -> None:
    _, diagnosis, _ = prove(dav, f"http://{NAME}/")
    plain = diagnosis.code.replace("-", "")

    with dav.app.app_context():
        for typed in (diagnosis.code, plain.lower(), f" {plain[:4]} {plain[4:]} "):
            assert connection_doctor.find(dav.runtime, typed) == diagnosis
        for typed in ("", "AAAA-AAAA", plain[:4]):
            assert connection_doctor.find(dav.runtime, typed) is None


def test_support_finds_it_at_the_terminal(dav: World) -> None:
    _, diagnosis, _ = prove(dav, f"http://{NAME}/")

    shown = dav.app.test_cli_runner().invoke(args=["diagnosis", diagnosis.code.lower()])
    unknown = dav.app.test_cli_runner().invoke(args=["diagnosis", "AAAA-AAAA"])

    assert shown.exit_code == 0
    assert "login_rejected" in shown.output
    assert any(line.split()[:2] == ["login", "failed"] for line in shown.output.splitlines())
    assert SECRET not in shown.output
    assert unknown.exit_code == 1


def test_diagnoses_expire(dav: World) -> None:
    _, diagnosis, _ = prove(dav, f"http://{NAME}/")
    dav.clock.advance(days=30)

    with dav.app.app_context():
        assert connection_doctor.find(dav.runtime, diagnosis.code) is None
    dav.clock.advance(seconds=1)
    clean_up(dav)
    assert dav.count("diagnoses") == 0


def test_key_rotation_covers_diagnoses(dav: World) -> None:
    prove(dav, f"http://{NAME}/")

    columns = {(one.table.name, one.column) for one in keys.wrapped_columns()}

    assert ("diagnoses", "wrapped_findings") in columns
    with dav.app.app_context():
        assert keys.status(dav.runtime)["k1"] >= 1


def test_findings_can_be_written_as_plain_data(dav: World) -> None:
    _, diagnosis, _ = prove(dav, f"http://{NAME}/")

    assert json.dumps([[one.step, one.state, one.host] for one in diagnosis.findings])
