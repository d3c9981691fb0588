"""Bad days of the sandbox's Exchange, and requests that no Exchange takes."""

from __future__ import annotations

import re
import ssl
import zlib

import pytest
import requests
from exchangelib.errors import ErrorInvalidSyncStateData, ErrorServerBusy
from lxml import etree

from sandbox.exchange import FAULTS
from sandbox.exchange.certificates import Authority
from sandbox.exchange.seed import ADA, GRACE, add_generated
from sandbox.exchange.versions import VERSIONS
from tests.sandbox.exchange_client import GET_CALENDAR, Company, codes, texts, xml

FIND = (
    '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>'
    '<t:AdditionalProperties><t:FieldURI FieldURI="item:Subject"/></t:AdditionalProperties>'
    '</m:ItemShape>{}<m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/>'
    "</m:ParentFolderIds></m:FindItem>"
)
PAGED = '<m:IndexedPageItemView MaxEntriesReturned="{}" Offset="{}" BasePoint="Beginning"/>'
VIEW = '<m:CalendarView StartDate="{}" EndDate="{}"/>'
SYNC = (
    "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
    '<m:SyncFolderId><t:DistinguishedFolderId Id="calendar"/></m:SyncFolderId>{}'
    "<m:MaxChangesReturned>{}</m:MaxChangesReturned></m:SyncFolderItems>"
)
CREATE = (
    '<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem>{}'
    "</t:CalendarItem></m:Items></m:CreateItem>"
)
SPAN = "<t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2026-12-01T10:00:00Z</t:End>"
ITEMS = FIND.format(PAGED.format(100, 0))


@pytest.mark.parametrize(
    ("fault", "style", "status"),
    [
        ("login_redirect", None, 302),
        ("login_page", None, 200),
        ("forbidden", None, 403),
        ("agent_blocked", "python", 403),
        ("not_found", None, 404),
        ("login_timeout", None, 440),
        ("server_error", None, 500),
        ("not_implemented", None, 501),
        ("bad_gateway", None, 502),
        ("unavailable", None, 503),
    ],
)
@pytest.mark.parametrize("person", [None, ADA])
def test_front_end_misbehaves(
    corp: Company, fault: str, style: str | None, status: int, person: str | None
) -> None:
    params = {"style": style} if style else {}
    corp.faults.set(person, fault, **params)
    answer = corp.ask()

    assert status == answer.status_code and b"Envelope" not in answer.content
    assert (200 if person else status) == corp.ask(login="CORP\\grace").status_code
    corp.faults.clear()
    assert ["NoError"] == codes(corp.ask())


def test_redirects_say_where(corp: Company) -> None:
    corp.faults.set(ADA, "login_redirect")
    assert "/owa/auth/logon.aspx" in corp.ask().headers["Location"]
    corp.faults.set(ADA, "login_redirect", style="error")
    assert "/ews/genericerrorpage.htm" == corp.ask().headers["Location"]


def test_waits_are_told(corp: Company) -> None:
    corp.faults.set(ADA, "unavailable", seconds=7)
    assert "7" == corp.ask().headers["Retry-After"]
    corp.faults.set(ADA, "unavailable", style="bare")
    assert "Retry-After" not in corp.ask().headers


def test_fault_ends_after_its_times_and_begins_after_some(corp: Company) -> None:
    corp.faults.set(ADA, "forbidden", 2, after=1)

    assert [200, 403, 403, 200] == [corp.ask().status_code for _ in range(4)]


@pytest.mark.parametrize(
    ("style", "status", "said"),
    [
        (None, 500, ["ErrorServerBusy"]),
        ("response", 200, ["ErrorServerBusy"]),
        ("inner", 200, ["ErrorInternalServerError"]),
        ("status", 503, []),
    ],
)
def test_busy_comes_in_three_shapes(
    corp: Company, style: str | None, status: int, said: list[str]
) -> None:
    corp.faults.set(ADA, "busy", seconds=30, **({"style": style} if style else {}))
    answer = corp.ask()

    assert status == answer.status_code
    if status == 503:
        assert "30" == answer.headers["Retry-After"]
        return
    values = {found.get("Name"): found.text for found in xml(answer).iter("{*}Value")}
    assert said == codes(answer) and "30000" == values["BackOffMilliseconds"]
    assert (style == "inner") == (values.get("InnerErrorResponseCode") == "ErrorServerBusy")


