"""Connecting: from a proved login to a code for the application.

Nothing is stored before the login has been proved by one calendar read.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from broker.domain import AccessMode, RemoteCalendar
from broker.errors import AttemptOver, PermissionMissing, UserError
from broker.ids import new_id, new_profile_id
from broker.logins import AuthorizationAttempt, Credential, Login, RemoteAccount
from broker.models import (
    Account,
    ConnectAttempt,
    Connection,
    Grant,
    Profile,
    audit,
    transaction,
)
from broker.models.base import changed
from broker.providers.base import OAuthProvider, PasswordProvider
from broker.services import attempts, calendar_lists, connections, disconnect, tasks
from broker.services.attempts import Attempt
from broker.services.connections import Identity
from broker.services.grants_given_back import give_back
from broker.services.runtime import Runtime
from broker.services.tasks import Kind

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Proved:
    """A login that has just been proved, with the calendars that proved it.

    *diagnosis* is the code of what the connection doctor found; empty where it was not asked.
    """

    slug: str
    credential: Credential
    account: RemoteAccount
    calendars: list[RemoteCalendar]
    diagnosis: str = ""


def authorization_url(
    runtime: Runtime, attempt: Attempt, provider: OAuthProvider, *, locale: str | None
) -> str:
    """Give the address at the provider where the person consents.

    A relink sends no login hint: whoever holds the link would read the address in it that our
    page masks.
    """
    callback = f"{runtime.settings.public_url}/connect/{provider.slug}/callback"
    started = attempts.new_flow(callback, locale=locale)
    attempts.leave(runtime, attempt, provider.slug, started)
    return provider.authorization_url(started)


def prove_code(
    runtime: Runtime, provider: OAuthProvider, code: str, started: AuthorizationAttempt
) -> Proved:
    """Trade a provider's code and read the calendars once; a grant of no use is given back.

    Raises UserError and ProviderError kinds.
    """
    authorized = provider.exchange(code, started)
    credential, account = authorized.credential, authorized.account
    try:
        if authorized.lacks_scopes:
            raise PermissionMissing(provider.slug, "exchange", detail="permission_unticked")
        if not credential.refresh_token:
            raise UserError("no_refresh_token")
        calendars = provider.client(credential).calendars()
    except (UserError, PermissionMissing):
        give_back(runtime, provider.slug, credential, account)
        raise
    return Proved(provider.slug, credential, account, calendars)


def prove_password(provider: PasswordProvider, login: Login) -> Proved:
    """Prove a typed login and read the calendars once.

    Raises UserError and ProviderError kinds.
    """
    return Proved(provider.slug, *provider.verify(login))


def cancel(runtime: Runtime, attempt: Attempt) -> str | None:
    """End an attempt because the person said no; gives where to send them, if anywhere."""
    with transaction() as session:
        _close(session, attempt, runtime.clock.now())
    if attempt.request is None:
        return None
    text = "The person chose not to connect a calendar."
    return runtime.oauth.error_uri(attempt.request, "access_denied", text)


def finish(runtime: Runtime, attempt: Attempt, proved: Proved) -> str | None:
    """Store a proved login and end the attempt; gives the address back to the application.

    None after relinking. Raises AttemptOver when the attempt was finished meanwhile, and
    UserError `wrong_login` when another login was to be connected again.
    """
    try:
        uri, wanted = _finish(runtime, attempt, proved)
    except UserError:
        give_back(runtime, proved.slug, proved.credential, proved.account)
        raise
    runtime.queue.announce(wanted)
    return uri


def _finish(runtime: Runtime, attempt: Attempt, proved: Proved) -> tuple[str | None, list[str]]:
    try:
        return _store(runtime, attempt, proved)
    except IntegrityError:
        # Somebody connected the same login for the first time at this moment: now it is known.
        return _store(runtime, attempt, proved)


def _store(runtime: Runtime, attempt: Attempt, proved: Proved) -> tuple[str | None, list[str]]:
    now = runtime.clock.now()
    with transaction() as session:
        digest = runtime.vault.digest("login", proved.slug, proved.account.subject)
        held = _held(session, proved.slug, digest)
        _close(session, attempt, now)
        _check_relink(session, attempt, proved.slug, digest)
        connection = held or _new_connection(runtime, session, proved, digest, now)
        _store_login(runtime, session, connection, proved)
        wanted = calendar_lists.store(runtime, session, connection, proved.calendars, now)
        wanted += calendar_lists.start_all(runtime, session, connection, now)
        tasks.drop(session, (Kind.RETIRE,), [connection.id])
        audit.note(
            session,
            now,
            "connected" if attempt.request else "relinked",
            application_id=attempt.application.id,
            subject_id=connection.id,
            provider=proved.slug,
            **({"diagnosis": proved.diagnosis} if proved.diagnosis else {}),
        )
        uri = None
        if attempt.request is not None:
            uri = _grant(runtime, session, attempt, connection, now)
        # A relink gives no grant: without one there is nobody to keep the copy fresh for.
        disconnect.note_unused(
            runtime.clock, runtime.settings.retention_days, session, [connection.id]
        )
    log.info("connected", extra={"connection": connection.id, "provider": proved.slug})
    return uri, list(dict.fromkeys(wanted))


def _close(session: Session, attempt: Attempt, now: datetime) -> None:
    end = (
        update(ConnectAttempt)
        .where(ConnectAttempt.id == attempt.id, ConnectAttempt.finished_at.is_(None))
        .values(finished_at=now, wrapped_flow=None)
    )
    if not changed(session, end):
        raise AttemptOver("attempt_used", application_id=attempt.application.id)


def _held(session: Session, slug: str, digest: bytes) -> Connection | None:
    """Find the connection of a login, and lock it as `connections.lock` does."""
    mode = AccessMode.FULL.value
    query = select(Connection).filter_by(provider=slug, access_mode=mode, login_digest=digest)
    return session.scalar(query.with_for_update())


def _check_relink(session: Session, attempt: Attempt, slug: str, digest: bytes) -> None:
    """Refuse another login than the one that was to be connected again."""
    if attempt.profile_id is not None:
        profile = session.get_one(Profile, attempt.profile_id)
        expected = session.get_one(Connection, profile.connection_id)
        if expected.login_digest != digest or expected.provider != slug:
            raise UserError("wrong_login")


def _store_login(
    runtime: Runtime, session: Session, connection: Connection, proved: Proved
) -> None:
    """Bring a connection the login's newest credential; whatever ended it is over."""
    key = connections.data_key(runtime.vault, connection)
    who = Identity(
        subject=proved.account.subject,
        profile_name=proved.account.profile_name,
        email=proved.account.email,
        display_name=proved.account.display_name,
    )
    connection.sealed_identity = connections.seal_identity(key, connection.id, who)
    sealed = connections.seal_credential(key, connection.id, proved.credential)
    connection.sealed_credential = sealed
    is_new = connection.credential_version is None
    connection.credential_version = 1 if is_new else Connection.credential_version + 1
    connection.refresh_until = None
    connection.service = proved.account.service
    connection.disconnected_reason = connection.disconnected_at = connection.reason = None
    connection.unused_since = None
    session.flush()


