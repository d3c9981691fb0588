"""exchangelib writes to the sandbox's Exchange, and asks it about people."""

from __future__ import annotations

from datetime import timedelta

import pytest
from exchangelib import Account, Body, CalendarItem, EWSDate, EWSDateTime, EWSTimeZone
from exchangelib.errors import (
    ErrorItemNotFound,
    ErrorMailRecipientNotFound,
    ErrorNoFreeBusyAccess,
    ErrorOccurrenceCrossingBoundary,
)
from exchangelib.items import SEND_ONLY_TO_ALL, SEND_TO_NONE
from exchangelib.recurrence import (
    AbsoluteMonthlyPattern,
    AbsoluteYearlyPattern,
    DailyPattern,
    Pattern,
    Recurrence,
    RelativeMonthlyPattern,
    RelativeYearlyPattern,
    WeeklyPattern,
)

from sandbox.exchange.seed import ADA, ALAN, GRACE, ROOM, ROOM_LIST, SERVICE
from tests.sandbox.exchange_client import LONDON, Company

NEW_YORK = EWSTimeZone("America/New_York")


@pytest.fixture
def account(corp: Company) -> Account:
    return corp.account()


def at(day: int, hour: int, minute: int = 0, month: int = 12) -> EWSDateTime:
    return EWSDateTime(2026, month, day, hour, minute, tzinfo=LONDON)


def saved(account: Account, **fields: object) -> CalendarItem:
    usual = {"subject": "Tea", "start": at(1, 15), "end": at(1, 16)}
    item = CalendarItem(account=account, folder=account.calendar, **(usual | fields))
    item.save(send_meeting_invitations=SEND_TO_NONE)
    return item


def fresh(account: Account, item: CalendarItem) -> CalendarItem:
    return account.calendar.get(id=item.id)


def test_item_is_updated_and_deleted(corp: Company, account: Account) -> None:
    list(account.calendar.sync_items())
    item = saved(account, location="Canteen", body=Body("x"))
    list(account.calendar.sync_items())
    item.subject, item.start, item.end, item.location = "Tea, late", at(1, 16), at(1, 17), None
    item.save(
        update_fields=["subject", "start", "end", "location"],
        send_meeting_invitations=SEND_TO_NONE,
    )

    changed = fresh(account, item)
    assert ("Tea, late", at(1, 16), None) == (changed.subject, changed.start, changed.location)
    assert [("update", item.id)] == [(kind, one.id) for kind, one in account.calendar.sync_items()]

    item.delete(send_meeting_cancellations=SEND_TO_NONE)

    assert [("delete", changed.id)] == [
        (kind, one.id) for kind, one in account.calendar.sync_items()
    ]
    with pytest.raises(ErrorItemNotFound):
        changed.delete(send_meeting_cancellations=SEND_TO_NONE)


def test_trash_keeps_what_is_moved_there(account: Account) -> None:
    saved(account).move_to_trash(send_meeting_cancellations=SEND_TO_NONE)

    assert ["Tea"] == [one.subject for one in account.trash.all()]
    assert not account.calendar.filter(subject="Tea").exists()


def test_whole_days_are_those_of_the_zone(account: Account) -> None:
    item = saved(account, start=EWSDate(2026, 12, 24), end=EWSDate(2026, 12, 26), is_all_day=True)

    found = fresh(account, item)
    assert (EWSDate(2026, 12, 24), EWSDate(2026, 12, 26)) == (found.start, found.end)
    window = account.calendar.view(start=at(27, 0), end=at(28, 0))
    assert "Tea" not in [one.subject for one in window]


def test_series_keeps_its_wall_time_through_the_change_of_the_clocks(account: Account) -> None:
    start = EWSDateTime(2026, 10, 19, 9, 0, tzinfo=LONDON)
    pattern = WeeklyPattern(interval=1, weekdays=["Monday"], first_day_of_week="Monday")
    boundary = {"start": start.date(), "number": 3}
    item = saved(
        account,
        start=start,
        end=start + timedelta(hours=1),
        recurrence=Recurrence(pattern=pattern, **boundary),
    )

    view = account.calendar.view(start=at(1, 0, month=10), end=at(15, 0, month=11))
    found = [one.start for one in view if one.subject == "Tea"]
    assert [9, 9, 9] == [one.astimezone(LONDON).hour for one in found]
    assert [8, 9, 9] == [one.astimezone(EWSTimeZone("UTC")).hour for one in found]
    master = fresh(account, item)
    assert (found[0], found[-1]) == (master.first_occurrence.start, master.last_occurrence.start)


@pytest.mark.parametrize(
    ("pattern", "days"),
    [
        (DailyPattern(interval=2), [(12, 1), (12, 3), (12, 5)]),
        (AbsoluteMonthlyPattern(interval=1, day_of_month=31), [(12, 31), (1, 31), (2, 28)]),
        (
            RelativeMonthlyPattern(interval=1, weekday="Friday", week_number="Last"),
            [(12, 25), (1, 29), (2, 26)],
        ),
        (AbsoluteYearlyPattern(day_of_month=1, month="December"), [(12, 1), (12, 1), (12, 1)]),
        (
            RelativeYearlyPattern(weekday="WeekendDay", week_number="First", month="December"),
            [(12, 5), (12, 4), (12, 2)],
        ),
    ],
)
def test_every_pattern_expands(
    account: Account, pattern: Pattern, days: list[tuple[int, int]]
) -> None:
    recurrence = Recurrence(pattern=pattern, start=EWSDate(2026, 12, 1), number=3)
    item = saved(account, recurrence=recurrence)

    view = account.calendar.view(start=at(1, 0), end=at(1, 0) + timedelta(days=730))
    later = account.calendar.view(
        start=at(1, 0) + timedelta(days=730), end=at(1, 0) + timedelta(days=1400)
    )
    found = [one.start for one in (*view, *later) if one.subject == "Tea"]
    assert days == [(one.month, one.day) for one in found]
    assert pattern == fresh(account, item).recurrence.pattern


