"""The lock-out guard: refusals are counted for everybody, for good, and before they happen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from broker.errors import BrokerError, LoginRejected, ProviderUnavailable, UserError
from broker.ids import new_key
from broker.logins import Login
from broker.models import db, transaction
from broker.services import housekeeping, login_guard, login_rules, tasks
from broker.services.login_rules import LONGEST_PAUSE, PER_LOGIN, WINDOW
from broker.services.tasks import Kind
from broker.trace import Step
from tests.world import World

ADA = Login("https://dav.example.com/", "ada@example.com", "wrong")


class Server:
    """Stands behind the guard; *refused_at* is when it refused a login."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.refused_at: list[datetime] = []

    def refuse(self) -> None:
        self.refused_at.append(self.world.clock.now())
        raise LoginRejected("login_rejected")

    def be_away(self) -> None:
        raise ProviderUnavailable("caldav", "discover", 503)

    def accept(self) -> None:
        pass


@pytest.fixture
def server(world: World) -> Server:
    return Server(world)


def attempt(
    world: World,
    action: Callable[[], None],
    login: Login = ADA,
    *,
    slug: str = "caldav",
    client: str = "203.0.113.7",
    application: str = "app_acme",
    seen_host: str = "",
    steps: Sequence[Step] = (),
    names: int = 1,
    may: list[int] | None = None,
) -> str:
    """Try a login under the guard; gives the name of what stopped it, empty for success.

    *may* is told how many of the *names* were allowed.
    """
    steps = [Step("discover", seen_host, "401", 5)] if seen_host else steps
    with world.app.app_context():
        try:
            with login_guard.guarding(
                world.runtime,
                slug,
                login,
                steps,
                client_address=client,
                application_id=application,
                names=names,
            ) as allowed:
                may = may if may is not None else []
                may.append(allowed)
                action()
        except UserError as error:
            return error.code
        except BrokerError as error:
            return type(error).__name__
    return ""


def refuse_until_paused(world: World, server: Server, **how: Any) -> int:
    """Refuse until the guard steps in; gives how many refusals reached the server."""
    before = len(server.refused_at)
    while attempt(world, server.refuse, **how) == "login_rejected":
        pass
    return len(server.refused_at) - before


def test_after_three_refusals_the_login_is_paused(world: World, server: Server) -> None:
    said = [attempt(world, server.refuse) for _ in range(5)]

    assert said == ["login_rejected"] * 3 + ["paused_after_refusals"] * 2
    assert len(server.refused_at) == PER_LOGIN


def test_a_pause_holds_back_the_right_password_too(world: World, server: Server) -> None:
    refuse_until_paused(world, server)

    assert attempt(world, server.accept) == "paused_after_refusals"
    world.clock.advance(minutes=15)
    assert attempt(world, server.accept) == ""


def test_pauses_double_to_four_hours(world: World, server: Server) -> None:
    lengths = []
    for _ in range(7):
        refuse_until_paused(world, server)
        began = world.clock.now()
        while attempt(world, server.be_away) == "paused_after_refusals":
            world.clock.advance(minutes=15)
        lengths.append((world.clock.now() - began) / timedelta(minutes=15))

    assert lengths == [1, 2, 4, 8, 16, 16, 16]


def test_a_day_without_refusals_starts_the_pauses_again(world: World, server: Server) -> None:
    for _ in range(3):
        refuse_until_paused(world, server)
        world.clock.advance(hours=4)
    world.clock.advance(days=1)

    refuse_until_paused(world, server)
    world.clock.advance(minutes=15)

    assert attempt(world, server.accept) == ""


def test_a_success_forgives_nothing(world: World, server: Server) -> None:
    """Whoever has a server under the same name proves there whatever they like."""
    own = Login("https://attacker.nas-names.test/", "ada", "right")
    victim = "https://victim.nas-names.test/"
    for number in range(40):
        attempt(world, server.refuse, Login(victim, "ada", f"guess-{number}"))
        attempt(world, server.accept, own, seen_host="attacker.nas-names.test")

    assert len(server.refused_at) <= PER_LOGIN + 1
    world.clock.advance(minutes=30)
    assert refuse_until_paused(world, server, login=Login(victim, "ada", "late")) == PER_LOGIN
    world.clock.advance(minutes=30)
    assert attempt(world, server.accept, Login(victim, "ada", "late")) == "paused_after_refusals"