def _new_connection(
    runtime: Runtime, session: Session, proved: Proved, digest: bytes, now: datetime
) -> Connection:
    connection_id = new_id("con")
    connection = Connection(
        id=connection_id,
        provider=proved.slug,
        access_mode=AccessMode.FULL.value,
        login_digest=digest,
        wrapped_key=runtime.vault.new_data_key(connections.key_place(connection_id)),
        created_at=now,
    )
    session.add(connection)
    return connection


def _grant(
    runtime: Runtime, session: Session, attempt: Attempt, connection: Connection, now: datetime
) -> str:
    """Give the application its grant on the account, and the code for it."""
    request = attempt.request
    if request is None:
        raise AttemptOver("attempt_over")
    profile = _profile(session, attempt.application.id, connection.id, now)
    grant = Grant(
        id=new_id("gra"),
        application_id=attempt.application.id,
        account_id=profile.account_id,
        profile_id=profile.id,
        scope=request.scope,
        created_at=now,
    )
    session.add(grant)
    session.flush()
    audit.note(
        session, now, "grant_given", application_id=attempt.application.id, subject_id=grant.id
    )
    code = runtime.oauth.issue_code(
        session,
        grant_id=grant.id,
        redirect_uri=request.redirect_uri,
        code_challenge=request.code_challenge,
    )
    return runtime.oauth.success_uri(request, code)


def _profile(session: Session, application_id: str, connection_id: str, now: datetime) -> Profile:
    """Find the profile by which this application knows the login, or make it.

    The same login is the same account again; a new login is a new account. Nothing that a
    provider merely claims, such as a mail address, joins accounts.
    """
    found = session.scalar(
        select(Profile)
        .join(Account, Account.id == Profile.account_id)
        .where(Account.application_id == application_id, Profile.connection_id == connection_id)
    )
    if found is not None:
        return found
    account = Account(id=new_id("acc"), application_id=application_id, created_at=now)
    session.add(account)
    session.flush()
    profile = Profile(
        id=new_profile_id(), account_id=account.id, connection_id=connection_id, created_at=now
    )
    session.add(profile)
    session.flush()
    return profile


def masked_address(runtime: Runtime, attempt: Attempt) -> str | None:
    """Give the login to connect again so that its owner knows it and nobody else learns it."""
    if attempt.profile_id is None:
        return None
    connection = attempts.relink_target(attempt.profile_id)
    name = connections.identity(runtime.vault, connection).profile_name
    local, at, domain = name.partition("@")
    return f"{local[:1]}…{at}{domain}"
