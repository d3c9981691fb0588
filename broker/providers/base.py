"""What a provider is.

`Provider` (one per process) knows how to connect; `CalendarClient` is one credential's view.
What only some can do is a capability of its own: ask with `isinstance`.

A provider gets its Http, Clock and settings in its constructor and nothing else, keeps no
state between calls, never touches database, queue, Flask or environment, hides paging, and
raises only ProviderError kinds, UserError kinds and EditConflict.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol, runtime_checkable

from broker.domain import (
    BusySpan,
    Changes,
    EventDraft,
    Mailbox,
    Notification,
    OpenedSubscription,
    RemoteCalendar,
    RemoteEvent,
    Window,
)
from broker.line import Line
from broker.logins import (
    AuthorizationAttempt,
    Authorized,
    Credential,
    Login,
    OAuthCredential,
    PasswordCredential,
    RemoteAccount,
)


class CalendarClient(Protocol):
    """One credential's view of its calendars."""

    def calendars(self) -> list[RemoteCalendar]:
        """List every calendar of the login that can hold events."""
        ...

    def changes(self, calendar_id: str, cursor: str | None, window: Window) -> Iterator[Changes]:
        """Yield pages of what changed since *cursor*, or everything in *window* when None.

        Raises CursorExpired, before the first page is yielded or between pages.
        """
        ...


@runtime_checkable
class EventWriter(Protocol):
    """A CalendarClient that can write."""

    def save(self, calendar_id: str, event: EventDraft, *, etag: str | None) -> RemoteEvent:
        """Create an event when *etag* is None, else change the one that still has it.

        Who is invited by the draft's attendees, or no longer, is told; where it has none, nobody.
        Raises EditConflict when the event is there already, or is not as it was; UserError
        `event_not_editable` for a series, a meeting of somebody else's, or one that the draft
        says nothing of, and `event_refused` where nobody can be invited; PermissionMissing and
        other ProviderErrors.
        """
        ...

    def delete(self, calendar_id: str, remote_id: str, *, etag: str | None) -> None:
        """Delete an event that still has *etag*, or whatever it is when None.

        An event already gone is a success. Whom a meeting of this calendar's owner had invited
        is told; one of somebody else's only leaves the calendar. Raises EditConflict and
        ProviderErrors.
        """
        ...


@runtime_checkable
class FreeBusySource(Protocol):
    """A CalendarClient that knows other people's time, without a right to their calendars."""

    def free_busy(
        self, addresses: Sequence[str], window: Window
    ) -> dict[str, list[BusySpan] | None]:
        """Tell when people are busy, by mail address; None of whom nothing may be known."""
        ...


@runtime_checkable
class PeopleFinder(Protocol):
    """A CalendarClient with a directory of people."""

    def people(self, entry: str) -> list[Mailbox]:
        """Find whom a name, or the beginning of one, may mean."""
        ...


@runtime_checkable
class RoomLister(Protocol):
    """A CalendarClient with a directory of rooms."""

    def rooms(self) -> list[Mailbox]:
        """List the rooms that can be invited."""
        ...


@runtime_checkable
class MovingClient(Protocol):
    """A CalendarClient that follows its calendars to another host."""

    @property
    def credential(self) -> PasswordCredential:
        """The credential as it is now, with the address where the calendars were found last."""
        ...


class Provider(Protocol):
    """A calendar service."""

    slug: str
    """Stored in rows and shown in addresses: never renamed."""
    label: str
    """The name people know."""
    provider_name: str
    """The partner API's `provider_name`."""
    window_bound: bool
    """Whether a full read lists only what overlaps the window, so that moving it means reading."""

    def client(self, credential: Credential) -> CalendarClient:
        """Give the view of one credential."""
        ...


@runtime_checkable
class OAuthProvider(Provider, Protocol):
    """Connects by sending the person to the provider (RFC 6749 section 4.1)."""

    client_id: str
    """Who we are there: an administrator allows us by it."""
    consent_endpoint: str
    """Where the person consents: the forms of our pages may lead there."""
    issuers: frozenset[str]
    """What `iss` may say in its callback, where it says anything (RFC 9207)."""

    def authorization_url(self, attempt: AuthorizationAttempt) -> str:
        """Build the address where the person consents. Pure."""
        ...

    def exchange(self, code: str, attempt: AuthorizationAttempt) -> Authorized:
        """Trade a code for tokens and verify the id_token.

        A grant without a scope that *attempt*'s mode needs is given too, marked as such; and one
        without a refresh token, which is then empty.
        """
        ...

    def refresh(self, credential: OAuthCredential) -> OAuthCredential:
        """Trade the refresh token for a new access token (RFC 6749 section 6).

        Keeps the old refresh token when no new one comes. Raises AuthorizationLost when the
        grant is gone.
        """
        ...

    def revoke(self, credential: OAuthCredential) -> None:
        """Give the grant back (RFC 7009). A grant already gone is a success."""
        ...

    def refusal(self, error: str) -> str:
        """Turn the `error` of a callback into a reason code that pages have words for."""
        ...


class Verified(NamedTuple):
    """What came of a typed login: what to keep, whose it is, and the calendars that prove it."""

    credential: PasswordCredential
    account: RemoteAccount
    calendars: list[RemoteCalendar]


@runtime_checkable
class PasswordProvider(Provider, Protocol):
    """Connects with a user name and password that the person types."""

    def verify(self, login: Login) -> Verified:
        """Prove the login, by reading its calendars, with at most one refused attempt.

        Raises LoginRejected, AddressRefused, or a ProviderError that names the step.
        """
        ...


Hear = Callable[[Collection[str]], None]
"""Is told which calendars changed, by their remote ids; of none as a sign of life."""


@runtime_checkable
class ListeningProvider(Provider, Protocol):
    """Tells us about changes over an answer that stays open: nobody need be able to reach us."""

    def listen(
        self, client: CalendarClient, calendar_ids: Sequence[str], hear: Hear, line: Line
    ) -> None:
        """Tell of changes for as long as it works; returns once *line* is cut.

        What happened before is not known, nor what happens in a gap: at the beginning, and
        after each gap, all calendars are told. Raises ConfigurationRefused when polling has to
        do, and ProviderErrors.
        """
        ...


class Reply(NamedTuple):
    """What a push message is answered with."""

    status: int
    body: str = ""
    content_type: str = "text/plain"


@runtime_checkable
class PushProvider(Provider, Protocol):
    """Tells us about changes by calling back."""

    lives_on: timedelta | None
    """How long a subscription is good for after each of its messages, which come even when
    nothing changes; None when it ends at the date that it was granted until."""

    def open_subscription(
        self,
        client: CalendarClient,
        calendar_id: str,
        *,
        subscription_id: str,
        callback_url: str,
        secret: str,
    ) -> OpenedSubscription | None:
        """Ask for notifications; None when this calendar has none, ever.

        Where messages cannot carry *secret*, they are asked for at *callback_url* and one more
        part of the path, which is the secret. Raises ConfigurationRefused when polling has to do.
        """
        ...

    def close_subscription(
        self, client: CalendarClient, *, subscription_id: str, resource_id: str
    ) -> None:
        """Stop notifications. A subscription already gone is a success."""
        ...

    def read_notification(
        self, subscription_id: str, headers: Mapping[str, str], body: bytes, *, token: str = ""
    ) -> Notification | None:
        """Read what a message claims; None when it is not one of theirs. Pure.

        *token* is what its address had after the subscription; empty when it had nothing.
        """
        ...

    def reply(self, *, wanted: bool) -> Reply:
        """Answer a message; one that is not *wanted* is not believed, or nobody's any more."""
        ...