def test_exchangelib_reads_how_long_to_wait(corp: Company) -> None:
    account = corp.account()
    corp.faults.set(ADA, "busy", seconds=30)

    with pytest.raises(ErrorServerBusy) as caught:
        account.calendar.refresh()
    assert 30 == caught.value.back_off


@pytest.mark.parametrize(
    ("fault", "style", "code"),
    [
        ("fault", None, "ErrorInternalServerError"),
        ("fault", "ErrorADUnavailable", "ErrorADUnavailable"),
        ("response", "ErrorFolderNotFound", "ErrorFolderNotFound"),
        ("mailbox_moved", None, "ErrorMailboxMoveInProgress"),
        ("mailbox_moved", "ErrorNonExistentMailbox", "ErrorNonExistentMailbox"),
    ],
)
def test_codes_can_be_chosen(corp: Company, fault: str, style: str | None, code: str) -> None:
    corp.faults.set(ADA, fault, **({"style": style} if style else {}))

    assert [code] == codes(corp.ask())


def test_batch_is_stopped(corp: Company) -> None:
    ids = [found.get("Id") for found in xml(corp.ask(ITEMS)).iter("{*}ItemId")][:3]
    wanted = "".join(f'<t:ItemId Id="{one}"/>' for one in ids)
    corp.faults.set(ADA, "batch_stopped")
    answer = corp.ask(
        "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
        f"<m:ItemIds>{wanted}</m:ItemIds></m:GetItem>"
    )

    assert ["NoError", "ErrorInternalServerError", "ErrorBatchProcessingStopped"] == codes(answer)
    classes = re.findall(r'ResponseClass="(\w+)"', answer.text)
    assert ["Success", "Error", "Warning"] == classes


@pytest.mark.parametrize("fault", ["reset_before", "reset_after", "truncated_body"])
def test_connection_is_cut(corp: Company, fault: str) -> None:
    corp.faults.set(ADA, fault, 1)

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        _ = corp.ask(ITEMS).content
    assert 200 == corp.ask().status_code


def test_slow_and_dripping(corp: Company) -> None:
    corp.faults.set(ADA, "slow", 1, seconds=9)
    assert ["NoError"] == codes(corp.ask())
    corp.faults.set(ADA, "drip", 1, seconds=20)
    assert ["NoError"] == codes(corp.ask())

    assert [9.0] + [2.0] * 10 == corp.slept


def test_body_never_ends(corp: Company) -> None:
    corp.faults.set(ADA, "endless_body")
    with corp.session() as own:
        own.stream = True
        answer = corp.ask(session=own)
        read = 0
        for chunk in answer.iter_content(65_536):
            read += len(chunk)
            if read > 8_000_000:
                break
        answer.close()

    assert read > 8_000_000


def test_bomb_is_small_on_the_wire(corp: Company) -> None:
    corp.faults.set(ADA, "gzip_bomb")
    with corp.session() as own:
        own.stream = True
        answer = corp.ask(session=own)
        wire = answer.raw.read(2_000_000, decode_content=False)
        answer.close()

    opened = zlib.decompressobj(31)
    head = opened.decompress(wire, 100)
    member = zlib.decompressobj(31).decompress(opened.unused_data, 50_000_000)
    assert head.startswith(b"<?xml") and 50_000_000 == len(member) and len(wire) < 1_500_000


@pytest.mark.parametrize("style", [None, "file"])
def test_entities(corp: Company, style: str | None) -> None:
    corp.faults.set(ADA, "dtd", **({"style": style} if style else {}))
    content = corp.ask(ITEMS).content

    assert b"<!DOCTYPE" in content and b"&j;</t:Subject>" in content