def test_a_slow_success_gives_back_no_chance_that_another_took(
    world: World, server: Server
) -> None:
    """It had its seat from before the pause."""

    def meanwhile() -> None:
        for guess in GUESSES[:10]:
            attempt(world, server.refuse, guess)

    attempt(world, meanwhile, RIGHT)
    for guess in GUESSES[10:]:
        attempt(world, server.refuse, guess)

    assert len(server.refused_at) <= PER_LOGIN + 1


def test_faults_and_successes_are_not_counted(world: World, server: Server) -> None:
    for _ in range(30):
        assert attempt(world, server.be_away) == "ProviderUnavailable"
        assert attempt(world, server.accept) == ""

    assert refuse_until_paused(world, server) == PER_LOGIN


@pytest.mark.parametrize(
    "other",
    [
        Login("https://dav.example.com/other/path", "ada@example.com", "wrong"),
        Login("https://DAV.example.com:8443/", " Ada@Example.com ", "wrong"),
        Login("cal.example.com", "ada@example.com", "wrong"),
        Login("ada@example.com", "", "wrong"),
        Login("https://dav.example.com./", "\uff41da@example.com", "wrong"),
        Login("https://dav.example.com/", "ada", "wrong"),
        Login("https://dav.example.com/", "ada@mail.example.com", "wrong"),
        Login("https://dav.example.com/", "CORP\\ada", "wrong"),
        Login("https://dav.example.com/", "corp.example.com\\ Ada", "wrong"),
        Login("https://dav.example.com/", "\\ada@example.com", "wrong"),
        Login("https://dav.example.com/", "\u00e1da\u0301", "wrong"),
        Login("https://dav.example.com/", "ad\u00ada\u200b", "wrong"),
    ],
)
def test_other_spellings_are_the_same_login(world: World, server: Server, other: Login) -> None:
    refuse_until_paused(world, server)

    assert attempt(world, server.accept, other) == "paused_after_refusals"


def test_the_server_that_refused_counts_whatever_was_typed(world: World, server: Server) -> None:
    typed = Login("https://one.test/", "ada@example.com", "wrong")
    refuse_until_paused(world, server, login=typed, seen_host="dav.example.com")

    assert attempt(world, server.accept) == "paused_after_refusals"


def test_a_host_counts_in_letters_as_in_dns(world: World, server: Server) -> None:
    refuse_until_paused(world, server, login=replace(ADA, url="https://dav.b\u00fccher.example/"))
    again = replace(ADA, url="https://dav.xn--bcher-kva.example/")

    assert attempt(world, server.accept, again) == "paused_after_refusals"


def test_another_form_is_no_way_around_the_limit(world: World, server: Server) -> None:
    """Both would ask the same directory."""
    refuse_until_paused(world, server, slug="exchange")

    assert attempt(world, server.accept, slug="caldav") == "paused_after_refusals"


@pytest.mark.parametrize("way", ["said yes to", "redirected"])
def test_many_domains_that_lead_to_one_server_are_one_login(
    world: World, server: Server, way: str
) -> None:
    """Their owner says yes to somebody else's server, or names its mail domain and leads there."""
    steps = [Step("GetFolder", "mail.victim.test", "401", 5, refused=True)]
    for n in range(6):
        typed = Login("", "CORP\\ada", f"guess {n}", email=f"x@evil{n}.test")
        led = replace(typed, confirmed=frozenset({"mail.victim.test:8443"}))
        if way == "redirected":
            led = replace(typed, url=f"https://mail.evil{n}.test/", email=f"x{n}@victim.test")
        attempt(world, server.refuse, led, slug="exchange", steps=steps)

    assert len(server.refused_at) <= PER_LOGIN + 1


@pytest.mark.parametrize(
    "other",
    [
        Login("https://dav.example.com/", "grace@example.com", "x"),
        Login("https://dav.example.org/", "ada@example.com", "x"),
    ],
)
def test_another_login_is_free(world: World, server: Server, other: Login) -> None:
    refuse_until_paused(world, server)

    assert attempt(world, server.accept, other, client="203.0.113.8") == ""


