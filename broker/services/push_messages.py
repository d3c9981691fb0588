"""Push messages of providers: believed only with their secret, they make a sync happen sooner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import delete, update

from broker.crypto import same
from broker.domain import Notification
from broker.errors import NotFound
from broker.models import Connection, Subscription, transaction
from broker.providers.base import PushProvider, Reply
from broker.services import connections, subscriptions, tasks
from broker.services.runtime import Runtime
from broker.services.tasks import Kind


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody sent to a subscription's address; *token* is the last part of it."""

    subscription_id: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    token: str = field(default="", repr=False)


def receive(runtime: Runtime, slug: str, message: Message) -> Reply:
    """Take a provider's message: want an early sync of the calendar it is about.

    What is not believed has no effect: unknown, wrong secret, other resource. Raises NotFound
    for what is no message at all.
    """
    provider = runtime.providers.get(slug)
    if not isinstance(provider, PushProvider):
        raise NotFound(slug)
    said = provider.read_notification(
        message.subscription_id, message.headers, message.body, token=message.token
    )
    if said is None:
        raise NotFound("subscription")
    believed = _believed(runtime, slug, said)
    wanted = believed is not None and _take(runtime, provider, *believed, said)
    return provider.reply(wanted=wanted)


def _believed(
    runtime: Runtime, slug: str, said: Notification
) -> tuple[Subscription, Connection] | None:
    """Give the subscription that a message is of; None for a message that proves nothing."""
    found = subscriptions.find(said.subscription_id)
    if found is None or found[1].provider != slug:
        return None
    subscription, connection = found
    digest = runtime.vault.digest("subscription", subscription.id, said.secret)
    if not same(digest, subscription.secret_digest):
        return None
    known = subscriptions.resource_id_of(runtime, subscription, connection)
    return None if known and known != said.resource_id else found


def _take(
    runtime: Runtime,
    provider: PushProvider,
    subscription: Subscription,
    connection: Connection,
    said: Notification,
) -> bool:
    """Want a sync, unless the connection was left or refused; now, not when we read it.

    A channel lives on for days after that and must not start it again. Whoever revives the
    connection reads everything anyway, so that no message is lost by it. Tells whether more
    messages are wanted.
    """
    now = runtime.clock.now()
    subscription_id, calendar_id = subscription.id, subscription.calendar_id
    is_news = subscription.heard_at is None or provider.lives_on is not None
    if not (said.wakes or said.ends or is_news):
        return True
    login_id = connections.login_in_turns(runtime, connection.provider, connection.id)
    wanted: list[str] = []
    with transaction() as session:
        is_over = not connections.lock_wanted(session, connection.id)
        if provider.lives_on is not None and (is_over or said.ends):
            # What we answer makes the provider forget it.
            session.execute(delete(Subscription).where(Subscription.id == subscription_id))
        if is_over:
            return False
        if said.ends:
            again = tasks.want(session, Kind.SUBSCRIBE, calendar_id, now, now, login_id=login_id)
            wanted.append(again)
        elif is_news:
            values: dict[str, object] = {"heard_at": now}
            if provider.lives_on is not None:
                values["expires_at"] = now + provider.lives_on
            heard = update(Subscription).where(Subscription.id == subscription_id)
            session.execute(heard.values(values))
        if said.wakes or said.ends:
            sync = tasks.want(session, Kind.SYNC_CALENDAR, calendar_id, now, now, login_id=login_id)
            wanted.append(sync)
    runtime.queue.announce(wanted)
    return not said.ends