@pytest.mark.parametrize("fault", ["truncated_xml", "control_characters"])
def test_xml_is_damaged(corp: Company, fault: str) -> None:
    corp.faults.set(ADA, fault)

    with pytest.raises(etree.XMLSyntaxError):
        xml(corp.ask(ITEMS))


def test_byte_order_mark_is_harmless(corp: Company) -> None:
    corp.faults.set(ADA, "byte_order_mark")

    assert ["NoError"] == codes(corp.ask(ITEMS))


def test_unknown_kinds_are_among_the_rows(corp: Company) -> None:
    corp.faults.set(ADA, "unknown_kinds")

    assert "<t:Booking>" in corp.ask(ITEMS).text
    state = texts(corp.ask(SYNC.format("", 512)), "SyncState")[0]
    assert "<t:Booking>" in corp.ask(SYNC.format(f"<m:SyncState>{state}</m:SyncState>", 512)).text


@pytest.mark.parametrize("by_fault", [True, False])
def test_sync_state_dies(corp: Company, by_fault: bool) -> None:
    account = corp.account()
    list(account.calendar.sync_items())
    if by_fault:
        corp.faults.set(ADA, "sync_state_dead", 1)
    else:
        corp.state.expire_sync_states(ADA)

    with pytest.raises(ErrorInvalidSyncStateData):
        list(account.calendar.sync_items())


@pytest.mark.parametrize("state", ["AAAA", "!", "H4sIAAAAAAAA"])
def test_sync_state_cannot_be_made_up(corp: Company, state: str) -> None:
    answer = corp.ask(SYNC.format(f"<m:SyncState>{state}</m:SyncState>", 512))

    assert ["ErrorInvalidSyncStateData"] == codes(answer)
    assert ([""], ["true"]) == (
        texts(answer, "SyncState"),
        texts(answer, "IncludesLastItemInRange"),
    )


@pytest.mark.parametrize("most", [0, 513, "x"])
def test_sync_takes_one_to_512(corp: Company, most: object) -> None:
    assert ["ErrorSchemaValidation"] == codes(corp.ask(SYNC.format("", most)))


@pytest.mark.parametrize(
    ("style", "problem"),
    [
        ("wrong_name", "Hostname mismatch|IP address mismatch|doesn't match"),
        ("expired", "certificate has expired"),
        ("unknown_ca", "unable to get local issuer|self-signed"),
        ("self_signed", "self-signed"),
    ],
)
def test_certificates(corp: Company, style: str, problem: str) -> None:
    corp.faults.set(None, "certificate", style=style)

    with pytest.raises(requests.exceptions.SSLError, match=problem):
        corp.ask()
    corp.faults.clear()
    assert 200 == corp.ask().status_code


def test_authority_outlives_a_restart(corp: Company) -> None:
    again = Authority(corp.listening.ca_file.parent)
    context = ssl.create_default_context(cafile=corp.ca_file)

    assert again.file.read_bytes() == corp.listening.ca_file.read_bytes()
    assert 1 == len(context.get_ca_certs())
    keys = list((corp.listening.ca_file.parent / "sandbox" / "exchange-tls").iterdir())
    assert {0o600} == {key.stat().st_mode & 0o777 for key in keys}


# -- what no Exchange takes


@pytest.mark.parametrize(
    "body",
    [
        CREATE.format(f"{SPAN}<t:Subject>After</t:Subject>"),
        CREATE.format(f"<t:Subject>A</t:Subject><t:Subject>B</t:Subject>{SPAN}"),
        CREATE.format(f"<t:Title>?</t:Title>{SPAN}"),
        CREATE.format(f"<m:Subject>other namespace</m:Subject>{SPAN}"),
        GET_CALENDAR.replace(
            "<m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>", ""
        ).replace(
            "</m:GetFolder>",
            "<m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape></m:GetFolder>",
        ),
        FIND.format("").replace(' Traversal="Shallow"', ""),
        ITEMS.replace("item:Subject", "item:Nonsense"),
        CREATE.format(f"{SPAN}<t:RequiredAttendees/>"),
        "<m:Nonsense/>",
    ],
)
def test_schema_is_checked(corp: Company, body: str) -> None:
    answer = corp.ask(body)

    assert (500, ["ErrorSchemaValidation"]) == (answer.status_code, codes(answer))


