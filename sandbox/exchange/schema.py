"""The order of elements in requests: the real server refuses what its schema does not allow."""

from __future__ import annotations

from lxml import etree

from .fields import CALENDAR, ITEM, NEWER
from .soap import MESSAGES, TYPES, Element, SoapFault
from .versions import SCHEMAS

_PATHS = "FieldURI|IndexedFieldURI|ExtendedFieldURI"
_IDS = "ItemId|OccurrenceItemId|RecurringMasterItemId|RecurringMasterItemIdRanges"
_FOLDERS = "FolderId|DistinguishedFolderId"
_PATTERNS = (
    "DailyRecurrence|WeeklyRecurrence|RelativeMonthlyRecurrence|AbsoluteMonthlyRecurrence|"
    "RelativeYearlyRecurrence|AbsoluteYearlyRecurrence"
)
_TESTS = (
    "And|Or|Not|Contains|Excludes|Exists|IsEqualTo|IsNotEqualTo|IsGreaterThan|"
    "IsGreaterThanOrEqualTo|IsLessThan|IsLessThanOrEqualTo"
)
_VIEWS = "IndexedPageItemView|FractionalPageItemView|CalendarView|ContactsView"
_FOLDER_VIEWS = "IndexedPageFolderView|FractionalPageFolderView"
_EMPTY = ""
_COMPARED = f"{_PATHS} FieldURIOrConstant"
_KINDS = (
    "Item|Message|CalendarItem|Contact|Task|AcceptItem|TentativelyAcceptItem|DeclineItem|"
    "CancelCalendarItem|RemoveItem"
)
_RESPONSE = (
    "ItemClass Sensitivity Body Attachments InternetMessageHeaders Sender ToRecipients "
    "CcRecipients BccRecipients IsReadReceiptRequested IsDeliveryReceiptRequested "
    "ReferenceItemId ReceivedBy ReceivedRepresenting ProposedStart ProposedEnd"
)

