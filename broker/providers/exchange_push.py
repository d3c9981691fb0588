"""Exchange servers that can reach us: they call back about changes.

Their messages carry no secret, so the address that they are sent to does.
https://learn.microsoft.com/exchange/client-developer/web-service-reference/pushsubscriptionrequest
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from broker.domain import Notification, OpenedSubscription
from broker.providers._ews import notices
from broker.providers._ews.subscribe import Push, Subscribe, Unsubscribe
from broker.providers.base import CalendarClient, Reply
from broker.providers.exchange import Exchange, client_of

SAYS_AT_LEAST = timedelta(minutes=30)
# The first call comes at once; one that fails is made again after 30 s, 60 s and so on.
GREETS_WITHIN = timedelta(minutes=5)


class CalledExchange(Exchange):
    """Company-hosted Exchange that calls us."""

    lives_on: timedelta | None = 2 * SAYS_AT_LEAST

    def open_subscription(
        self,
        client: CalendarClient,
        calendar_id: str,
        *,
        subscription_id: str,
        callback_url: str,
        secret: str,
    ) -> OpenedSubscription | None:
        """Ask for notifications.

        Until the first call has come it is not known whether the server can reach us.
        """
        asked = Subscribe((calendar_id,), Push(f"{callback_url}/{secret}", SAYS_AT_LEAST))
        resource_id = client_of(client).session.call(asked)
        return OpenedSubscription(resource_id, self._clock.now() + GREETS_WITHIN)

    def close_subscription(
        self, client: CalendarClient, *, subscription_id: str, resource_id: str
    ) -> None:
        """Stop notifications. A subscription already gone is a success."""
        client_of(client).session.call(Unsubscribe(resource_id))

    def read_notification(
        self, subscription_id: str, headers: Mapping[str, str], body: bytes, *, token: str = ""
    ) -> Notification | None:
        """Read what a message claims; None when it is not one of theirs. Pure.

        It ends a subscription when events were lost, and only says that it lives when it comes
        because its time was over.
        """
        notice = notices.read_message(body) if token else None
        if notice is None or len(notice.subscriptions) != 1:
            return None
        (resource_id,) = notice.subscriptions
        ends = notice.trouble is not None
        return Notification(subscription_id, token, resource_id, notice.changed, ends)

    def reply(self, *, wanted: bool) -> Reply:
        """Answer a message: Exchange goes on, or forgets the subscription."""
        return Reply(200, notices.result(wanted=wanted), notices.CONTENT_TYPE)
