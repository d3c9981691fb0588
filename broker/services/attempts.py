"""Connect attempts: one person, one browser, one application, a few minutes.

The handle in a page's address finds the attempt; the browser's cookie proves that it is the
same person; the state sent to a provider comes back once. Two attempts in two tabs have
nothing in common but the browser.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
from sqlalchemy import select, update

from broker.crypto import same
from broker.errors import AttemptOver, NotFound
from broker.ids import new_id, new_pkce_verifier, new_secret
from broker.logins import AuthorizationAttempt
from broker.models import Account, Application, ConnectAttempt, Connection, Profile, reading
from broker.models.base import changed, table_of, transaction
from broker.oauth_server.authorization import AuthorizationRequest
from broker.services.runtime import Runtime

LIFETIME = timedelta(minutes=20)
# Each attempt is a row for a day. A whole office may stand behind one address.
LIMITED_PER = timedelta(minutes=10)
PER_BROWSER = 60
PER_ADDRESS = 300
PER_APPLICATION = 2_000
_ATTEMPTS = table_of(ConnectAttempt)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt under way.

    *request* is what the application asked for, None while relinking *profile_id*. *started*
    is set after the return from a provider: what the flow there began with.
    """

    id: str
    handle: str = field(repr=False)
    application: Application
    request: AuthorizationRequest | None
    profile_id: str | None
    started: AuthorizationAttempt | None = None


class _Flow(msgspec.Struct, frozen=True):
    """What is sealed while the person is at the provider."""

    handle: str
    started: AuthorizationAttempt


def begin(
    runtime: Runtime,
    browser: str,
    *,
    request: AuthorizationRequest | None,
    profile_id: str | None,
    client_address: str,
) -> str:
    """Open an attempt for this browser; gives its handle.

    Raises TooManyRequests where more are opened than people would open.
    """
    now = runtime.clock.now()
    handle, attempt_id = new_secret(), new_id("att")
    application_id = (
        request.application_id if request is not None else _application_of(profile_id or "")
    )
    for scope, limit, who in (
        ("browser", PER_BROWSER, browser),
        ("address", PER_ADDRESS, client_address),
        ("application", PER_APPLICATION, application_id),
    ):
        key = f"attempts:{scope}:{who}"
        runtime.limits.check(key, limit=limit, per=LIMITED_PER)
        runtime.limits.count(key, per=LIMITED_PER)
    wrapped = None
    if request is not None:
        place = f"connect_attempts:{attempt_id}:request"
        wrapped = runtime.vault.wrap(msgspec.json.encode(request), place)
    with transaction() as session:
        session.add(
            ConnectAttempt(
                id=attempt_id,
                application_id=application_id,
                handle_digest=runtime.vault.digest("attempt", handle),
                browser_digest=runtime.vault.digest("browser", browser),
                wrapped_request=wrapped,
                profile_id=profile_id,
                created_at=now,
                expires_at=now + LIFETIME,
            )
        )
    return handle


def find(runtime: Runtime, handle: str, browser: str, *, even_over: bool = False) -> Attempt:
    """Find the attempt of a page; *even_over* also one that ran out without an end.

    Raises AttemptOver.
    """
    row = reading().scalar(
        select(ConnectAttempt).filter_by(handle_digest=runtime.vault.digest("attempt", handle))
    )
    try:
        _check(runtime, row, browser)
    except AttemptOver as error:
        if not (even_over and error.may_restart):
            raise
    return _open(runtime, row, handle)


def restart(runtime: Runtime, old: Attempt, browser: str, *, client_address: str) -> str:
    """Open a new attempt for what *old* was about; gives its handle."""
    return begin(
        runtime,
        browser,
        request=old.request,
        profile_id=old.profile_id,
        client_address=client_address,
    )


def ended(runtime: Runtime, handle: str, browser: str) -> Attempt:
    """Find the attempt of a page that comes after its end. Raises AttemptOver for any other."""
    row = reading().scalar(
        select(ConnectAttempt).filter_by(handle_digest=runtime.vault.digest("attempt", handle))
    )
    try:
        _check(runtime, row, browser)
    except AttemptOver as error:
        if error.code != "attempt_used":
            raise
        return _open(runtime, row, handle)
    raise AttemptOver("attempt_over")


