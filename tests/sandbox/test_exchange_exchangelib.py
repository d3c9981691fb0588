"""exchangelib, which is no work of ours, uses the sandbox's Exchange."""

from __future__ import annotations

from datetime import timedelta

import pytest
from exchangelib import (
    BASIC,
    NTLM,
    Build,
    CalendarItem,
    EWSDate,
    EWSDateTime,
    ExtendedProperty,
)
from exchangelib.errors import UnauthorizedError

from sandbox.exchange.seed import ADA, ALAN, GRACE, add_generated
from tests.sandbox.exchange_client import LONDON, Company


class Tag(ExtendedProperty):
    property_set_id = "c11ff724-aa03-4555-9952-8fa248a11c3e"
    property_name = "BrokerEventId"
    property_type = "String"


def at(day: int, hour: int, minute: int = 0, month: int = 12) -> EWSDateTime:
    return EWSDateTime(2026, month, day, hour, minute, tzinfo=LONDON)


@pytest.mark.parametrize("auth", [NTLM, BASIC])
@pytest.mark.parametrize("login", ["CORP\\ada", ADA])
def test_login_in_every_form(corp: Company, auth: str, login: str) -> None:
    account = corp.account(login=login, auth=auth)

    assert "Calendar" == account.calendar.name
    assert 0 == corp.state.person(ADA).person.bad_logons


def test_user_name_may_differ_from_the_address(corp: Company) -> None:
    with pytest.raises(UnauthorizedError):
        corp.account(ALAN, ALAN).calendar.refresh()

    assert "Calendar" == corp.account(ALAN, "CORP\\aturing").calendar.name
    assert "Calendar" == corp.account(ALAN, "aturing@corp.calbroker.test").calendar.name


def test_ntlm_signs_in_the_connection_once(corp: Company) -> None:
    account = corp.account()
    account.calendar.refresh()
    list(account.calendar.all())

    schemes = [(call.status, call.scheme) for call in corp.calls]
    assert [(401, ""), (401, "ntlm"), (200, "ntlm")] == schemes[:3]
    assert {(200, "")} == set(schemes[3:])


def test_items_are_listed_whole(corp: Company) -> None:
    items = {item.subject: item for item in corp.account().calendar.all()}

    review = items["Engine review; drums & cards"]
    assert "<p>Drums &amp; cards</p>" in review.body
    assert ["grace@corp.calbroker.test", "bo@fabrikam.test"] == [
        attendee.mailbox.email_address for attendee in review.required_attendees
    ]
    assert ADA == review.organizer.email_address and "Room 4" == review.location
    away = items["Holiday in Ockham"]
    assert away.is_all_day and "OOF" == away.legacy_free_busy_status
    assert (EWSDate(2026, 11, 30), EWSDate(2026, 12, 3)) == (away.start, away.end)
    assert "Private" == items["Dentist"].sensitivity
    assert "NoResponseReceived" == items["Compiler steering group"].my_response_type


def test_series_has_exceptions_and_gaps(corp: Company) -> None:
    account = corp.account()
    master = account.calendar.get(subject="Daily stand-up")
    view = [
        item
        for item in account.calendar.view(start=at(16, 0, month=11), end=at(28, 0, month=11))
        if item.subject.startswith("Daily")
    ]

    assert "RecurringMaster" == master.type
    assert [at(24, 9, 15, month=11)] == [one.start for one in master.deleted_occurrences]
    changed = master.modified_occurrences[0]
    assert (at(25, 9, 15, month=11), at(25, 11, 15, month=11)) == (
        changed.original_start,
        changed.start,
    )
    assert {master.uid} == {item.uid for item in view}
    assert ["Occurrence"] * 6 + ["Exception"] + ["Occurrence"] * 2 == [item.type for item in view]
    assert "Daily stand-up (long)" == view[6].subject


