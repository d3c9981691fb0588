"""Items that spoil the answers that they are in: found, left out, and no reason to stop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import pairwise

import pytest
from werkzeug.wrappers import Response

from broker.domain import Changes, window_at
from broker.errors import ProtocolError, ProviderUnavailable, RateLimited
from broker.providers._ews import fetching
from tests.providers.ews_mailbox import NOW, Mailbox, asked_for, created, last_page, single
from tests.providers.ews_samples import answer, error, fault, message, synced, told

WINDOW = window_at(NOW)
IDS = [f"A{number}" for number in range(50)]
CALENDAR = message(
    "GetFolder",
    '<m:Folders><t:CalendarFolder><t:FolderId Id="AAA="/></t:CalendarFolder></m:Folders>',
)
WELL = answer("GetFolder", CALENDAR)
FAILED = message("GetItem", "<m:Items/>", "ErrorInternalServerError", "Error")
STOPPED = message("GetItem", "<m:Items/>", "ErrorBatchProcessingStopped", "Warning")
Spoiling = Callable[[Mailbox, list[str], set[str]], bytes | Response]


def one_by_one(mailbox: Mailbox, asked: list[str], damaged: set[str]) -> bytes:
    return answer("GetItem", *(FAILED if a in damaged else mailbox.message(a) for a in asked))


def stopping(mailbox: Mailbox, asked: list[str], damaged: set[str]) -> bytes:
    at = next(at for at, one in enumerate(asked) if one in damaged)
    before = map(mailbox.message, asked[:at])
    return answer("GetItem", *before, FAILED, *[STOPPED] * (len(asked) - at - 1))


def as_one_message(mailbox: Mailbox, asked: list[str], damaged: set[str]) -> bytes:
    return answer("GetItem", FAILED)


def as_a_fault(mailbox: Mailbox, asked: list[str], damaged: set[str]) -> Response:
    return Response(fault("ErrorInternalServerError"), 500, content_type="text/xml")


def as_a_page(mailbox: Mailbox, asked: list[str], damaged: set[str]) -> Response:
    return Response("<html>Server Error in '/EWS' Application.", 500)


def without_end(mailbox: Mailbox, asked: list[str], damaged: set[str]) -> bytes:
    return answer("GetItem", *map(mailbox.message, asked))[:-20]


EVERY_WAY = [one_by_one, stopping, as_one_message, as_a_fault, as_a_page, without_end]


def damaged_mailbox(spoiling: Spoiling, damaged: set[str], ids: list[str] = IDS) -> Mailbox:
    """Give a mailbox whose answers about *damaged* items are spoiled."""
    mailbox = Mailbox({one: single(one) for one in ids}, [last_page(*ids)])

    def get_item(body: bytes) -> bytes | Response:
        asked = asked_for(body)
        if damaged & set(asked):
            return spoiling(mailbox, asked, damaged)
        return answer("GetItem", *map(mailbox.message, asked))

    mailbox.instead = {"GetItem": get_item, "GetFolder": lambda _: WELL}
    return mailbox


def read(mailbox: Mailbox, cursor: str | None = "ews:S0") -> list[Changes]:
    return list(mailbox.client().changes("AAA=", cursor, WINDOW))


@pytest.mark.parametrize("spoiling", EVERY_WAY)
@pytest.mark.parametrize("damaged", [{"A7"}, {"A0", "A1", "A49"}])
def test_damaged_items_hold_up_none_of_the_others(
    spoiling: Spoiling, damaged: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    mailbox = damaged_mailbox(spoiling, damaged)
    with caplog.at_level(logging.WARNING):
        pages = read(mailbox)

    assert damaged == pages[0].skipped
    assert set(IDS) - damaged == {event.remote_id for event in pages[0].events}
    # What stays as it was is not gone, and the reading is not the last one to get here.
    assert frozenset() == pages[0].deleted | pages[-1].deleted
    assert "ews:S1" == pages[-1].cursor
    assert len(damaged) == [record.message for record in caplog.records].count("item left out")
    assert len(mailbox.asked) < 50


@pytest.mark.parametrize("spoiling", EVERY_WAY)
def test_a_single_change_may_be_the_damaged_one(spoiling: Spoiling) -> None:
    pages = read(damaged_mailbox(spoiling, {"A1"}, ["A1"]))
    assert ({"A1"}, "ews:S1") == (pages[0].skipped, pages[-1].cursor)


@pytest.mark.parametrize("spoiling", EVERY_WAY)
@pytest.mark.parametrize("status", [500, 503])
def test_a_mailbox_that_is_unwell_has_no_damaged_items(spoiling: Spoiling, status: int) -> None:
    mailbox = damaged_mailbox(spoiling, {"A1"}, ["A1"])
    mailbox.instead["GetFolder"] = lambda _: Response(status=status)
    with pytest.raises((ProviderUnavailable, ProtocolError, RateLimited)):
        read(mailbox)


def test_a_server_that_failed_once_gives_the_item_yet() -> None:
    mailbox = Mailbox({"A1": single("A1")}, [last_page("A1")], {"GetFolder": lambda _: WELL})

    def fails_once(body: bytes) -> bytes:
        del mailbox.instead["GetItem"]
        return error("GetItem", "ErrorInternalServerError")

    mailbox.instead["GetItem"] = fails_once
    (page, _) = read(mailbox)
    assert ["A1"] == [event.remote_id for event in page.events] and not page.skipped


def test_many_damaged_items_are_a_server_that_is_not_well() -> None:
    damaged = set(IDS[: fetching.MOST_DAMAGED + 2])
    with pytest.raises(ProviderUnavailable):
        read(damaged_mailbox(one_by_one, damaged, sorted(damaged)))
    # Among many that are well they are believed.
    (page, _) = read(damaged_mailbox(one_by_one, damaged, IDS))
    assert damaged == page.skipped


def test_a_hidden_pause_is_no_damage() -> None:
    busy = told(InnerErrorResponseCode="ErrorServerBusy", BackOffMilliseconds="1000")
    mailbox = damaged_mailbox(
        lambda *_: error("GetItem", "ErrorInternalServerError", busy), {"A1"}, ["A1"]
    )
    with pytest.raises(RateLimited):
        read(mailbox)


def test_a_small_limit_for_requests_makes_small_batches() -> None:
    mailbox = Mailbox({one: single(one) for one in IDS}, [last_page(*IDS)])

    def limited(body: bytes) -> bytes | Response:
        asked = asked_for(body)
        return Response(status=413) if len(asked) > 20 else one_by_one(mailbox, asked, set())

    mailbox.instead["GetItem"] = limited
    (page, _) = read(mailbox)
    assert set(IDS) == {event.remote_id for event in page.events} and not page.skipped


def test_a_small_limit_for_rows_makes_small_pages() -> None:
    """As many as the server agreed to are asked for from then on."""
    most: list[int] = []
    pages = [synced("S1", created("A1"), is_last=False), synced("S2", created("A2"))]

    def limited(body: bytes) -> bytes:
        most.append(int(body.partition(b"<m:MaxChangesReturned>")[2].partition(b"<")[0]))
        if most[-1] > 100:
            return error("SyncFolderItems", "ErrorExceededFindCountLimit")
        return pages.pop(0)

    mailbox = Mailbox({one: single(one) for one in IDS})
    mailbox.instead["SyncFolderItems"] = limited
    assert "ews:S2" == read(mailbox)[-1].cursor
    assert [512, 256, 128, 64, 64] == most


def test_a_server_that_gives_no_rows_at_all_is_unavailable() -> None:
    for operation in ("SyncFolderItems", "FindFolder"):
        mailbox = Mailbox(instead={"GetFolder": lambda _: answer("GetFolder", CALENDAR, CALENDAR)})
        refusal = error(operation, "ErrorExceededFindCountLimit")
        mailbox.instead[operation] = lambda _, refusal=refusal: refusal
        with pytest.raises(ProviderUnavailable) as raised:
            read(mailbox) if operation == "SyncFolderItems" else mailbox.client().calendars()
        assert "asked for too much" == raised.value.detail
        asked = [body for name, body in mailbox.asked if name == operation]
        assert 1 < len(asked) < 10 and all(a != b for a, b in pairwise(asked))
