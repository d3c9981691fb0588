"""Elements of items and folders: their order, their namespaces, since when they are known.

The order is that of the schema; requests that break it are refused.
"""

from __future__ import annotations

ITEM = tuple(
    "MimeContent ItemId ParentFolderId ItemClass Subject Sensitivity Body Attachments "
    "DateTimeReceived Size Categories Importance InReplyTo IsSubmitted IsDraft IsFromMe IsResend "
    "IsUnmodified InternetMessageHeaders DateTimeSent DateTimeCreated ResponseObjects "
    "ReminderDueBy ReminderIsSet ReminderMinutesBeforeStart DisplayCc DisplayTo HasAttachments "
    "ExtendedProperty Culture EffectiveRights LastModifiedName LastModifiedTime IsAssociated "
    "WebClientReadFormQueryString WebClientEditFormQueryString ConversationId UniqueBody Flag "
    "StoreEntryId InstanceKey NormalizedBody EntityExtractionResult PolicyTag ArchiveTag "
    "RetentionDate Preview RightsManagementLicenseData NextPredictedAction GroupingAction "
    "BlockStatus HasBlockedImages TextBody IconIndex".split()
)
CALENDAR = tuple(
    "UID RecurrenceId DateTimeStamp Start End OriginalStart IsAllDayEvent LegacyFreeBusyStatus "
    "Location When IsMeeting IsCancelled IsRecurring MeetingRequestWasSent IsResponseRequested "
    "CalendarItemType MyResponseType Organizer RequiredAttendees OptionalAttendees Resources "
    "ConflictingMeetingCount AdjacentMeetingCount ConflictingMeetings AdjacentMeetings Duration "
    "TimeZone AppointmentReplyTime AppointmentSequenceNumber AppointmentState Recurrence "
    "FirstOccurrence LastOccurrence ModifiedOccurrences DeletedOccurrences MeetingTimeZone "
    "StartTimeZone EndTimeZone ConferenceType AllowNewTimeProposal IsOnlineMeeting "
    "MeetingWorkspaceUrl NetShowUrl EnhancedLocation StartWallClock EndWallClock StartTimeZoneId "
    "EndTimeZoneId IntendedFreeBusyStatus JoinOnlineMeetingUrl OnlineMeetingSettings "
    "IsOrganizer".split()
)
FOLDER = tuple(
    "FolderId ParentFolderId FolderClass DisplayName TotalCount ChildFolderCount "
    "ExtendedProperty ManagedFolderInformation EffectiveRights DistinguishedFolderId PolicyTag "
    "ArchiveTag UnreadCount SharingEffectiveRights PermissionSet SearchParameters".split()
)
"""Only folders of messages have an UnreadCount."""

NEWER = {
    "StartTimeZone": "Exchange2010",
    "EndTimeZone": "Exchange2010",
    "ConversationId": "Exchange2010",
    "UniqueBody": "Exchange2010",
    "IsAssociated": "Exchange2010",
    "WebClientReadFormQueryString": "Exchange2010",
    "WebClientEditFormQueryString": "Exchange2010",
    "StoreEntryId": "Exchange2010_SP2",
    **dict.fromkeys(CALENDAR[CALENDAR.index("EnhancedLocation") :], "Exchange2013"),
    **dict.fromkeys(ITEM[ITEM.index("Flag") :], "Exchange2013"),
}
"""Since which schema an element of items is known; the others always were."""

READ_ONLY = frozenset(
    "ItemId ParentFolderId DateTimeReceived Size IsSubmitted IsDraft IsFromMe IsResend "
    "IsUnmodified InternetMessageHeaders DateTimeSent DateTimeCreated ResponseObjects "
    "ReminderDueBy DisplayCc DisplayTo HasAttachments EffectiveRights LastModifiedName "
    "LastModifiedTime IsAssociated ConversationId UniqueBody RecurrenceId DateTimeStamp "
    "OriginalStart IsMeeting IsCancelled IsRecurring MeetingRequestWasSent CalendarItemType "
    "MyResponseType Organizer ConflictingMeetingCount AdjacentMeetingCount ConflictingMeetings "
    "AdjacentMeetings Duration TimeZone AppointmentReplyTime AppointmentSequenceNumber "
    "AppointmentState FirstOccurrence LastOccurrence ModifiedOccurrences DeletedOccurrences "
    "JoinOnlineMeetingUrl IsOrganizer TextBody Preview InstanceKey".split()
)
"""What only the server writes."""

NOT_IN_LISTS = frozenset(
    "MimeContent Body TextBody UniqueBody NormalizedBody Attachments InternetMessageHeaders "
    "ResponseObjects RequiredAttendees OptionalAttendees Resources Recurrence FirstOccurrence "
    "LastOccurrence ModifiedOccurrences DeletedOccurrences MeetingTimeZone StartTimeZone "
    "EndTimeZone ConflictingMeetings AdjacentMeetings".split()
)
"""What FindItem and SyncFolderItems never return."""

DEFAULT_SHAPE = (
    "Subject HasAttachments Start End LegacyFreeBusyStatus Location IsMeeting IsRecurring "
    "CalendarItemType MyResponseType Organizer"
).split()

_SPACES = {"item": frozenset(ITEM), "calendar": frozenset(CALENDAR), "folder": frozenset(FOLDER)}
_ELSEWHERE = frozenset(
    "message meeting meetingRequest contacts task postitem distributionlist conversation persona "
    "person bulktransfer".split()
)
"""Of things that do not live here; they may be asked for all the same."""
ORDER = {name: place for place, name in enumerate((*ITEM, *CALENDAR))}


def element_of(uri: str) -> str:
    """Return the element that a FieldURI names. Raises ValueError when the schema has none."""
    space, _, name = uri.partition(":")
    known = name in _SPACES.get(space, ()) or (space in _ELSEWHERE and name.isalpha())
    if not known:
        raise ValueError(uri)
    return name


def kind_of(uri: str) -> str:
    """Return `item`, `calendar` or `folder`."""
    return uri.partition(":")[0]
