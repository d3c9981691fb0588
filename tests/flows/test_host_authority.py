"""A company's own authority: believed for the one host that the operator named, for no other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import select, text

from broker.addresses import AddressPolicy
from broker.clock import FixedClock
from broker.errors import ProviderUnavailable
from broker.http import Call, Http
from broker.models import AuditEntry, db, reading
from broker.services import doctor, keys
from broker.services.host_authorities import SEEN_WITHIN, HostAuthorities
from tests.tls_server import Authority, serving
from tests.world import NOW, World

OURS, BELOW, OTHER = "mail.corp.test", "x.mail.corp.test", "mail.rival.test"
LEADS_AWAY = "away.corp.test"
NOT_TRUSTED = "certificate not trusted"


class Process:
    """Another process of the same broker: its own client, the database in common."""

    def __init__(self, world: World, places: dict[str, tuple[str, int]], **options: Any) -> None:
        self.clock = FixedClock(NOW)
        policy = AddressPolicy(("127.0.0.1",), detours=places)
        self.http = Http(self.clock, policy=policy, **options)
        self.http.trust.authorities = HostAuthorities(
            world.runtime.vault, self.clock, world.app.app_context
        )

    def ask(self, name: str, *, alone: bool = False, redirects: int = 0) -> str:
        """Ask a host; gives the status of the answer, or what went wrong."""
        http = self.http.alone() if alone else self.http
        call = Call(
            "exchange",
            "probe",
            "GET",
            f"https://{name}/",
            guarded=True,
            redirects=redirects,
            may_follow=lambda _from, _to: True,
        )
        try:
            return str(http.call(call).status)
        except ProviderUnavailable as error:
            return error.detail


class Town(World):
    """A broker, and a street of hosts whose certificates are all of one company's authority."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.corp = Authority(folder, "Corp Root")
        self.stack = ExitStack()
        away = f"HTTP/1.1 302 Found\r\nLocation: https://{OTHER}/\r\nContent-Length: 0\r\n"
        answers = {LEADS_AWAY: f"{away}Connection: close\r\n\r\n".encode()}
        self.places = {
            name: ("127.0.0.1", self.house(name, answers.get(name)))
            for name in (BELOW, OURS, OTHER, LEADS_AWAY)
        }
        self.processes: list[Process] = []

    def house(self, name: str, answer: bytes | None = None, certificate: str = "") -> int:
        """Let a host answer, with a certificate for its name; gives the port."""
        context = self.corp.issue(certificate or name)
        return self.stack.enter_context(serving(context, *([answer] if answer else [])))

    def process(self, **places: int) -> Process:
        """Start a process."""
        led = {name: ("127.0.0.1", port) for name, port in places.items()}
        self.processes.append(Process(self, self.places | led))
        return self.processes[-1]

    def typed(self, *words: object) -> Result:
        """Type a command, and let the other processes' five seconds pass."""
        result = self.app.test_cli_runner().invoke(args=[str(word) for word in words])
        for process in self.processes:
            process.clock.advance(seconds=SEEN_WITHIN.total_seconds())
        return result

    def close(self) -> None:
        """Stop the hosts too."""
        self.stack.close()
        super().close()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path)
    yield made
    made.close()


def test_a_private_authority_is_believed_once_the_operator_says_so(town: Town) -> None:
    """In every process, over shared and own connections, and without a restart."""
    web, worker = town.process(), town.process()
    assert [NOT_TRUSTED] * 2 == [web.ask(OURS), worker.ask(OURS, alone=True)]

    added = town.typed("authority-add", OURS, town.corp.file)

    assert 0 == added.exit_code, added.output
    assert ["200"] * 3 == [web.ask(OURS), worker.ask(OURS, alone=True), town.process().ask(OURS)]


def test_what_is_printed_can_be_compared_with_what_it_says(town: Town) -> None:
    added = town.typed("authority-add", OURS.upper(), town.corp.file).output

    assert f"{OURS}  CN=Corp Root\n    until  2090-01-01\n    SHA-256  " in added
    assert added == town.typed("authority-list").output == town.typed("authority-list", OURS).output
    assert "" == town.typed("authority-list", OTHER).output