def test_companies_below_a_shared_ending_are_counted_apart(world: World, server: Server) -> None:
    """Else a success at a server of one's own ends the pause of the same name elsewhere."""
    victim = Login("https://mail.victim.co.uk/", "ada", "wrong")
    refuse_until_paused(world, server, login=victim)
    own = Login("https://mail.attacker.co.uk/", "ada", "right")

    assert attempt(world, server.accept, own) == ""

    assert attempt(world, server.refuse, victim) == "paused_after_refusals"


def test_icloud_and_a_typed_server_are_counted_apart(world: World, server: Server) -> None:
    icloud = Login("", "ada@example.com", "x")
    refuse_until_paused(world, server, login=icloud, slug="apple", seen_host="caldav.icloud.com")

    assert attempt(world, server.accept, icloud, slug="apple") == "paused_after_refusals"
    assert attempt(world, server.accept) == ""


def test_one_address_may_be_refused_twenty_times(world: World, server: Server) -> None:
    def guess(number: int, **how: str) -> str:
        return attempt(world, server.refuse, Login("dav.example.com", f"u{number}", "x"), **how)

    said = [guess(number) for number in range(25)]

    assert said == ["login_rejected"] * 20 + ["TooManyRequests"] * 5
    assert guess(26, client="203.0.113.8") == "login_rejected"
    world.clock.advance(minutes=15)
    assert guess(27) == "login_rejected"


def test_one_application_may_be_refused_two_hundred_times(world: World, server: Server) -> None:
    def guess(number: int, application: str) -> str:
        login = Login("dav.example.com", f"u{number}", "x")
        client = f"203.0.113.{number % 250}"
        return attempt(world, server.refuse, login, client=client, application=application)

    said = [guess(number, "app_acme") for number in range(205)]

    assert said.count("login_rejected") == 200
    assert guess(300, "app_rival") == "login_rejected"


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    """Neither a new process nor an emptied Redis opens the door."""
    keys = {"secret_key": new_key(), "digest_key": new_key(), "key_ring": {"k1": new_key()}}
    first = World(tmp_path, **keys)
    refuse_until_paused(first, Server(first))
    first.close()

    again = World(tmp_path, **keys)

    assert attempt(again, Server(again).accept) == "paused_after_refusals"
    again.close()


def test_many_at_once_reach_the_server_three_times(world: World, server: Server) -> None:
    barrier = Barrier(8)

    def guess() -> None:
        barrier.wait(10)
        attempt(world, server.refuse)

    threads = [Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(server.refused_at) <= PER_LOGIN
    assert len(server.refused_at) + refuse_until_paused(world, server) == PER_LOGIN


def test_a_try_that_never_ends_keeps_its_seat_for_a_window(world: World, server: Server) -> None:
    """A process that dies in the middle may have been refused."""
    own = login_rules.of_login(world.runtime, "caldav", "dav.example.com", ADA.username)
    with world.app.app_context():
        login_guard._take_seats(world.runtime, [own])

    assert refuse_until_paused(world, server) == PER_LOGIN - 1


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["refuse", "accept", "be_away", "background"]),
            st.integers(1, 3 * 60).map(float),
        ),
        max_size=40,
    )
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_window_ever_sees_more_refusals_than_the_limit(
    world: World, history: list[str | float]
) -> None:
    """Whatever happens in whatever order; a background refusal comes on top, but counts."""
    server = Server(world)
    with world.app.app_context(), transaction() as session:
        session.execute(text("DELETE FROM login_refusals"))
    free_of_form: list[datetime] = []
    for happening in history:
        if isinstance(happening, float):
            world.clock.advance(minutes=happening)
        elif happening == "background":
            free_of_form.append(world.clock.now())
            refused_in_background(world)
        else:
            attempt(world, getattr(server, happening))

    for at in server.refused_at:
        within = [one for one in server.refused_at if at <= one < at + WINDOW]
        before = [one for one in free_of_form if at <= one < within[-1]]
        assert len(within) + len(before) <= max(PER_LOGIN, len(before) + 1)


