"""Push subscriptions at providers: opened, renewed at half life, believed only with their secret.

They only make a sync happen sooner. What they miss, polling finds.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select

from broker.crypto import same
from broker.domain import OpenedSubscription
from broker.errors import AuthorizationLost, ConfigurationRefused, NotFound, ProviderError
from broker.ids import jitter, new_secret, new_uuid
from broker.models import Calendar, Connection, Subscription, reading, transaction
from broker.providers.base import CalendarClient, PushProvider
from broker.services import connections, tasks
from broker.services.credentials import with_client
from broker.services.runtime import Runtime
from broker.services.tasks import Kind, Lease

log = logging.getLogger(__name__)

TOMORROW = timedelta(days=1)
SHORTEST_LIFE = timedelta(minutes=10)


def subscribe(runtime: Runtime, lease: Lease) -> None:
    """Open a subscription for a calendar, then let go of its older ones.

    Our row is committed first: the provider's first message may arrive before its answer.
    """
    subject = _subject(runtime, lease)
    if subject is None:
        with transaction() as session:
            tasks.hold(session, lease, runtime.clock.now())
            tasks.finish(session, lease, None)
        return
    subscription_id, secret = new_uuid(), new_secret()
    with transaction() as session:
        tasks.hold(session, lease, runtime.clock.now())
        session.add(
            Subscription(
                id=subscription_id,
                calendar_id=lease.subject_id,
                secret_digest=runtime.vault.digest("subscription", subscription_id, secret),
                created_at=lease.started_at,
            )
        )
    callback = f"{runtime.settings.public_url}/hooks/{subject.provider.slug}/{subscription_id}"

    def open_it(client: CalendarClient) -> OpenedSubscription | None:
        return subject.provider.open_subscription(
            client,
            subject.remote_id,
            subscription_id=subscription_id,
            callback_url=callback,
            secret=secret,
        )

    try:
        opened = with_client(runtime, subject.connection_id, open_it)
    except ConfigurationRefused:
        log.warning("push refused, polling instead", extra={"calendar": lease.subject_id})
        _try_tomorrow(runtime, lease, subscription_id)
        return
    except ProviderError:
        _forget(runtime, lease, subscription_id)
        raise
    _keep(runtime, lease, subject.connection_id, subscription_id, opened)


@dataclass(frozen=True, slots=True)
class _Subject:
    """The calendar to subscribe to."""

    connection_id: str
    remote_id: str
    provider: PushProvider


def _subject(runtime: Runtime, lease: Lease) -> _Subject | None:
    """Find the calendar of a task; None when it is gone or can have no push."""
    found = connections.of_calendar(lease.subject_id)
    if found is None or found[0].deleted_at or found[0].push_refused or not _reachable(runtime):
        return None
    calendar, connection = found
    provider = runtime.provider(connection.provider)
    if not isinstance(provider, PushProvider):
        return None
    key = connections.data_key(runtime.vault, connection)
    return _Subject(connection.id, connections.calendar_remote_id(key, calendar), provider)


def _keep(
    runtime: Runtime,
    lease: Lease,
    connection_id: str,
    subscription_id: str,
    opened: OpenedSubscription | None,
) -> None:
    """Write what came of it; the next date is half the life that the provider granted."""
    now = runtime.clock.now()
    wanted: list[str] = []
    with transaction() as session:
        connections.lock(session, [connection_id])
        tasks.hold(session, lease, now)
        subscription = session.get_one(Subscription, subscription_id)
        calendar = session.get_one(Calendar, subscription.calendar_id)
        if opened is None:
            session.delete(subscription)
            calendar.push_refused = True
            tasks.finish(session, lease, None)
            return
        life = opened.expires_at - now
        connection = session.get_one(Connection, calendar.connection_id)
        key = connections.data_key(runtime.vault, connection)
        place = f"subscriptions:{subscription_id}:resource_id"
        subscription.sealed_resource_id = key.seal_text(opened.resource_id, place)
        subscription.expires_at = opened.expires_at
        older = select(Subscription.id).where(
            Subscription.calendar_id == calendar.id, Subscription.id != subscription_id
        )
        for old in session.scalars(older).all():
            wanted.append(tasks.want(session, Kind.UNSUBSCRIBE, old, now, now))
        wanted.append(tasks.want(session, Kind.SYNC_CALENDAR, calendar.id, now, now))
        tasks.finish(session, lease, now + max(life / 2, SHORTEST_LIFE) * jitter(0.1))
    runtime.queue.announce(wanted)


def _try_tomorrow(runtime: Runtime, lease: Lease, subscription_id: str) -> None:
    """An operator has something to mend; until then polling has to do."""
    now = runtime.clock.now()
    with transaction() as session:
        tasks.hold(session, lease, now)
        session.execute(delete(Subscription).where(Subscription.id == subscription_id))
        tasks.finish(session, lease, now + TOMORROW * jitter(0.1))


def _forget(runtime: Runtime, lease: Lease, subscription_id: str) -> None:
    """Leave nothing of a subscription that was not opened."""
    with transaction() as session:
        tasks.hold(session, lease, runtime.clock.now())
        session.execute(delete(Subscription).where(Subscription.id == subscription_id))


def unsubscribe(runtime: Runtime, lease: Lease) -> None:
    """Close a subscription at the provider and forget it; one that cannot be closed just dies."""
    found = _find(lease.subject_id)
    if found is not None and found[0].sealed_resource_id is not None:
        subscription, connection = found
        resource_id = _resource_id(runtime, subscription, connection)
        provider = runtime.provider(connection.provider)

        def close(client: CalendarClient) -> None:
            if isinstance(provider, PushProvider):
                provider.close_subscription(
                    client, subscription_id=lease.subject_id, resource_id=resource_id
                )

        try:
            with_client(runtime, connection.id, close)
        except AuthorizationLost:
            log.info("subscription left to expire", extra={"subscription": lease.subject_id})
    with transaction() as session:
        tasks.hold(session, lease, runtime.clock.now())
        session.execute(delete(Subscription).where(Subscription.id == lease.subject_id))
        tasks.finish(session, lease, None)


def receive(
    runtime: Runtime, slug: str, subscription_id: str, headers: Mapping[str, str], body: bytes
) -> None:
    """Take a provider's message: want an early sync of the calendar it is about.

    Raises NotFound for whatever we do not believe: unknown, wrong secret, other resource.
    """
    provider = runtime.providers.get(slug)
    if not isinstance(provider, PushProvider):
        raise NotFound(slug)
    message = provider.read_notification(subscription_id, headers, body)
    found = _find(subscription_id)
    if message is None or found is None or found[1].provider != slug:
        raise NotFound("subscription")
    subscription, connection = found
    digest = runtime.vault.digest("subscription", subscription_id, message.secret)
    if not same(digest, subscription.secret_digest):
        raise NotFound("subscription")
    known = _resource_id(runtime, subscription, connection)
    if known and known != message.resource_id:
        raise NotFound("subscription")
    if message.wakes:
        _wake(runtime, connection.id, subscription.calendar_id)


def _wake(runtime: Runtime, connection_id: str, calendar_id: str) -> None:
    """Want a sync, unless the connection was left or refused; now, not when we read it.

    A channel lives on for days after that and must not start it again. Whoever revives the
    connection reads everything anyway, so that no message is lost by it.
    """
    now = runtime.clock.now()
    works = select(Connection.id).where(
        Connection.id == connection_id,
        Connection.unused_since.is_(None),
        Connection.disconnected_reason.is_(None),
    )
    wanted: list[str] = []
    with transaction() as session:
        connections.lock(session, [connection_id])
        if session.scalar(works) is not None:
            wanted.append(tasks.want(session, Kind.SYNC_CALENDAR, calendar_id, now, now))
    runtime.queue.announce(wanted)


def _find(subscription_id: str) -> tuple[Subscription, Connection] | None:
    query = (
        select(Subscription, Connection)
        .join(Calendar, Calendar.id == Subscription.calendar_id)
        .join(Connection, Connection.id == Calendar.connection_id)
        .where(Subscription.id == subscription_id)
    )
    row = reading().execute(query).one_or_none()
    return (row[0], row[1]) if row is not None else None


def _resource_id(runtime: Runtime, subscription: Subscription, connection: Connection) -> str:
    """Open what the provider calls the subscription; empty while it has not told us."""
    if subscription.sealed_resource_id is None:
        return ""
    key = connections.data_key(runtime.vault, connection)
    place = f"subscriptions:{subscription.id}:resource_id"
    return key.open_text(subscription.sealed_resource_id, place)


def _reachable(runtime: Runtime) -> bool:
    """Tell whether a provider can call us: https, or a sandbox on this machine."""
    return runtime.settings.secure or runtime.settings.local