def test_it_is_believed_for_no_other_host(town: Town) -> None:
    """Not for another company's with a certificate of the same authority, nor for one below."""
    process = town.process()
    town.typed("authority-add", OURS, town.corp.file)
    assert "200" == process.ask(OURS)

    assert [NOT_TRUSTED] * 2 == [process.ask(OTHER), process.ask(BELOW)]
    assert [NOT_TRUSTED] * 2 == [process.ask(OTHER, alone=True), process.ask(BELOW, alone=True)]


def test_each_companys_authority_stays_at_home(town: Town, tmp_path: Path) -> None:
    rival = Authority(tmp_path, "Rival Root")
    town.typed("authority-add", OURS, rival.file)
    town.typed("authority-add", OTHER, town.corp.file)
    process = town.process()

    assert [NOT_TRUSTED, "200"] == [process.ask(OURS), process.ask(OTHER)]


def test_it_does_not_go_along_with_a_redirect(town: Town) -> None:
    """A server that we trust cannot lead us to believe its authority about another one."""
    process = town.process()
    town.typed("authority-add", LEADS_AWAY, town.corp.file)

    assert "302" == process.ask(LEADS_AWAY)
    assert NOT_TRUSTED == process.ask(LEADS_AWAY, redirects=3)


def test_a_name_that_moves_must_still_show_its_own_certificate(town: Town) -> None:
    """Rebinding: whoever turns the name elsewhere has no certificate for it."""
    town.typed("authority-add", OURS, town.corp.file)
    elsewhere = town.process(**{OURS: town.places[OTHER][1]})

    assert "certificate for another name" == elsewhere.ask(OURS)


def test_a_kept_connection_is_not_used_for_another_name_there(town: Town) -> None:
    """Both names lead to one address, where the trusted one has a connection already."""
    shared = town.places[OURS][1]
    process = town.process(**{OTHER: shared})
    town.typed("authority-add", OURS, town.corp.file)

    assert "200" == process.ask(OURS)
    assert NOT_TRUSTED == process.ask(OTHER)


def test_what_is_removed_is_no_longer_believed(town: Town) -> None:
    process = town.process()
    town.typed("authority-add", OURS, town.corp.file)
    assert "200" == process.ask(OURS)

    assert "1 removed" == town.typed("authority-remove", OURS).output.strip()

    assert NOT_TRUSTED == process.ask(OURS)
    assert "no such authority of this host" in town.typed("authority-remove", OURS).output


def test_one_of_two_authorities_is_removed_by_its_fingerprint(town: Town, tmp_path: Path) -> None:
    town.typed("authority-add", OURS, town.corp.file)
    next_root = town.typed("authority-add", OURS, Authority(tmp_path, "Next Root").file).output
    fingerprint = next_root.split()[-1].upper()
    spelt = ":".join(fingerprint[at : at + 2] for at in range(0, 64, 2))

    assert "at least" in town.typed("authority-remove", OURS, fingerprint[:6]).output
    assert "1 removed" == town.typed("authority-remove", OURS, spelt).output.strip()
    left = town.typed("authority-list").output
    assert "Corp Root" in left
    assert "Next Root" not in left


def test_adding_it_again_changes_nothing(town: Town) -> None:
    for _ in range(2):
        town.typed("authority-add", OURS, town.corp.file)

    assert 1 == town.typed("authority-list").output.count("SHA-256")
    with town.app.app_context():
        acts = reading().scalars(select(AuditEntry.act)).all()
    assert 1 == acts.count("authority_added")


def test_an_issuing_authority_alone_is_enough(town: Town, tmp_path: Path) -> None:
    """Companies hand out what issued the certificate, and keep their root to themselves."""
    issuing = Authority(tmp_path, "Issuing", above=Authority(tmp_path, "Hidden Root"))
    with serving(issuing.issue(OURS)) as port:
        process = town.process(**{OURS: port})
        town.typed("authority-add", OURS, issuing.file)

        assert "200" == process.ask(OURS)