def refused_in_background(world: World) -> None:
    """Count as a job does whose stored password was refused."""
    rule = login_rules.of_login(world.runtime, "caldav", "dav.example.com", ADA.username)
    with world.app.app_context():
        login_guard._note_refusal(world.runtime, [], [rule], connection_id="con_1")


def test_refusals_in_the_background_pause_the_form(world: World, server: Server) -> None:
    attempt(world, server.refuse)
    refused_in_background(world)
    refused_in_background(world)

    assert attempt(world, server.accept) == "paused_after_refusals"


def test_what_is_stored_names_nobody_and_pauses_are_on_the_record(
    world: World, server: Server
) -> None:
    # Longer than what digests and ids hold by chance.
    refuse_until_paused(world, server, login=replace(ADA, username="lovelace@example.com"))

    stored = repr(world.rows("SELECT * FROM login_refusals"))
    assert "lovelace" not in stored.lower() and "203.0" not in stored and "app_acme" not in stored
    (entry,) = world.rows("SELECT * FROM audit_entries WHERE act = 'login_paused'")
    assert entry.application_id == "app_acme"
    assert "lovelace" not in repr(entry).lower() and "example" not in repr(entry)


def test_old_counts_are_cleaned_up_and_pauses_are_not(world: World, server: Server) -> None:
    attempt(world, server.refuse, Login("dav.example.com", "grace", "x"))
    refuse_until_paused(world, server)
    with world.app.app_context(), transaction() as session:
        session.execute(
            text("UPDATE login_refusals SET paused_until = '2026-03-12' WHERE pauses > 0")
        )
    assert world.count("login_refusals") == 4
    world.clock.advance(days=1, minutes=1)

    clean_up(world)
    assert world.count("login_refusals") == 1
    world.clock.advance(days=3)
    clean_up(world)
    assert world.count("login_refusals") == 0


def clean_up(world: World) -> None:
    """Run the hourly task."""
    with world.app.app_context():
        housekeeping.ensure(world.runtime)
        now = world.clock.now()
        with transaction() as session:
            task_id = tasks.want(session, Kind.CLEAN_UP, "broker", now, now)
        lease = tasks.claim(world.runtime, task_id)
        assert lease is not None
        housekeeping.clean_up(world.runtime, lease)
        db.session.remove()


def test_the_longest_pause_is_the_limit_of_doubling(world: World) -> None:
    rule = login_rules.of_login(world.runtime, "caldav", "a.test", "ada")

    assert rule.pause_after(10_000) == LONGEST_PAUSE


RIGHT = Login(ADA.url, ADA.username, "right")
GUESSES = [Login(ADA.url, ADA.username, f"guess-{number}") for number in range(40)]


def test_a_pause_lets_one_other_password_through(world: World, server: Server) -> None:
    """The person has found the right one: nothing is gained by keeping it waiting."""
    refuse_until_paused(world, server)

    assert attempt(world, server.accept, RIGHT) == ""

    assert attempt(world, server.accept, RIGHT) == ""
    assert attempt(world, server.accept) == "paused_after_refusals"


def test_a_pause_lets_no_second_guess_through(world: World, server: Server) -> None:
    """Three and one: below what directories lock an account after, and the pause grows."""
    refuse_until_paused(world, server)

    said = [attempt(world, server.refuse, guess) for guess in GUESSES]

    assert said == ["login_rejected"] + ["paused_after_refusals"] * (len(GUESSES) - 1)
    assert attempt(world, server.accept, RIGHT) == "paused_after_refusals"
    world.clock.advance(minutes=29)
    assert attempt(world, server.accept, RIGHT) == "paused_after_refusals"
    world.clock.advance(minutes=1)
    assert attempt(world, server.accept, RIGHT) == ""


def test_a_chance_that_came_to_nothing_is_given_back(world: World, server: Server) -> None:
    refuse_until_paused(world, server)

    assert attempt(world, server.be_away, RIGHT) == "ProviderUnavailable"

    assert attempt(world, server.accept, RIGHT) == ""