def test_one_occurrence_is_changed_and_one_is_deleted(account: Account) -> None:
    list(account.calendar.sync_items())
    pattern = DailyPattern(interval=1)
    item = saved(
        account, recurrence=Recurrence(pattern=pattern, start=EWSDate(2026, 12, 1), number=4)
    )
    list(account.calendar.sync_items())
    second = item.occurrence(index=2)
    second.refresh()
    second.subject, second.start, second.end = "Tea elsewhere", at(2, 18), at(2, 19)
    second.save(
        update_fields=["subject", "start", "end"],
        send_meeting_invitations=SEND_TO_NONE,
    )
    third = item.occurrence(index=3)
    third.refresh()
    third.delete(send_meeting_cancellations=SEND_TO_NONE)

    view = account.calendar.view(start=at(1, 14), end=at(7, 0))
    found = {one.start.day: one for one in view if one.subject.startswith("Tea")}
    assert {1: "Occurrence", 2: "Exception", 4: "Occurrence"} == {
        day: one.type for day, one in found.items()
    }
    assert at(2, 15) == found[2].recurrence_id and at(2, 18) == found[2].start
    assert [("update", item.id)] == [(kind, one.id) for kind, one in account.calendar.sync_items()]


def test_occurrence_cannot_pass_the_next(account: Account) -> None:
    recurrence = Recurrence(pattern=DailyPattern(interval=1), start=EWSDate(2026, 12, 1), number=4)
    second = saved(account, recurrence=recurrence).occurrence(index=2)
    second.refresh()
    second.start, second.end = at(3, 16), at(3, 17)

    with pytest.raises(ErrorOccurrenceCrossingBoundary):
        second.save(update_fields=["start", "end"], send_meeting_invitations=SEND_TO_NONE)


def test_invitation_reaches_a_colleague_who_accepts(corp: Company, account: Account) -> None:
    item = CalendarItem(
        account=account,
        folder=account.calendar,
        subject="Review",
        start=at(3, 10),
        end=at(3, 11),
        required_attendees=[GRACE, "bo@fabrikam.test"],
    )
    item.save(send_meeting_invitations=SEND_ONLY_TO_ALL)
    grace = corp.account(GRACE, "CORP\\grace")
    invited = grace.calendar.get(subject="Review")

    assert (ADA, "NoResponseReceived") == (
        invited.organizer.email_address,
        invited.my_response_type,
    )
    invited.accept(message_disposition="SendAndSaveCopy")
    assert "Accept" == grace.calendar.get(subject="Review").my_response_type

    fresh(account, item).delete(send_meeting_cancellations=SEND_ONLY_TO_ALL)
    assert grace.calendar.get(subject="Review").is_cancelled
    assert ["REQUEST", "REQUEST", "REPLY", "CANCEL", "CANCEL"] == [
        mail.method for mail in corp.state.world.mails
    ]


def test_free_busy_shows_what_the_caller_may_see(account: Account) -> None:
    start, end = at(22, 0, month=11), at(24, 0, month=11)
    others = [(email, "Required", False) for email in (ADA, GRACE, ROOM)]
    own, grace, room = account.protocol.get_free_busy_info(others, start=start, end=end)

    assert ["DetailedMerged", "DetailedMerged", "DetailedMerged"] == [
        own.view_type,
        grace.view_type,
        room.view_type,
    ]
    busy = [(event.start, event.busy_type, event.details.subject) for event in own.calendar_events]
    assert busy[0] == (
        at(22, 10, month=11),
        "Busy",
        "Engine review; drums & cards",
    )
    assert "00222000" == own.merged[18:26] and "Free" in [one[1] for one in busy]


def test_free_busy_without_rights_has_times_only(corp: Company) -> None:
    alan = corp.account(ALAN, "CORP\\aturing")
    start, end = at(22, 0, month=11), at(30, 0, month=11)
    asked = [(ADA, "Required", False)]
    (ada,) = alan.protocol.get_free_busy_info(asked, start=start, end=end)

    assert "FreeBusyMerged" == ada.view_type
    assert {None} == {event.details for event in ada.calendar_events}


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("nobody@corp.calbroker.test", ErrorMailRecipientNotFound),
        (ALAN, ErrorNoFreeBusyAccess),
    ],
)
def test_free_busy_is_refused_for_one_mailbox(
    account: Account, address: str, code: type[Exception]
) -> None:
    asked = [(address, "Required", False)]

    # exchangelib raises some of these and returns the others.
    with pytest.raises(code):
        for found in account.protocol.get_free_busy_info(asked, start=at(1, 0), end=at(2, 0)):
            raise found


def test_names_and_rooms_are_found(account: Account) -> None:
    assert [GRACE] == [one.email_address for one in account.protocol.resolve_names(["grace"])]
    lists = list(account.protocol.get_roomlists())
    rooms = account.protocol.get_rooms(ROOM_LIST)

    assert [ROOM_LIST] == [one.email_address for one in lists]
    assert [ROOM, "boardroom@corp.calbroker.test"] == [one.email_address for one in rooms]


def test_service_account_acts_for_those_it_may(corp: Company) -> None:
    account = corp.account(GRACE, "CORP\\calsync", impersonate=True)

    assert account.calendar.filter(subject="Navy call").exists()
    assert {SERVICE} == {call.person for call in corp.calls if call.person}
