"""A company's second person connects: with address and password, and nothing is searched for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.services import learned_servers
from sandbox.exchange.seed import ADA, GRACE
from tests.flows.test_connect_exchange import MAIL, Office, reason_of
from tests.providers.exchange_remote import USER

EWS = f"https://{MAIL}/EWS/Exchange.asmx"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.close()


def learned(office: Office) -> list[tuple[str, str, int]]:
    """Give address, form of the name, and successes of every server."""
    with office.app.app_context():
        found = learned_servers.listed(office.runtime)
    return [(one.server.url, one.server.username, one.successes) for one in found]


def test_a_colleague_is_spared_what_the_first_person_had_to_know(office: Office) -> None:
    """Where nothing is found by searching, too."""
    office.refuse("autodiscover", style="missing")
    office.connected_by_password(url=MAIL, username=USER)
    before = len(office.remote.calls)

    tokens = office.connected_by_password(email=GRACE)
    office.work()

    called = list(office.remote.calls)[before:]
    assert {(MAIL, "/EWS/Exchange.asmx")} == {(call.host, call.path) for call in called}
    assert [(EWS, "CORP\\{local}", 2)] == learned(office)
    assert (GRACE, True) == (
        office.profile(tokens)["profile_name"],
        office.profile(tokens)["profile_connected"],
    )
    assert 0 == office.remote.state.person(GRACE).person.bad_logons


def test_what_a_search_found_is_learned_too(office: Office) -> None:
    office.connected_by_password(email=ADA)

    assert [(EWS, "{email}", 1)] == learned(office)


def test_a_wrong_password_teaches_nothing_and_costs_one_refusal(office: Office) -> None:
    office.connected_by_password(email=GRACE)

    page = office.try_login(password="marked-wrong-password")

    assert "exchange_login_rejected" == reason_of(page)
    assert 1 == office.refusals
    assert [(EWS, "{email}", 1)] == learned(office)


def test_both_names_that_were_refused_are_counted(office: Office) -> None:
    """C4: the guard counts what the directory counted, and not what was submitted.

    Two names are offered while two may be refused: the limit of three holds for the directory.
    """
    office.connected_by_password(url=MAIL, username=USER)

    pages = [office.try_login(email=GRACE, password="marked-wrong") for _ in range(4)]

    assert office.remote.state.person(GRACE).person.bad_logons == 3
    assert [reason_of(page) for page in pages[:2]] == ["exchange_login_rejected"] * 2
    assert "exchange_login_rejected" not in map(reason_of, pages[2:])