def leave(runtime: Runtime, attempt: Attempt, slug: str, started: AuthorizationAttempt) -> None:
    """Note that the person goes to a provider with this state."""
    flow = _Flow(attempt.handle, started)
    place = f"connect_attempts:{attempt.id}:flow"
    with transaction() as session:
        session.execute(
            update(_ATTEMPTS)
            .where(_ATTEMPTS.c.id == attempt.id, _ATTEMPTS.c.finished_at.is_(None))
            .values(
                provider=slug,
                state_digest=runtime.vault.digest("state", started.state),
                wrapped_flow=runtime.vault.wrap(msgspec.json.encode(flow), place),
            )
        )


def new_flow(redirect_uri: str, *, locale: str | None) -> AuthorizationAttempt:
    """Make the secrets of a flow at an OAuth provider."""
    return AuthorizationAttempt(
        redirect_uri=redirect_uri,
        state=new_secret(),
        code_verifier=new_pkce_verifier(),
        nonce=new_secret(),
        locale=locale,
    )


def arrive(runtime: Runtime, slug: str, state: str, browser: str) -> Attempt:
    """Take the state that a provider brought back; it works once, here, for this provider.

    The row keeps the state's digest, so that a page that is loaded again can say whose it was.

    Raises AttemptOver. A return in another browser changes nothing.
    """
    digest = runtime.vault.digest("state", state)
    row = reading().scalar(select(ConnectAttempt).filter_by(state_digest=digest))
    flow = _flow(runtime, row) if row is not None and row.provider == slug else None
    try:
        _check(runtime, row, browser)
    except AttemptOver as error:
        if error.may_restart and flow is not None:
            error.handle = flow.handle
        raise
    if row is None or row.provider != slug:
        raise AttemptOver("attempt_over")
    if flow is None:
        raise AttemptOver("attempt_used", application_id=row.application_id)
    attempt_id, application_id = row.id, row.application_id
    with transaction() as session:
        take = (
            update(_ATTEMPTS)
            .where(
                _ATTEMPTS.c.id == attempt_id,
                _ATTEMPTS.c.state_digest == digest,
                _ATTEMPTS.c.wrapped_flow.is_not(None),
            )
            .values(wrapped_flow=None)
        )
        if not changed(session, take):
            raise AttemptOver("attempt_used", application_id=application_id)
    return _open(runtime, row, flow.handle, flow.started)


def _flow(runtime: Runtime, row: ConnectAttempt) -> _Flow | None:
    """Open what a person's way to an OAuth provider began with; None once it was taken."""
    if row.wrapped_flow is None:
        return None
    plain = runtime.vault.unwrap(row.wrapped_flow, f"connect_attempts:{row.id}:flow")
    return msgspec.json.decode(plain, type=_Flow)


def _check(runtime: Runtime, row: ConnectAttempt | None, browser: str) -> None:
    if row is None:
        raise AttemptOver("attempt_over")
    if not browser or not same(row.browser_digest, runtime.vault.digest("browser", browser)):
        raise AttemptOver("other_browser")
    if row.finished_at is not None:
        raise AttemptOver("attempt_used", application_id=row.application_id)
    if row.expires_at <= runtime.clock.now():
        raise AttemptOver("attempt_over", application_id=row.application_id, may_restart=True)


def _open(
    runtime: Runtime,
    row: ConnectAttempt | None,
    handle: str,
    started: AuthorizationAttempt | None = None,
) -> Attempt:
    if row is None:
        raise AttemptOver("attempt_over")
    request = None
    if row.wrapped_request is not None:
        plain = runtime.vault.unwrap(row.wrapped_request, f"connect_attempts:{row.id}:request")
        request = msgspec.json.decode(plain, type=AuthorizationRequest)
    application = reading().get_one(Application, row.application_id)
    return Attempt(row.id, handle, application, request, row.profile_id, started)


def _application_of(profile_id: str) -> str:
    query = (
        select(Account.application_id)
        .join(Profile, Profile.account_id == Account.id)
        .where(Profile.id == profile_id)
    )
    found = reading().scalar(query)
    if found is None:
        raise NotFound("profile")
    return str(found)


def relink_target(profile_id: str) -> Connection:
    """Give the connection behind a profile that is to be connected again. Raises NotFound."""
    found = reading().scalar(
        select(Connection)
        .join(Profile, Profile.connection_id == Connection.id)
        .where(Profile.id == profile_id)
    )
    if found is None:
        raise NotFound("profile")
    return found
