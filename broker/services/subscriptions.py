"""Push subscriptions at providers: opened, renewed at half life, believed only with their secret.

They only make a sync happen sooner. What they miss, polling finds.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import delete, exists, select

from broker.domain import OpenedSubscription
from broker.errors import AuthorizationLost, ConfigurationRefused, ProviderError
from broker.ids import jitter, new_secret, new_uuid
from broker.models import Calendar, Connection, Subscription, Task, reading, transaction
from broker.providers.base import CalendarClient, PushProvider
from broker.services import connections, tasks
from broker.services.credentials import with_client
from broker.services.runtime import Runtime
from broker.services.tasks import Kind, Lease

log = logging.getLogger(__name__)

TOMORROW = timedelta(days=1)
SHORTEST_LIFE = timedelta(minutes=10)
SPREAD = timedelta(minutes=30)
AT_ONCE = 200


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
    if subject.provider.lives_on is not None and _is_seen_to(runtime, lease, subject):
        return
    subscription_id, secret = new_uuid(), new_secret()
    _add(runtime, lease, subscription_id, secret)
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
    _keep(runtime, lease, subject, subscription_id, opened)


def _add(runtime: Runtime, lease: Lease, subscription_id: str, secret: str) -> None:
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


def ensure(runtime: Runtime) -> None:
    """Want subscriptions for calendars that have never asked for one, within the hour.

    They were connected before push was switched on.
    """
    slugs = [slug for slug, one in runtime.providers.items() if isinstance(one, PushProvider)]
    asked = exists().where(Task.kind == Kind.SUBSCRIBE.value, Task.subject_id == Calendar.id)
    query = (
        select(Calendar.id, Connection.id, Connection.provider)
        .join(Connection, Connection.id == Calendar.connection_id)
        .where(Connection.provider.in_(slugs), *connections.WANTED, ~asked)
        .where(Calendar.deleted_at.is_(None), Calendar.push_refused.is_(False))
    )
    found = reading().execute(query).all() if _reachable(runtime) else []
    for at in range(0, len(found), AT_ONCE):
        now = runtime.clock.now()
        with transaction() as session:
            for calendar_id, connection_id, slug in found[at : at + AT_ONCE]:
                due_at = now + SPREAD * jitter(1)
                login_id = connections.login_in_turns(runtime, slug, connection_id)
                tasks.want(session, Kind.SUBSCRIBE, calendar_id, now, due_at, login_id=login_id)


@dataclass(frozen=True, slots=True)
class _Subject:
    """The calendar to subscribe to."""

    connection_id: str
    login_id: str | None
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
    remote_id = connections.calendar_remote_id(key, calendar.id, calendar.sealed_remote_id)
    login_id = connections.login_in_turns(runtime, provider.slug, connection.id)
    return _Subject(connection.id, login_id, remote_id, provider)


def _is_seen_to(runtime: Runtime, lease: Lease, subject: _Subject) -> bool:
    """Tell whether the subscription that there is will do, where messages say that it lives.

    One that is silent after its first message was lost at the provider. Without any, the
    provider cannot reach us: polling has to do for today.
    """
    query = select(Subscription).where(
        Subscription.calendar_id == lease.subject_id, Subscription.expires_at.is_not(None)
    )
    newest = reading().scalar(query.order_by(Subscription.created_at.desc()).limit(1))
    now = runtime.clock.now()
    if newest is None or newest.expires_at is None:
        return False
    subscription_id, is_mute = newest.id, newest.heard_at is None
    if not is_mute and newest.expires_at <= now:
        return False
    following = newest.expires_at
    wanted: list[str] = []
    with transaction() as session:
        tasks.hold(session, lease, now)
        if is_mute and following <= now:
            log.warning("push does not reach us", extra={"calendar": lease.subject_id})
            closing = tasks.want(
                session, Kind.UNSUBSCRIBE, subscription_id, now, now, login_id=subject.login_id
            )
            wanted.append(closing)
            following = now + TOMORROW * jitter(0.1)
        tasks.finish(session, lease, following)
    runtime.queue.announce(wanted)
    return True


def _keep(
    runtime: Runtime,
    lease: Lease,
    subject: _Subject,
    subscription_id: str,
    opened: OpenedSubscription | None,
) -> None:
    """Write what came of it; the next date is half the life that the provider granted.

    Where messages prolong it, the next date is when it should have been heard of.
    """
    now = runtime.clock.now()
    wanted: list[str] = []
    with transaction() as session:
        connections.lock(session, [subject.connection_id])
        tasks.hold(session, lease, now)
        subscription = session.get_one(Subscription, subscription_id)
        calendar = session.get_one(Calendar, subscription.calendar_id)
        if opened is None:
            session.delete(subscription)
            calendar.push_refused = True
            tasks.finish(session, lease, None)
            return
        connection = session.get_one(Connection, calendar.connection_id)
        key = connections.data_key(runtime.vault, connection)
        place = f"subscriptions:{subscription_id}:resource_id"
        subscription.sealed_resource_id = key.seal_text(opened.resource_id, place)
        # Its first message may have come before this.
        expires_at = max(opened.expires_at, subscription.expires_at or opened.expires_at)
        subscription.expires_at = expires_at
        older = select(Subscription.id).where(
            Subscription.calendar_id == calendar.id, Subscription.id != subscription_id
        )
        want = partial(tasks.want, session, now=now, due_at=now, login_id=subject.login_id)
        for old in session.scalars(older).all():
            wanted.append(want(Kind.UNSUBSCRIBE, old))
        wanted.append(want(Kind.SYNC_CALENDAR, calendar.id))
        renewed_at = now + max((expires_at - now) / 2, SHORTEST_LIFE) * jitter(0.1)
        lives_on = subject.provider.lives_on is not None
        tasks.finish(session, lease, expires_at if lives_on else renewed_at)
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
    found = find(lease.subject_id)
    if found is not None and found[0].sealed_resource_id is not None:
        subscription, connection = found
        resource_id = resource_id_of(runtime, subscription, connection)
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


def find(subscription_id: str) -> tuple[Subscription, Connection] | None:
    query = (
        select(Subscription, Connection)
        .join(Calendar, Calendar.id == Subscription.calendar_id)
        .join(Connection, Connection.id == Calendar.connection_id)
        .where(Subscription.id == subscription_id)
    )
    row = reading().execute(query).one_or_none()
    return (row[0], row[1]) if row is not None else None


def resource_id_of(runtime: Runtime, subscription: Subscription, connection: Connection) -> str:
    """Open what the provider calls the subscription; empty while it has not told us."""
    if subscription.sealed_resource_id is None:
        return ""
    key = connections.data_key(runtime.vault, connection)
    place = f"subscriptions:{subscription.id}:resource_id"
    return key.open_text(subscription.sealed_resource_id, place)


def _reachable(runtime: Runtime) -> bool:
    """Tell whether a provider can call us: https, or a sandbox on this machine."""
    return runtime.settings.secure or runtime.settings.local