def test_the_password_that_was_refused_elsewhere_is_known(world: World, server: Server) -> None:
    """What a job was refused with counts as refused for the form as well."""
    own = login_rules.of_login(world.runtime, "caldav", "dav.example.com", ADA.username)
    with world.app.app_context():
        for _ in range(PER_LOGIN):
            login_guard._note_refusal(world.runtime, [], [own], password="stored")

    stored = Login(ADA.url, ADA.username, "stored")
    assert attempt(world, server.accept, stored) == "paused_after_refusals"
    assert attempt(world, server.accept, RIGHT) == ""


def test_a_pause_that_ran_out_is_on_the_record_once(world: World, server: Server) -> None:
    refuse_until_paused(world, server)
    world.clock.advance(hours=1)

    for _ in range(3):
        assert attempt(world, server.accept) == ""

    released = world.rows("SELECT detail FROM audit_entries WHERE act = 'login_released'")
    assert ["over" in detail for (detail,) in released] == [True]


def test_nothing_of_a_refused_password_is_stored(world: World, server: Server) -> None:
    refuse_until_paused(world, server)
    other = Login(ADA.url, "grace@example.com", ADA.password)
    for _ in range(PER_LOGIN):
        attempt(world, server.refuse, other)

    kept = world.rows("SELECT refused_passwords FROM login_refusals WHERE pauses > 0")

    digests = [digest for (digest,) in kept if digest]
    assert [len(digest) for digest in digests] == [6, 6]
    assert digests[0] != digests[1]
    assert ADA.password.encode() not in b"".join(digests)


@given(st.lists(st.sampled_from(range(len(GUESSES))), max_size=30), st.integers(1, 40))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_guessing_gets_four_tries_in_a_window_at_most(
    world: World, numbers: list[int], minutes: int
) -> None:
    server = Server(world)
    with world.app.app_context(), transaction() as session:
        session.execute(text("DELETE FROM login_refusals"))
    for number in numbers:
        attempt(world, server.refuse, GUESSES[number])
        world.clock.advance(minutes=minutes / 10)

    for at in server.refused_at:
        assert sum(at <= one < at + WINDOW for one in server.refused_at) <= PER_LOGIN + 1


def test_a_name_that_was_refused_counts_though_the_next_was_let_in(
    world: World, server: Server
) -> None:
    """Where one try offers two names, what was sent is what counts."""
    steps = [Step("login", "dav.test", "401", 5, tried="NTLM", refused=True)]
    said = [attempt(world, server.accept, steps=steps) for _ in range(4)]

    assert said == ["", "", "", "paused_after_refusals"]


def test_two_names_that_were_refused_count_twice(world: World, server: Server) -> None:
    steps = [Step("login", "dav.test", "401", 5, tried="NTLM", refused=True)] * 2
    said = [attempt(world, server.refuse, steps=steps) for _ in range(3)]

    assert said == ["login_rejected", "login_rejected", "paused_after_refusals"]


def test_no_more_names_are_offered_than_may_be_refused(world: World, server: Server) -> None:
    one = Step("login", "dav.test", "401", 5, tried="NTLM", refused=True)
    may: list[int] = []

    attempt(world, server.refuse, steps=[one, one], names=2, may=may)
    said = attempt(world, server.refuse, steps=[one], names=2, may=may)

    assert (may, said) == ([2, 1], "login_rejected")
    assert attempt(world, server.refuse, names=2, may=may) == "paused_after_refusals"
    assert may == [2, 1]


def test_what_was_taken_for_a_second_name_is_given_back(world: World, server: Server) -> None:
    """Both seats after a success, one of them where only one name was refused."""
    one = Step("login", "dav.test", "401", 5, tried="NTLM", refused=True)
    may: list[int] = []

    for _ in range(5):
        attempt(world, server.accept, names=2, may=may)
    attempt(world, server.refuse, steps=[one], names=2, may=may)
    attempt(world, server.be_away, names=2, may=may)
    attempt(world, server.accept, steps=[one], names=2, may=may)
    attempt(world, server.refuse, steps=[one], names=2, may=may)

    assert may == [2] * 8 + [1]
    assert attempt(world, server.accept) == "paused_after_refusals"
