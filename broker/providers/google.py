"""Google Calendar: sign-in, calendars, changes and push.

Calendar API v3, https://developers.google.com/workspace/calendar/api/v3/reference
Synchronisation, https://developers.google.com/workspace/calendar/api/guides/sync
Push, https://developers.google.com/workspace/calendar/api/guides/push
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec

from broker.clock import Clock
from broker.domain import Changes, Notification, OpenedSubscription, RemoteCalendar, Window
from broker.errors import CursorExpired, ProtocolError, ProviderError
from broker.http import Http
from broker.logins import AuthorizationAttempt, Authorized, Credential, OAuthCredential
from broker.providers._google_api import PROVIDER, PUSH_NOT_SUPPORTED, GoogleApi, reasons
from broker.providers._google_events import Page, is_of_concern, read_page
from broker.providers._google_oauth import ISSUERS, GoogleGrants, reason_code
from broker.providers._google_wire import FIELDS
from broker.providers.base import CalendarClient, Reply
from broker.settings import GoogleSettings

_MOST_CALENDARS = "250"
# Google would give 2,500: this takes 8 MB less, and each page is one short transaction.
_MOST_EVENTS = "1000"
# An occurrence that was moved is listed by where it is now. One that was moved to before the
# window has to be heard of, or its series would seem to happen where it was.
_MOVED_EARLIER = timedelta(days=60)
_CALENDAR_FIELDS = (
    "nextPageToken,items(id,summary,summaryOverride,timeZone,backgroundColor,accessRole,"
    "primary,deleted)"
)
_WRITABLE = frozenset({"owner", "writer", "writerWithoutPrivateAccess"})
# Holidays, birthdays, week numbers and the like: made by Google, nobody's time.
_VIRTUAL = "@group.v.calendar.google.com"


class _Entry(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    summary: str = ""
    summary_override: str = ""
    time_zone: str | None = None
    background_color: str | None = None
    access_role: str = ""
    primary: bool = False
    deleted: bool = False


class _Entries(msgspec.Struct, frozen=True, rename="camel"):
    """A page of the list. One without `items` is no list at all, and must not read as empty."""

    items: tuple[_Entry, ...]
    next_page_token: str | None = None


class _Channel(msgspec.Struct, frozen=True, rename="camel"):
    resource_id: str
    expiration: int


class Google:
    """Google Calendar."""

    slug = "google"
    label = "Google Calendar"
    provider_name = "google"
    issuers = ISSUERS
    window_bound = False
    """A cursor follows everything from its window's start on, however far ahead."""
    lives_on = None
    """A channel ends when Google said, whatever comes over it."""

    def __init__(self, http: Http, clock: Clock, settings: GoogleSettings) -> None:
        self._http = http
        self._clock = clock
        self._settings = settings
        self.client_id = settings.client_id
        self.consent_endpoint = settings.endpoints["authorize"]
        self._grants = GoogleGrants(http, clock, settings)

    def client(self, credential: Credential) -> GoogleClient:
        """Give the view of one credential."""
        if not isinstance(credential, OAuthCredential):
            raise TypeError("Google takes an OAuth credential")
        base_url = self._settings.endpoints["calendar"]
        return GoogleClient(GoogleApi(self._http, self._clock, base_url, credential))

    def authorization_url(self, attempt: AuthorizationAttempt) -> str:
        """Build the address where the person consents. Pure."""
        return self._grants.authorization_url(attempt)

    def exchange(self, code: str, attempt: AuthorizationAttempt) -> Authorized:
        """Trade a code for tokens and verify the id_token.

        A grant without a scope that *attempt*'s mode needs is given too, marked as such, and one
        without a refresh token.
        """
        return self._grants.exchange(code, attempt)

    def refresh(self, credential: OAuthCredential) -> OAuthCredential:
        """Trade the refresh token for a new access token.

        Raises AuthorizationLost when the grant is gone.
        """
        return self._grants.refresh(credential)

    def revoke(self, credential: OAuthCredential) -> None:
        """Give the grant back; it ends for every connection of this person to our project."""
        self._grants.revoke(credential)

    def refusal(self, error: str) -> str:
        """Turn the `error` of a callback into a reason code that pages have words for."""
        return reason_code(error)

    def open_subscription(
        self,
        client: CalendarClient,
        calendar_id: str,
        *,
        subscription_id: str,
        callback_url: str,
        secret: str,
    ) -> OpenedSubscription | None:
        """Ask for notifications; None when this calendar has none, ever (holidays)."""
        api = _api(client)
        path, operation = _events_path(calendar_id) + "/watch", "events.watch"
        answer = api.post(
            operation,
            path,
            {"id": subscription_id, "type": "web_hook", "address": callback_url, "token": secret},
        )
        if PUSH_NOT_SUPPORTED in reasons(answer):
            return None
        api.check(answer, operation, path)
        try:
            channel = msgspec.json.decode(answer.body, type=_Channel, strict=False)
            # Milliseconds as text; shorter than asked, perhaps, so it is what counts.
            expires_at = datetime.fromtimestamp(channel.expiration / 1000, UTC)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, OverflowError, OSError):
            raise ProtocolError(PROVIDER, operation, answer.status) from None
        return OpenedSubscription(channel.resource_id, expires_at)

    def close_subscription(
        self, client: CalendarClient, *, subscription_id: str, resource_id: str
    ) -> None:
        """Stop notifications. A subscription already gone is a success."""
        api = _api(client)
        path, operation = "channels/stop", "channels.stop"
        answer = api.post(operation, path, {"id": subscription_id, "resourceId": resource_id})
        if answer.status not in (404, 410):
            api.check(answer, operation, path)

    def read_notification(
        self, subscription_id: str, headers: Mapping[str, str], body: bytes, *, token: str = ""
    ) -> Notification | None:
        """Read what a message claims; None when it is not one of theirs. Pure.

        The body is empty and the message never says what changed. The first one, `sync`, only
        greets.
        """
        named = {name.lower(): value for name, value in headers.items()}
        secret = named.get("x-goog-channel-token")
        resource_id = named.get("x-goog-resource-id")
        if named.get("x-goog-channel-id") != subscription_id or not secret or not resource_id:
            return None
        wakes = named.get("x-goog-resource-state", "").lower() != "sync"
        return Notification(subscription_id, secret, resource_id, wakes)

    def reply(self, *, wanted: bool) -> Reply:
        """Answer a message: 204, or 404 when nobody wants it."""
        return Reply(204 if wanted else 404)