def test_item_is_created_tagged_found_and_synced(corp: Company) -> None:
    CalendarItem.register("broker_tag", Tag)
    try:
        account = corp.account()
        list(account.calendar.sync_items())
        made = CalendarItem(
            account=account,
            folder=account.calendar,
            subject="Interview <b>&amp;</b>",
            body="A\nB",
            start=at(1, 9),
            end=at(1, 10),
            required_attendees=[GRACE],
            broker_tag="app1/42",
        )
        made.save(send_meeting_invitations="SendToNone")
        found = list(account.calendar.filter(broker_tag="app1/42"))

        assert ["Interview <b>&amp;</b>"] == [one.subject for one in found]
        assert "Unknown" == found[0].required_attendees[0].response_type
        assert [("create", made.id)] == [
            (kind, item.id) for kind, item in account.calendar.sync_items()
        ]
        assert [] == list(account.calendar.sync_items())
        assert [] == corp.state.world.mails
    finally:
        CalendarItem.deregister("broker_tag")


def test_thousands_are_synced_in_pages(corp: Company) -> None:
    total = add_generated(corp.state, ADA, 700)
    corp.calls.clear()
    account = corp.account()
    found = list(account.calendar.sync_items(max_changes_returned=512, only_fields=[]))

    assert total == len({item.id for _, item in found}) == len(found)
    assert 2 == corp.calls.operations(ADA).count("SyncFolderItems")


def test_subfolders_of_calendars_are_found(corp: Company) -> None:
    folders = corp.account().root.walk()

    names = {folder.name: folder.folder_class for folder in folders}
    assert "IPF.Appointment" == names["Engine works"]
    assert "IPF.Appointment.Birthday" == names["Birthdays"]


def test_reading_asks_once_for_each_thing(corp: Company) -> None:
    account = corp.account()
    account.calendar.refresh()
    corp.calls.clear()
    view = account.calendar.view(start=at(1, 0), end=at(1, 0) + timedelta(days=7)).only("subject")

    assert 5 <= len(list(view))
    assert ["FindItem"] == corp.calls.operations()


def test_calendars_come_change_and_go(corp: Company) -> None:
    root = corp.account().root
    first = [kind for kind, _ in root.sync_hierarchy()]
    person = corp.state.person(ADA)
    made = person.add_calendar("Loom")
    changes = [[(kind, one.name) for kind, one in root.sync_hierarchy()]]
    person.rename_calendar(made.number, "Jacquard loom")
    changes.append([(kind, one.name) for kind, one in root.sync_hierarchy()])
    person.delete_calendar(made.number)
    gone = [kind for kind, _ in root.sync_hierarchy()]

    assert 12 <= len(first) and {"create"} == set(first)
    assert [[("create", "Loom")], [("update", "Jacquard loom")]] == changes
    assert ["delete"] == gone and [] == list(root.sync_hierarchy())


def test_zones_are_told_in_full(corp: Company) -> None:
    (found,) = corp.account().protocol.get_timezones([LONDON], return_full_timezone_data=True)
    standard, daylight, period = found.get_std_and_dst(2026)

    assert ("GMT Standard Time", 0) == (found.id, period.bias_in_minutes)
    assert (10, 5, 2) == (standard.iso_month, standard.occurrence, standard.time.hour)
    assert (3, 5, 1, -60) == (
        daylight.iso_month,
        daylight.occurrence,
        daylight.time.hour,
        daylight.bias,
    )


def test_2007_is_driven_too(corp: Company) -> None:
    corp.faults.set(None, "version", style="Exchange2007_SP1")
    account = corp.account(build=Build(8, 1, 240, 5))
    made = CalendarItem(
        account=account,
        folder=account.calendar,
        subject="Tea",
        start=at(1, 9),
        end=at(1, 10),
    )
    made.save(send_meeting_invitations="SendToNone")

    # Not the times: exchangelib reads MeetingTimeZone by an attribute that the schema lacks.
    assert "Tea" in account.calendar.all().values_list("subject", flat=True)
    assert made.id in [item.id for _, item in account.calendar.sync_items(only_fields=["subject"])]