def test_dtd_in_a_request_is_refused(corp: Company) -> None:
    text = b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'
    with corp.session() as own:
        answer = own.post(corp.url, text, auth=("CORP\\ada", "sandbox"), timeout=5)

    assert (500, ["ErrorInvalidRequest"]) == (answer.status_code, codes(answer))


@pytest.mark.parametrize(
    ("elements", "code"),
    [
        (SPAN.replace("10:00", "08:00"), "ErrorCalendarEndDateIsEarlierThanStartDate"),
        (SPAN.replace("2026-12-01T10", "2032-12-01T10"), "ErrorCalendarDurationIsTooLong"),
        (f'{SPAN}<t:StartTimeZone Id="Moon Time"/>', "ErrorTimeZone"),
        (f"{SPAN}<t:IsMeeting>true</t:IsMeeting>", "ErrorInvalidPropertySet"),
        (
            f"{SPAN}<t:Recurrence><t:DailyRecurrence><t:Interval>0</t:Interval>"
            "</t:DailyRecurrence><t:NoEndRecurrence><t:StartDate>2026-12-01</t:StartDate>"
            "</t:NoEndRecurrence></t:Recurrence>",
            "ErrorCalendarInvalidRecurrence",
        ),
        (
            f"{SPAN}<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval>"
            "</t:DailyRecurrence><t:EndDateRecurrence><t:StartDate>2026-12-01</t:StartDate>"
            "<t:EndDate>2026-11-01</t:EndDate></t:EndDateRecurrence></t:Recurrence>",
            "ErrorRecurrenceHasNoOccurrence",
        ),
    ],
)
def test_items_that_cannot_be(corp: Company, elements: str, code: str) -> None:
    assert [code] == codes(corp.ask(CREATE.format(elements)))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (
            CREATE.format(SPAN).replace(' SendMeetingInvitations="SendToNone"', ""),
            "ErrorSendMeetingInvitationsRequired",
        ),
        (
            '<m:DeleteItem DeleteType="HardDelete"><m:ItemIds>{}</m:ItemIds></m:DeleteItem>',
            "ErrorSendMeetingCancellationsRequired",
        ),
        (
            '<m:UpdateItem ConflictResolution="AutoResolve"><m:ItemChanges><t:ItemChange>{}'
            '<t:Updates><t:DeleteItemField><t:FieldURI FieldURI="calendar:Location"/>'
            "</t:DeleteItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>",
            "ErrorSendMeetingInvitationsOrCancellationsRequired",
        ),
    ],
)
def test_whom_to_tell_must_be_said(corp: Company, body: str, code: str) -> None:
    one = xml(corp.ask(ITEMS)).find(".//{*}ItemId")
    assert one is not None

    assert [code] == codes(corp.ask(body.format(f'<t:ItemId Id="{one.get("Id")}"/>')))