# Alternatives are joined with a bar; everything may be absent and may repeat.
ALLOWED = {
    "GetFolder": "FolderShape FolderIds",
    "FindFolder": f"FolderShape {_FOLDER_VIEWS} Restriction ParentFolderIds",
    "FindItem": f"ItemShape {_VIEWS} GroupBy|DistinguishedGroupBy Restriction SortOrder "
    "ParentFolderIds QueryString",
    "SyncFolderItems": "ItemShape SyncFolderId SyncState Ignore MaxChangesReturned SyncScope",
    "SyncFolderHierarchy": "FolderShape SyncFolderId SyncState",
    "GetItem": "ItemShape ItemIds",
    "CreateItem": "SavedItemFolderId Items",
    "UpdateItem": "SavedItemFolderId ItemChanges",
    "DeleteItem": "ItemIds",
    "GetUserAvailabilityRequest": "TimeZone MailboxDataArray FreeBusyViewOptions "
    "SuggestionsViewOptions",
    "ResolveNames": "ParentFolderIds UnresolvedEntry",
    "GetRoomLists": _EMPTY,
    "GetRooms": "RoomList",
    "GetServerTimeZones": "Ids",
    "ConvertId": "SourceIds",
    "Subscribe": "PullSubscriptionRequest|PushSubscriptionRequest|StreamingSubscriptionRequest",
    "Unsubscribe": "SubscriptionId",
    "GetEvents": "SubscriptionId Watermark",
    "GetStreamingEvents": "SubscriptionIds ConnectionTimeout",
    "PullSubscriptionRequest": "FolderIds EventTypes Watermark Timeout",
    "PushSubscriptionRequest": "FolderIds EventTypes Watermark StatusFrequency URL CallerData",
    "StreamingSubscriptionRequest": "FolderIds EventTypes",
    "FolderShape": "BaseShape AdditionalProperties",
    "ItemShape": "BaseShape IncludeMimeContent BodyType UniqueBodyType NormalizedBodyType "
    "FilterHtmlContent ConvertHtmlCodePageToUTF8 InlineImageUrlTemplate BlockExternalImages "
    "AddBlankTargetToLinks MaximumBodySize AdditionalProperties",
    "AdditionalProperties": _PATHS,
    "FolderIds": _FOLDERS,
    "ParentFolderIds": _FOLDERS,
    "SyncFolderId": _FOLDERS,
    "SavedItemFolderId": _FOLDERS,
    "ItemIds": _IDS,
    "Items": _KINDS,
    "CalendarItem": " ".join((*ITEM, *CALENDAR)),
    "AcceptItem": _RESPONSE,
    "TentativelyAcceptItem": _RESPONSE,
    "DeclineItem": _RESPONSE,
    "CancelCalendarItem": "Subject Body ToRecipients CcRecipients BccRecipients "
    "IsReadReceiptRequested IsDeliveryReceiptRequested ReferenceItemId NewBodyContent",
    "ExtendedProperty": "ExtendedFieldURI Value|Values",
    "ItemChanges": "ItemChange",
    "ItemChange": f"{_IDS} Updates",
    "Updates": "SetItemField|DeleteItemField|AppendToItemField",
    "SetItemField": f"{_PATHS} {_KINDS}",
    "DeleteItemField": _PATHS,
    "Recurrence": f"{_PATTERNS} NoEndRecurrence|EndDateRecurrence|NumberedRecurrence",
    "DailyRecurrence": "Interval",
    "WeeklyRecurrence": "Interval DaysOfWeek FirstDayOfWeek",
    "AbsoluteMonthlyRecurrence": "Interval DayOfMonth",
    "RelativeMonthlyRecurrence": "Interval DaysOfWeek DayOfWeekIndex",
    "AbsoluteYearlyRecurrence": "DayOfMonth Month",
    "RelativeYearlyRecurrence": "DaysOfWeek DayOfWeekIndex Month",
    "NoEndRecurrence": "StartDate",
    "EndDateRecurrence": "StartDate EndDate",
    "NumberedRecurrence": "StartDate NumberOfOccurrences",
    "RequiredAttendees": "Attendee",
    "OptionalAttendees": "Attendee",
    "Resources": "Attendee",
    "Attendee": "Mailbox ResponseType LastResponseTime ProposedStart ProposedEnd",
    "MeetingTimeZone": "BaseOffset Standard Daylight",
    "Standard": "Offset RelativeYearlyRecurrence|AbsoluteDate Time",
    "Daylight": "Offset RelativeYearlyRecurrence|AbsoluteDate Time",
    "Restriction": _TESTS,
    "And": _TESTS,
    "Or": _TESTS,
    "Not": _TESTS,
    "Contains": f"{_PATHS} Constant",
    "Exists": _PATHS,
    **dict.fromkeys(_TESTS.split("|")[6:], _COMPARED),
    "FieldURIOrConstant": f"{_PATHS}|Constant",
    "MailboxDataArray": "MailboxData",
    "MailboxData": "Email AttendeeType ExcludeConflicts",
    "Email": "Name Address RoutingType",
    "FreeBusyViewOptions": "TimeWindow MergedFreeBusyIntervalInMinutes RequestedView",
    "TimeWindow": "StartTime EndTime",
    "TimeZone": "Bias StandardTime DaylightTime",
    "StandardTime": "Bias Time DayOrder Month DayOfWeek Year",
    "DaylightTime": "Bias Time DayOrder Month DayOfWeek Year",
    "TimeZoneContext": "TimeZoneDefinition",
}
_MAILBOX = "Name EmailAddress RoutingType MailboxType ItemId"
_REPEAT = frozenset(
    "AdditionalProperties FolderIds ParentFolderIds ItemIds Items ItemChanges Updates And Or "
    "RequiredAttendees OptionalAttendees Resources MailboxDataArray EventTypes".split()
)
"""What may hold its alternatives any number of times; the others hold each place once."""
_OF_TYPES = frozenset({"TimeZone", "FreeBusyViewOptions", "SuggestionsViewOptions"})
"""Children of operations that are not of the messages namespace, as the others are."""
_MANY = frozenset({"ExtendedProperty"})
_NOT_EMPTY = frozenset(
    "FolderIds ParentFolderIds SyncFolderId ItemIds Items ItemChanges Updates RequiredAttendees "
    "OptionalAttendees Resources MailboxDataArray Restriction Recurrence "
    "AdditionalProperties".split()
)
_REQUIRED = {
    "FindItem": "Traversal",
    "FindFolder": "Traversal",
    "DeleteItem": "DeleteType",
    "UpdateItem": "ConflictResolution",
    "ResolveNames": "ReturnFullContactData",
    "CalendarView": "StartDate EndDate",
    "IndexedPageItemView": "Offset BasePoint",
    "IndexedPageFolderView": "Offset BasePoint",
    "FieldURI": "FieldURI",
    "ItemId": "Id",
    "FolderId": "Id",
    "DistinguishedFolderId": "Id",
    "OccurrenceItemId": "RecurringMasterId InstanceIndex",
    "RecurringMasterItemId": "OccurrenceId",
    "ExtendedFieldURI": "PropertyType",
}
_PLACES = {
    parent: {name: place for place, names in enumerate(text.split()) for name in names.split("|")}
    for parent, text in {**ALLOWED, "Mailbox": _MAILBOX, "RoomList": _MAILBOX}.items()
}