def test_the_usual_authorities_still_count_beside_it(town: Town, tmp_path: Path) -> None:
    """A company that moves to a public certificate needs no help for it."""
    usual = Authority(tmp_path, "Usual")
    with serving(usual.issue(OURS)) as port:
        places = {OURS: ("127.0.0.1", port)}
        process = Process(town, places, ca_file=str(usual.file))
        town.typed("authority-add", OURS, town.corp.file)

        assert "200" == process.ask(OURS)


@pytest.mark.parametrize(
    "host", ["", "corp", "*.corp.test", "https://mail.corp.test", "mail.corp.test/EWS", "10.0.0.1"]
)
def test_only_one_host_by_its_name_can_be_named(town: Town, host: str) -> None:
    result = town.typed("authority-add", host, town.corp.file)

    assert result.exit_code
    assert "must be one host name" in result.output


def test_a_refused_file_says_why_and_changes_nothing(town: Town) -> None:
    town.corp.issue(OURS)
    leaf = town.corp.folder / "leaf.pem"
    leaf.write_bytes(town.corp.leaf)

    result = town.typed("authority-add", OURS, leaf)

    assert "file: “CN=mail.corp.test” is a server's own certificate" in result.output
    assert "" == town.typed("authority-list").output


def test_nothing_in_the_database_names_the_company(town: Town) -> None:
    town.typed("authority-add", OURS, town.corp.file)

    with town.app.app_context():
        (row,) = reading().execute(text("SELECT * FROM host_authorities")).mappings()
        kept = b" ".join(str(value).encode() for value in row.values()).lower()
        counted = keys.status(town.runtime)
    assert b"corp" not in kept
    assert 2 <= counted[town.runtime.vault.current]


def test_whoever_comes_while_a_process_reads_for_the_first_time_waits(town: Town) -> None:
    """A process may begin with many calls at once: streams, or people who connect."""
    town.typed("authority-add", OURS, town.corp.file)
    begun, may_end = Event(), Event()

    @contextmanager
    def slowly() -> Iterator[None]:
        begun.set()
        may_end.wait(10)
        with town.app.app_context():
            yield

    trusted = HostAuthorities(town.runtime.vault, town.clock, slowly)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(trusted, OURS)
        begun.wait(10)
        second = pool.submit(trusted, OURS)
        may_end.set()
        assert first.result() == second.result() == (town.corp.der,)


def test_without_a_database_the_last_word_counts(town: Town) -> None:
    """What is believed does not change because the answer cannot be had."""
    process = town.process()
    town.typed("authority-add", OURS, town.corp.file)
    assert "200" == process.ask(OURS)
    with town.app.app_context(), db.engine.begin() as connection:
        connection.execute(text("DROP TABLE host_authorities"))
    process.clock.advance(seconds=60)

    assert ["200", NOT_TRUSTED] == [process.ask(OURS), process.ask(OTHER)]
    assert NOT_TRUSTED == town.process().ask(OURS)


def test_the_doctor_of_the_deployment_tells_before_one_runs_out(town: Town) -> None:
    town.typed("authority-add", OURS, town.corp.file)
    soon = Authority(town.corp.folder, "Short", until=NOW.replace(month=4, day=1))
    town.typed("authority-add", OTHER, soon.file)

    with town.app.app_context():
        said = {
            one.text: one.well for one in doctor.examine(town.runtime) if one.part == "authority"
        }
        town.clock.advance(days=60)
        later = [one.text for one in doctor.examine(town.runtime) if not one.well]

    assert {f"{OURS} until 2090-01-01": True} == {text: well for text, well in said.items() if well}
    (bad,) = (text for text, well in said.items() if not well)
    assert f"the one of {OTHER} runs out on 2026-04-01" in bad
    assert f"flask authority-add {OTHER} FILE" in bad
    assert any("ran out on 2026-04-01" in text for text in later)
    assert "RAN OUT  2026-04-01" in town.typed("authority-list", OTHER).output