def test_stale_change_key_is_a_conflict(corp: Company) -> None:
    one = xml(corp.ask(ITEMS)).find(".//{*}ItemId")
    assert one is not None
    update = (
        '<m:UpdateItem ConflictResolution="{}" '
        'SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange>'
        f'<t:ItemId Id="{one.get("Id")}" {{}}/><t:Updates><t:SetItemField>'
        '<t:FieldURI FieldURI="item:Subject"/><t:CalendarItem><t:Subject>New</t:Subject>'
        "</t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges>"
        "</m:UpdateItem>"
    )
    key = f'ChangeKey="{one.get("ChangeKey")}"'

    def result(how: str, key: str) -> list[str]:
        return codes(corp.ask(update.format(how, key)))

    assert ["NoError"] == result("NeverOverwrite", key)
    assert ["ErrorIrresolvableConflict"] == result("NeverOverwrite", key)
    assert ["ErrorChangeKeyRequired"] == result("NeverOverwrite", "")
    assert ["NoError"] == result("AlwaysOverwrite", key)

    delete = (
        '<m:DeleteItem DeleteType="HardDelete" SendMeetingCancellations="SendToNone">'
        f'<m:ItemIds><t:ItemId Id="{one.get("Id")}" {{}}/></m:ItemIds></m:DeleteItem>'
    )
    for given, code in [
        (key, "ErrorIrresolvableConflict"),
        ('ChangeKey="AAAA"', "ErrorInvalidChangeKey"),
        ("", "NoError"),
    ]:
        assert [code] == codes(corp.ask(delete.format(given)))


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        ("2026-01-01T00:00:00Z", "2028-02-01T00:00:00Z", "ErrorCalendarViewRangeTooBig"),
        (
            "2026-02-01T00:00:00Z",
            "2026-01-01T00:00:00Z",
            "ErrorCalendarEndDateIsEarlierThanStartDate",
        ),
        ("tomorrow", "2026-01-01T00:00:00Z", "ErrorInvalidRequest"),
        ("2026-11-22T11:30:00Z", "2026-11-22T12:00:00Z", "NoError"),
    ],
)
def test_window_has_bounds(corp: Company, start: str, end: str, code: str) -> None:
    answer = corp.ask(FIND.format(VIEW.format(start, end)))

    assert [code] == codes(answer) and [] == texts(answer, "Subject")


def test_rows_are_limited_and_paged(corp: Company) -> None:
    total = add_generated(corp.state, ADA, 1_200)
    seen: list[str] = []
    while True:
        answer = corp.ask(FIND.format(PAGED.format(5_000, len(seen))))
        seen += [str(found.get("Id")) for found in xml(answer).iter("{*}ItemId")]
        root = xml(answer).find(".//{*}RootFolder")
        assert root is not None and str(len(seen)) == root.get("IndexedPagingOffset")
        if root.get("IncludesLastItemInRange") == "true":
            break
        assert 1_000 == len(seen)
    assert total == len(set(seen)) == len(seen)

    view = FIND.format(VIEW.format("2026-10-01T00:00:00Z", "2027-07-01T00:00:00Z"))
    assert ["ErrorExceededFindCountLimit"] == codes(corp.ask(view))
    limited = corp.ask(view.replace("<m:CalendarView", '<m:CalendarView MaxEntriesReturned="50"'))
    assert 50 == len(texts(limited, "Subject"))
    assert 'IncludesLastItemInRange="false"' in limited.text


def test_others_see_what_they_may(corp: Company) -> None:
    of_ada = (
        '<t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>{}</t:EmailAddress>'
        "</t:Mailbox></t:DistinguishedFolderId>"
    )

    def listing(login: str, owner: str) -> requests.Response:
        own = '<t:DistinguishedFolderId Id="calendar"/>'
        return corp.ask(ITEMS.replace(own, of_ada.format(owner)), login=login)

    subjects = texts(listing("CORP\\grace", ADA), "Subject")
    assert "Lunch" in subjects and "Dentist" not in subjects
    assert ["ErrorAccessDenied"] == codes(listing("CORP\\aturing", ADA))
    assert ["ErrorFolderNotFound"] == codes(listing("CORP\\ada", "alan@corp.calbroker.test"))
    assert ["ErrorNonExistentMailbox"] == codes(listing("CORP\\ada", "x@corp.calbroker.test"))

    hers = xml(listing("CORP\\ada", ADA)).find(".//{*}ItemId")
    assert hers is not None
    delete = (
        '<m:DeleteItem DeleteType="HardDelete" SendMeetingCancellations="SendToNone">'
        f'<m:ItemIds><t:ItemId Id="{hers.get("Id")}"/></m:ItemIds></m:DeleteItem>'
    )
    assert ["ErrorAccessDenied"] == codes(corp.ask(delete, login="CORP\\grace"))
    assert ["ErrorItemNotFound"] == codes(corp.ask(delete, login="CORP\\aturing"))