class GoogleClient:
    """One credential's view of its calendars."""

    def __init__(self, api: GoogleApi) -> None:
        self.api = api

    def calendars(self) -> list[RemoteCalendar]:
        """List every calendar of the login, hidden ones and free/busy ones too."""
        found: list[RemoteCalendar] = []
        operation = "calendarList.list"
        params = {
            "maxResults": _MOST_CALENDARS,
            "showHidden": "true",
            "fields": _CALENDAR_FIELDS,
        }
        while True:
            body = self.api.get(operation, "users/me/calendarList", params)
            try:
                page = msgspec.json.decode(body, type=_Entries)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise ProtocolError(PROVIDER, operation, 200, detail="not a page") from error
            found += [_calendar(entry) for entry in page.items if entry.id and not entry.deleted]
            if not page.next_page_token:
                return found
            params = _turned(params, page.next_page_token, operation)

    def changes(self, calendar_id: str, cursor: str | None, window: Window) -> Iterator[Changes]:
        """Yield pages of what changed since *cursor*, or everything from *window*'s start on.

        Parts of series come from earlier, too. Series are not expanded: an expanded listing
        loses deletions and never rolls on. Pages may be empty; only the token says whether
        there is more.

        Raises CursorExpired, before the first page is yielded or between pages.
        """
        path, operation = _events_path(calendar_id), "events.list"
        params = {"maxResults": _MOST_EVENTS, "singleEvents": "false", "fields": FIELDS}
        if cursor is None:
            first = (window.start - _MOVED_EARLIER).astimezone(UTC)
            params["timeMin"] = f"{first:%Y-%m-%dT%H:%M:%SZ}"
        else:
            params["syncToken"] = cursor
        while True:
            page = self._page(operation, path, params)
            if cursor is None and not page.has_list:
                # A mask may leave out a list that is empty; all of an answer has it. Without
                # this, whatever has a token in it would empty a calendar.
                whole = {name: value for name, value in params.items() if name != "fields"}
                page = self._page(operation, path, whole)
                if not page.has_list:
                    raise ProtocolError(PROVIDER, operation, 200, detail="no list of events")
            if not page.next_page and not page.cursor:
                # A cut listing must never pass for a complete one.
                raise ProtocolError(PROVIDER, operation, 200, detail="no token at the end")
            events = page.events
            if cursor is None:
                events = tuple([event for event in events if is_of_concern(event, window)])
            yield Changes(
                events=events,
                deleted=page.deleted,
                cursor=None if page.next_page else page.cursor,
                complete=cursor is None,
                skipped=page.skipped,
                tzid=page.tzid,
            )
            if not page.next_page:
                return
            params = _turned(params, page.next_page, operation)

    def _page(self, operation: str, path: str, params: Mapping[str, str]) -> Page:
        try:
            return read_page(self.api.get(operation, path, params))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProtocolError(PROVIDER, operation, 200, detail="not a page") from error
        except ProviderError as error:
            # Nothing else in the request differs from one that works, so a 400 is the token's:
            # another login's token is answered like this.
            if error.status == 400 and "syncToken" in params:
                raise CursorExpired(PROVIDER, operation, 400) from error
            raise


def _api(client: CalendarClient) -> GoogleApi:
    if not isinstance(client, GoogleClient):
        raise TypeError("Google takes a client of its own")
    return client.api


def _events_path(calendar_id: str) -> str:
    return f"calendars/{quote(calendar_id, safe='@')}/events"


def _turned(params: Mapping[str, str], token: str, operation: str) -> dict[str, str]:
    """Give the parameters of the next page; a token that stands still would never end."""
    if params.get("pageToken") == token:
        raise ProtocolError(PROVIDER, operation, 200, detail="same page again")
    return {**params, "pageToken": token}


def _calendar(entry: _Entry) -> RemoteCalendar:
    return RemoteCalendar(
        remote_id=entry.id,
        name=entry.summary_override or entry.summary or entry.id,
        read_only=entry.access_role not in _WRITABLE,
        primary=entry.primary,
        tzid=entry.time_zone,
        color=entry.background_color,
        counts_as_busy=not entry.id.endswith(_VIRTUAL),
    )