def check(operation: Element, schema: str) -> None:
    """Check the request against what the schema of that version allows.

    Raises SoapFault ErrorSchemaValidation at the first element that is out of order, unknown, too
    new for *schema*, or without a required attribute.
    """
    pending = [operation]
    while pending:
        element = pending.pop()
        name = _local(element)
        for attribute in _REQUIRED.get(name, "").split():
            if attribute not in element.attrib:
                raise _fault(element, f"The required attribute '{attribute}' is missing.")
        if name in _PLACES:
            _check_children(element, name, schema, element is operation)
        pending.extend(reversed(element))


def _check_children(element: Element, name: str, schema: str, is_operation: bool) -> None:
    places, reached, seen = _PLACES[name], -1, set[int]()
    if name in _NOT_EMPTY and not len(element):
        raise _fault(element, f"The element '{name}' has incomplete content.")
    for child in element:
        child_name = _local(child)
        place = places.get(child_name)
        space = MESSAGES if is_operation and child_name not in _OF_TYPES else TYPES
        known = place is not None and _known(child_name, schema) and _space(child) == space
        twice = place == reached and child_name not in _MANY and name not in _REPEAT
        if not known or place is None or place < reached or (twice and place in seen):
            raise _fault(
                child,
                f"The element '{name}' in namespace '{_space(element)}' has invalid child "
                f"element '{child_name}' in namespace '{_space(child)}'.",
            )
        reached = place
        seen.add(place)


def _known(name: str, schema: str) -> bool:
    since = NEWER.get(name)
    return since is None or SCHEMAS.index(since) <= SCHEMAS.index(schema)


def _fault(element: Element, violation: str) -> SoapFault:
    return SoapFault(
        "ErrorSchemaValidation",
        f"The request failed schema validation: {violation}",
        {
            "LineNumber": str(element.sourceline or 0),
            "LinePosition": "2",
            "Violation": violation,
        },
    )


def _local(element: Element) -> str:
    name = etree.QName(element)
    if name.namespace not in (MESSAGES, TYPES):
        raise _fault(element, f"Unknown namespace '{name.namespace}'.")
    return name.localname


def _space(element: Element) -> str:
    return etree.QName(element).namespace or ""


def unknown(operation: Element) -> SoapFault:
    """Return the refusal of an operation that this server does not have."""
    return _fault(operation, f"The element '{_local(operation)}' is not an operation.")