@pytest.mark.parametrize("identity", ["AAAA", "!", "AAMkACNt2oXZrK+hAQ=="])
def test_ids_cannot_be_made_up(corp: Company, identity: str) -> None:
    body = (
        "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:ItemIds>"
        f'<t:ItemId Id="{identity}"/></m:ItemIds></m:GetItem>'
    )

    assert ["ErrorInvalidIdMalformed"] == codes(corp.ask(body))


# -- versions


@pytest.mark.parametrize("name", list(VERSIONS))
def test_versions_say_what_they_are_and_refuse_what_is_newer(corp: Company, name: str) -> None:
    corp.faults.set(None, "version", style=name)
    version = VERSIONS[name]
    answer = corp.ask(version=version.schema)

    info = xml(answer).find(".//{*}ServerVersionInfo")
    assert info is not None and str(version.build[0]) == info.get("MajorVersion")
    assert (name == "Exchange2007_SP1") == ("Version" not in info.attrib)
    if version.schema != "Exchange2016":
        newer = corp.ask(version="Exchange2016")
        assert (500, ["ErrorInvalidServerVersion"]) == (newer.status_code, codes(newer))


def test_2007_knows_neither_zones_by_name_nor_rooms(corp: Company) -> None:
    corp.faults.set(None, "version", style="Exchange2007_SP1")
    old = {"version": "Exchange2007_SP1"}
    zone = '<t:StartTimeZone Id="GMT Standard Time"/>'

    assert ["ErrorSchemaValidation"] == codes(corp.ask(CREATE.format(SPAN + zone), **old))
    assert ["ErrorSchemaValidation"] == codes(corp.ask("<m:GetRoomLists/>", **old))


def test_2007_describes_zones_in_full(corp: Company) -> None:
    corp.faults.set(None, "version", style="Exchange2007_SP1")
    old = {"version": "Exchange2007_SP1"}
    zone = (
        '<t:MeetingTimeZone TimeZoneName="Ours"><t:BaseOffset>-PT1H</t:BaseOffset>'
        '<t:Standard TimeZoneName="S"><t:Offset>PT0H</t:Offset><t:RelativeYearlyRecurrence>'
        "<t:DaysOfWeek>Sunday</t:DaysOfWeek><t:DayOfWeekIndex>Last</t:DayOfWeekIndex>"
        "<t:Month>October</t:Month></t:RelativeYearlyRecurrence><t:Time>03:00:00</t:Time>"
        '</t:Standard><t:Daylight TimeZoneName="D"><t:Offset>-PT1H</t:Offset>'
        "<t:RelativeYearlyRecurrence><t:DaysOfWeek>Sunday</t:DaysOfWeek>"
        "<t:DayOfWeekIndex>Last</t:DayOfWeekIndex><t:Month>March</t:Month>"
        "</t:RelativeYearlyRecurrence><t:Time>02:00:00</t:Time></t:Daylight></t:MeetingTimeZone>"
    )
    span = SPAN.replace("T09", "T00").replace("2026-12-01T10:00", "2026-12-02T00:00")
    span = span.replace("Z<", "+01:00<")
    made = corp.ask(CREATE.format(f"{span}<t:IsAllDayEvent>true</t:IsAllDayEvent>{zone}"), **old)
    one = xml(made).find(".//{*}ItemId")
    assert one is not None, made.text
    answer = corp.ask(
        "<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape><m:ItemIds>"
        f'<t:ItemId Id="{one.get("Id")}"/></m:ItemIds></m:GetItem>',
        **old,
    )

    assert ["2026-11-30T23:00:00Z"] == texts(answer, "Start")
    assert [] == texts(answer, "StartTimeZone")
    described = xml(answer).find(".//{*}MeetingTimeZone")
    assert described is not None and "W. Europe Standard Time" == described.get("TimeZoneName")
    assert ["-PT1H"] == [found.text for found in described.iter("{*}BaseOffset")]
    assert ["October", "March"] == texts(answer, "Month")


def test_every_fault_is_described(corp: Company) -> None:
    assert all(text.endswith(".") for text in FAULTS.values())
    assert GRACE in corp.state.world.people
