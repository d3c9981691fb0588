"""Reading a calendar by SyncFolderItems and GetItem, in good and in bad weather."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from werkzeug.wrappers import Response

from broker.domain import Changes, RemoteEvent, window_at
from broker.errors import (
    CursorExpired,
    PermissionMissing,
    ProtocolError,
    ProviderUnavailable,
    RateLimited,
)
from broker.providers._ews import changes
from tests.providers.ews_mailbox import (
    NOW,
    Mailbox,
    asked_for,
    created,
    last_page,
    single,
)
from tests.providers.ews_samples import NAMESPACES, answer, envelope, error, item, message, synced

WINDOW = window_at(NOW)
SERIES = item(
    "<t:Subject>Weekly</t:Subject><t:Start>2026-11-24T13:00:00Z</t:Start>"
    "<t:End>2026-11-24T14:00:00Z</t:End><t:CalendarItemType>RecurringMaster</t:CalendarItemType>"
    "<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>"
    "<t:NoEndRecurrence><t:StartDate>2026-11-24</t:StartDate></t:NoEndRecurrence></t:Recurrence>"
    "<t:ModifiedOccurrences>"
    '<t:Occurrence><t:ItemId Id="X1" ChangeKey="a"/><t:Start>2026-11-25T15:00:00Z</t:Start>'
    "<t:End>2026-11-25T16:00:00Z</t:End><t:OriginalStart>2026-11-25T13:00:00Z</t:OriginalStart>"
    '</t:Occurrence><t:Occurrence><t:ItemId Id="X2" ChangeKey="a"/>'
    "<t:Start>2026-11-26T15:00:00Z</t:Start><t:End>2026-11-26T16:00:00Z</t:End>"
    "<t:OriginalStart>2026-11-26T13:00:00Z</t:OriginalStart></t:Occurrence>"
    "</t:ModifiedOccurrences>",
    "M1",
)


def read(mailbox: Mailbox, cursor: str | None = None) -> list[Changes]:
    return list(mailbox.client().changes("AAA=", cursor, WINDOW))


def events(pages: list[Changes]) -> dict[str, RemoteEvent]:
    return {event.remote_id: event for page in pages for event in page.events}


def test_nothing_new_costs_one_request() -> None:
    mailbox = Mailbox(pages=[synced("S2")])
    (page,) = read(mailbox, "ews:S1")

    assert ("ews:S2", (), False) == (page.cursor, tuple(page.events), page.complete)
    assert ["SyncFolderItems"] == mailbox.names()
    assert b"<m:SyncState>S1</m:SyncState>" in mailbox.asked[0][1]


def test_a_listing_is_read_in_batches_and_the_cursor_comes_last() -> None:
    ids = [f"A{number}" for number in range(60)]
    mailbox = Mailbox(
        {one: single(one) for one in ids},
        [
            synced("S1", created(*ids[:55]), is_last=False),
            synced("S2", created(*ids[55:]) + '<t:Delete><t:ItemId Id="Old"/></t:Delete>'),
        ],
    )
    pages = read(mailbox)

    assert set(ids) == set(events(pages))
    assert ["SyncFolderItems", "GetItem", "GetItem", "SyncFolderItems", "GetItem"] == (
        mailbox.names()
    )
    assert [50, 5, 5] == [len(asked_for(body)) for name, body in mailbox.asked if name == "GetItem"]
    assert [None, None, "ews:S2"] == [page.cursor for page in pages]
    assert all(page.complete and page.whole_series for page in pages)
    assert frozenset({"Old"}) == pages[-1].deleted


def listed(mailbox: Mailbox) -> list[int]:
    """Count the events of each page of a first reading; the last page brings only the cursor."""
    pages = read(mailbox)
    assert not pages[-1].events
    return [len(page.events) for page in pages[:-1]]


def test_several_answers_make_one_page() -> None:
    """What is written together costs less; and no page takes as long as a whole listing."""
    ids = [f"A{number}" for number in range(10 * 50 + 1)]
    mailbox = Mailbox({one: single(one) for one in ids}, [last_page(*ids)])

    assert [300, 201] == listed(mailbox)
    assert 11 == mailbox.names().count("GetItem")


def test_long_texts_make_short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "PAGE_CHARACTERS", 70 * 1_000)
    ids = [f"A{number}" for number in range(160)]
    text = f"<t:Body>{'x' * 1_000}</t:Body><t:Subject>"
    items = {one: single(one).replace("<t:Subject>", text) for one in ids}

    assert [100, 60] == listed(Mailbox(items, [last_page(*ids)]))


def test_series_with_many_exceptions_make_short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "PAGE_CHARACTERS", 10_000)
    ids = [f"M{number}" for number in range(60)]
    items = {one: SERIES.replace('"M1"', f'"{one}"') for one in ids}

    assert [50 * 3, 10 * 3] == listed(Mailbox(items, [last_page(*ids)]))


def test_the_past_is_not_read_and_the_future_is() -> None:
    times = "<t:End>{end}</t:End><t:CalendarItemType>{kind}</t:CalendarItemType>".format
    mailbox = Mailbox(
        {one: single(one) for one in ("Old", "New", "Far", "Odd")} | {"M1": SERIES},
        [
            synced(
                "S1",
                created("Old", content=times(end="2020-01-01T00:00:00Z", kind="Single"))
                + created("New", content=times(end="2026-11-24T14:00:00Z", kind="Single"))
                + created("Far", content=times(end="2036-11-24T14:00:00Z", kind="Single"))
                + created("Odd", content=times(end="soon", kind="Single"))
                + created("M1", content=times(end="2020-01-01T00:00:00Z", kind="RecurringMaster")),
            )
        ],
    )
    read(mailbox)

    assert ["New", "Far", "Odd", "M1"] == asked_for(mailbox.asked[1][1])


def test_a_server_that_gives_no_times_is_asked_for_everything() -> None:
    past = single("Old", day=10).replace("2026-11", "2020-11")
    mailbox = Mailbox({"Old": past}, [last_page("Old")])
    assert {} == events(read(mailbox))
    # What changed is told, wherever it is: it may have been in the window before.
    assert {"Old"} == set(events(read(mailbox, "ews:S0")))


def test_exceptions_come_with_their_series() -> None:
    later = item(
        "<t:Subject>Later</t:Subject><t:Start>2026-11-25T15:00:00Z</t:Start>"
        "<t:End>2026-11-25T16:00:00Z</t:End>",
        "X1",
    )
    mailbox = Mailbox({"M1": SERIES, "X1": later, "A1": single("A1")}, [last_page("M1", "A1")])
    page = read(mailbox, "ews:S0")[0]

    found = events([page])
    assert {"M1", "A1", "M1#20261125T130000Z", "M1#20261126T130000Z"} == set(found)
    assert "Later" == found["M1#20261125T130000Z"].content.summary
    # The other one could not be read: its times are known from the series.
    assert "Weekly" == found["M1#20261126T130000Z"].content.summary
    start = found["M1#20261126T130000Z"].start
    assert start is not None and datetime(2026, 11, 26, 15, tzinfo=UTC) == start.at
    assert page.whole_series


def test_what_cannot_be_read_stays_as_it_was() -> None:
    mailbox = Mailbox(
        {
            "A1": single("A1"),
            "Bad": item("<t:Start>soon</t:Start>", "Bad"),
            "Rule": SERIES.replace("DailyRecurrence", "HourlyRecurrence"),
            "Mail": '<t:Message><t:ItemId Id="Mail"/></t:Message>',
        },
        [last_page("A1", "Bad", "Rule", "Mail", "Lost")],
    )
    page = read(mailbox)[0]

    assert ["A1"] == [event.remote_id for event in page.events]
    assert {"Bad", "Rule", "Lost"} == page.skipped
    assert frozenset() == page.deleted


def test_what_is_deleted_while_it_is_read_is_not_damaged() -> None:
    """The next listing says that it is gone."""
    mailbox = Mailbox({"A1": single("A1")}, [last_page("A1", "Lost")])
    (page, last) = read(mailbox, "ews:S0")

    assert ["A1"] == [event.remote_id for event in page.events]
    assert frozenset() == page.skipped == page.deleted and "ews:S1" == last.cursor


def test_a_series_that_was_called_off_takes_its_changed_occurrences_along() -> None:
    """Without their series they would be events of their own."""
    cancelled = SERIES.replace(
        "<t:Recurrence>", "<t:IsCancelled>true</t:IsCancelled><t:Recurrence>"
    )
    mailbox = Mailbox({"M1": cancelled, "X1": single("X1"), "X2": single("X2")}, [last_page("M1")])
    page = read(mailbox, "ews:S0")[0]

    assert [("M1", True)] == [(event.remote_id, event.cancelled) for event in page.events]
    assert 1 == mailbox.names().count("GetItem")


def test_other_things_in_the_folder_are_passed_over() -> None:
    strange = (
        '<t:Create><t:MeetingRequest><t:ItemId Id="R1"/></t:MeetingRequest></t:Create>'
        '<t:ReadFlagChange><t:ItemId Id="R2"/></t:ReadFlagChange><t:Create/>'
        '<t:Update><t:Booking><t:ItemId Id="B1"/></t:Booking></t:Update>'
    )
    mailbox = Mailbox({"A1": single("A1")}, [synced("S1", strange + created("A1"))])
    assert {"A1"} == set(events(read(mailbox)))


def test_an_item_that_came_and_went_is_gone() -> None:
    changes = created("A1") + '<t:Delete><t:ItemId Id="A1" ChangeKey="x"/></t:Delete>'
    (page,) = read(Mailbox(pages=[synced("S1", changes)]), "ews:S0")
    assert frozenset({"A1"}) == page.deleted


def test_items_before_which_the_server_stopped_are_asked_for_again() -> None:
    mailbox = Mailbox({one: single(one) for one in ("A1", "A2")}, [last_page("A1", "A2")])

    def stops_once(body: bytes) -> bytes:
        del mailbox.instead["GetItem"]
        stopped = message("GetItem", "<m:Items/>", "ErrorBatchProcessingStopped", "Warning")
        return answer("GetItem", mailbox.message("A1"), stopped)

    mailbox.instead["GetItem"] = stops_once
    assert {"A1", "A2"} == set(events(read(mailbox)))
    assert [["A1", "A2"], ["A2"]] == [asked_for(body) for _, body in mailbox.asked[1:]]


def test_a_server_that_always_stops_is_unavailable() -> None:
    stopped = message("GetItem", "", "ErrorBatchProcessingStopped", "Warning")
    mailbox = Mailbox(
        pages=[last_page("A1")], instead={"GetItem": lambda _: answer("GetItem", stopped)}
    )
    with pytest.raises(ProviderUnavailable):
        read(mailbox)


def test_a_busy_server_stops_the_reading() -> None:
    mailbox = Mailbox(
        pages=[last_page("A1")], instead={"GetItem": lambda _: error("GetItem", "ErrorServerBusy")}
    )
    with pytest.raises(RateLimited):
        read(mailbox)


def test_one_item_that_spoils_its_batch_is_found_and_left_out() -> None:
    ids = [f"A{number}" for number in range(10)]
    mailbox = Mailbox({one: single(one) for one in ids}, [last_page(*ids)])

    def spoiled(body: bytes) -> bytes:
        asked = asked_for(body)
        whole = answer("GetItem", *map(mailbox.message, asked))
        return whole.replace(b"<t:Subject>A7", b"<t:Subject>\xff") if "A7" in asked else whole

    mailbox.instead["GetItem"] = spoiled
    page = read(mailbox)[0]

    assert {"A7"} == page.skipped
    assert set(ids) - {"A7"} == {event.remote_id for event in page.events}


def test_a_server_that_spoils_everything_is_not_believed() -> None:
    mailbox = Mailbox(pages=[last_page("A1", "A2")], instead={"GetItem": lambda _: b"<cut"})
    with pytest.raises(ProtocolError):
        read(mailbox)


def test_ids_that_may_not_be_sent_are_passed_over() -> None:
    bad = created("A&quot;/>", "", "ä") + "<t:Create><t:CalendarItem/></t:Create><t:Delete/>"
    series = SERIES.replace('Id="X1"', 'Id="&lt;x/>"').replace('Id="X2"', "")
    mailbox = Mailbox({"M1": series}, [synced("S1", bad + created("M1"))])
    page = read(mailbox)[0]

    assert ["M1"] == asked_for(mailbox.asked[1][1])
    assert 3 == len(page.events) and frozenset() == page.deleted


@pytest.mark.parametrize("cursor", ["", "S1", "ews:", "ews:a b", "sync:S1", "ews:S1\n"])
def test_a_cursor_of_somebody_else_is_expired(cursor: str) -> None:
    mailbox = Mailbox()
    with pytest.raises(CursorExpired):
        read(mailbox, cursor)
    assert [] == mailbox.asked


def test_a_dead_state_is_an_expired_cursor() -> None:
    dead = error(
        "SyncFolderItems",
        "ErrorInvalidSyncStateData",
        "<m:SyncState/><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange><m:Changes/>",
    )
    with pytest.raises(CursorExpired):
        read(Mailbox(pages=[dead]), "ews:S1")


@pytest.mark.parametrize(
    "page",
    [
        synced("S1", is_last=False),
        synced("", is_last=True),
        answer("SyncFolderItems"),
        answer("SyncFolderItems", message("SyncFolderItems", "<m:SyncState>S2</m:SyncState>")),
    ],
)
def test_a_listing_that_was_cut_is_not_believed(page: bytes) -> None:
    with pytest.raises(ProtocolError):
        read(Mailbox(pages=[page]), "ews:S1")


def test_fewer_answers_than_questions_are_not_believed() -> None:
    mailbox = Mailbox(
        pages=[last_page("A1", "A2")],
        instead={"GetItem": lambda _: answer("GetItem", message("GetItem", "<m:Items/>"))},
    )
    with pytest.raises(ProtocolError):
        read(mailbox)


def changed(*days: int) -> str:
    """Write changed occurrences of SERIES, an hour late, so many days after its first one."""
    at = "<t:{0}>{1:%Y-%m-%d}T{2}:00:00Z</t:{0}>".format
    first = datetime(2026, 11, 24, tzinfo=UTC)
    inside = "".join(
        f'<t:Occurrence><t:ItemId Id="Y{n}" ChangeKey="a"/>{at("Start", day, 14)}'
        f"{at('End', day, 15)}{at('OriginalStart', day, 13)}</t:Occurrence>"
        for n, day in enumerate(first + timedelta(days=days) for days in days)
    )
    return f"<t:ModifiedOccurrences>{inside}</t:ModifiedOccurrences>"


def with_changes(*days: int) -> str:
    head, _, rest = SERIES.partition("<t:ModifiedOccurrences>")
    return head + changed(*days) + rest.partition("</t:ModifiedOccurrences>")[2]


def test_changed_occurrences_of_the_past_are_not_read() -> None:
    mailbox = Mailbox({"M1": with_changes(-2_000, -1_000, -41, 3)}, [last_page("M1")])
    page = read(mailbox, "ews:S0")[0]

    assert ["M1#20261014T130000Z", "M1#20261127T130000Z"] == [
        event.remote_id for event in page.events[1:]
    ]
    assert ["Y2", "Y3"] == asked_for(mailbox.asked[-1][1]) and not page.skipped


def test_more_changes_than_are_read_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MAX_EXCEPTIONS", 3)
    (page, _) = read(Mailbox({"M1": with_changes(*range(5))}, [last_page("M1")]), "ews:S0")
    assert (4, {"M1"}) == (len(page.events), page.skipped)


def home_answer(bias: int, daylight: int = 0, month: int = 0) -> bytes:
    """Write the working hours of somebody whose clocks change, or not."""
    change = (
        "<t:Bias>{}</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>1</t:DayOrder>"
        "<t:Month>{}</t:Month>".format
    )
    zone = (
        f"<t:TimeZone><t:Bias>{bias}</t:Bias><t:StandardTime>{change(0, 4 if month else 0)}"
        f"</t:StandardTime><t:DaylightTime>{change(daylight, month)}</t:DaylightTime></t:TimeZone>"
    )
    return envelope(
        f"<m:GetUserAvailabilityResponse {NAMESPACES}><m:FreeBusyResponseArray><m:FreeBusyResponse>"
        f"<m:FreeBusyView><t:WorkingHours>{zone}</t:WorkingHours></m:FreeBusyView>"
        "</m:FreeBusyResponse></m:FreeBusyResponseArray></m:GetUserAvailabilityResponse>"
    )


NEW_ZEALAND = home_answer(-720, -60, 9)


@pytest.mark.parametrize(
    ("home", "starts"),
    [
        (NEW_ZEALAND, "2026-11-23T11:00:00Z"),  # 13 hours ahead of UTC
        (home_answer(-780), "2026-11-23T11:00:00Z"),
        (home_answer(660), "2026-11-24T11:00:00Z"),
        (home_answer(-60, -60, 3), "2026-11-23T23:00:00Z"),
        (b"<none/>", "2026-11-23T23:00:00Z"),
        (error("GetUserAvailability", "ErrorAccessDenied"), "2026-11-24T05:00:00Z"),
    ],
)
def test_days_without_a_zone_are_the_mailboxs(home: bytes, starts: str) -> None:
    days = f"<t:Start>{starts}</t:Start><t:IsAllDayEvent>true</t:IsAllDayEvent>"
    mailbox = Mailbox({one: item(days, one) for one in ("D1", "D2")}, [last_page("D1", "D2")])
    mailbox.instead["GetUserAvailabilityRequest"] = lambda _: home
    found = events(read(mailbox, "ews:S0"))

    assert 2 == len(found)
    assert {datetime(2026, 11, 24, tzinfo=UTC)} == {e.start.at for e in found.values() if e.start}
    assert 1 == mailbox.names().count("GetUserAvailabilityRequest")


def test_a_series_without_a_zone_keeps_the_mailboxs_wall_time() -> None:
    mailbox = Mailbox({"M1": with_changes()}, [last_page("M1")])
    mailbox.instead["GetUserAvailabilityRequest"] = lambda _: NEW_ZEALAND
    start = events(read(mailbox, "ews:S0"))["M1"].start
    assert start is not None and "Pacific/Auckland" == start.tzid


def test_nobody_is_asked_for_a_zone_without_need() -> None:
    mailbox = Mailbox({"A1": single("A1")}, [last_page("A1")])
    read(mailbox)
    assert ["SyncFolderItems", "GetItem"] == mailbox.names()


FOLDER = (
    '<t:CalendarFolder><t:FolderId Id="{id}" ChangeKey="a"/><t:ParentFolderId Id="{parent}"/>'
    "<t:FolderClass>{kind}</t:FolderClass><t:DisplayName>{name}</t:DisplayName><t:EffectiveRights>"
    "<t:CreateContents>{may}</t:CreateContents></t:EffectiveRights></t:CalendarFolder>"
)


def folder(id: str, name: str, parent: str = "Root", **other: str) -> str:  # noqa: A002
    given = {"kind": "IPF.Appointment", "may": "true", **other}
    return FOLDER.format(id=id, name=name, parent=parent, **given)


def found(*folders: str, is_last: bool = True, offset: int = 0) -> bytes:
    root = (
        f'<m:RootFolder IndexedPagingOffset="{offset}" TotalItemsInView="9"'
        f' IncludesLastItemInRange="{str(is_last).lower()}">'
        f"<t:Folders>{''.join(folders)}</t:Folders></m:RootFolder>"
    )
    return answer("FindFolder", message("FindFolder", root))


def known(*folders: str) -> bytes:
    return answer(
        "GetFolder", *(message("GetFolder", f"<m:Folders>{one}</m:Folders>") for one in folders)
    )


def test_calendars_without_those_in_the_bin() -> None:
    pages = [
        found(
            folder("Cal", "Calendar"), folder("Team", "Team", may="false"), is_last=False, offset=2
        ),
        found(
            folder("Birth", "Birthdays", kind="IPF.Appointment.Birthday"),
            folder("Old", "Old", parent="Bin"),
            folder("Older", "Older", parent="Old"),
            folder("Tasks", "Tasks", kind="IPF.AppointmentLike"),
        ),
    ]
    mailbox = Mailbox(
        instead={
            "GetFolder": lambda _: known(folder("Cal", "Calendar"), folder("Bin", "Deleted")),
            "FindFolder": lambda _: pages.pop(0),
        }
    )
    calendars = {calendar.remote_id: calendar for calendar in mailbox.client().calendars()}

    assert ["Cal", "Team", "Birth"] == list(calendars)
    assert calendars["Cal"].primary and not calendars["Team"].primary
    assert calendars["Team"].read_only and not calendars["Cal"].read_only
    assert not calendars["Birth"].counts_as_busy and calendars["Cal"].counts_as_busy
    assert b'Offset="2"' in mailbox.asked[2][1]


def test_a_cut_list_of_calendars_is_not_believed() -> None:
    mailbox = Mailbox(
        instead={
            "GetFolder": lambda _: known(folder("Cal", "Calendar"), folder("Bin", "Deleted")),
            "FindFolder": lambda _: found(is_last=False),
        }
    )
    with pytest.raises(ProtocolError):
        mailbox.client().calendars()


@pytest.mark.parametrize(
    ("code", "kind"),
    [("ErrorFolderNotFound", ProviderUnavailable), ("ErrorAccessDenied", PermissionMissing)],
)
def test_a_mailbox_without_folders_loses_no_calendar(code: str, kind: type[Exception]) -> None:
    mailbox = Mailbox(
        instead={
            "GetFolder": lambda _: known(folder("Cal", "Calendar"), folder("Bin", "Deleted")),
            "FindFolder": lambda _: error("FindFolder", code),
        }
    )
    with pytest.raises(kind):
        mailbox.client().calendars()


def test_a_server_that_pauses_is_waited_for() -> None:
    mailbox = Mailbox(instead={"SyncFolderItems": lambda _: Response(status=503)})
    with pytest.raises(RateLimited):
        read(mailbox)
