"""Partner applications: registering them, their secrets and where they may send people back."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broker.environment import is_loopback
from broker.errors import InvalidFields, NotFound
from broker.ids import new_client_secret, new_id
from broker.models import Application, ApplicationSecret, RedirectUri, audit, reading, transaction
from broker.oauth_server import redirects, scopes
from broker.services import features
from broker.services.runtime import Runtime

LIVE_SECRETS = 2
LONGEST_NAME = 200
LOCAL_CLIENT_ID = "sandbox-app"
LOCAL_SECRET = "sandbox-secret-for-local-use-only"  # noqa: S105 - well known, local mode only


def create(
    runtime: Runtime,
    *,
    name: str,
    redirect_uris: Sequence[str],
    scope: str,
    url: str = "",
    public: bool = False,
) -> tuple[Application, str | None]:
    """Register an application; gives it with its secret, which is shown this once.

    Raises InvalidFields.
    """
    problems = _problems(name, redirect_uris, scope, url)
    if problems:
        raise InvalidFields(problems)
    now = runtime.clock.now()
    application = Application(
        id=new_id("app"),
        client_id=new_id("cli"),
        name=name.strip(),
        url=url,
        scopes=scopes.normalise(scope),
        public=public,
        created_at=now,
    )
    with transaction() as session:
        session.add(application)
        session.flush()
        for uri in dict.fromkeys(redirect_uris):
            session.add(RedirectUri(id=new_id("uri"), application_id=application.id, uri=uri))
        secret = None if public else _add_secret(runtime, session, application.id)[1]
        audit.note(session, now, "application_created", application_id=application.id)
    return application, secret


def all_applications() -> list[Application]:
    """List the applications by name."""
    return list(reading().scalars(select(Application).order_by(Application.name)))


def find(application_id: str) -> Application | None:
    """Give an application by its own id."""
    return reading().get(Application, application_id)


def find_by_client_id(client_id: str) -> Application | None:
    """Give an application by the id that it shows to others."""
    return reading().scalar(select(Application).filter_by(client_id=client_id))


def redirect_uris(application: Application) -> list[str]:
    """List the redirect URIs that an application may use, in words where it is not a list."""
    if application.any_loopback_redirect:
        return ["any http address on this machine"]
    query = select(RedirectUri.uri).filter_by(application_id=application.id)
    return list(reading().scalars(query.order_by(RedirectUri.uri)))


def live_secrets(application_id: str) -> list[ApplicationSecret]:
    """List an application's live secrets, the oldest first."""
    query = (
        select(ApplicationSecret)
        .where(
            ApplicationSecret.application_id == application_id,
            ApplicationSecret.retired_at.is_(None),
        )
        .order_by(ApplicationSecret.created_at)
    )
    return list(reading().scalars(query))


def add_secret(runtime: Runtime, client_id: str) -> tuple[str, str]:
    """Make another secret, given as its id and itself; both work until one is retired.

    Raises NotFound, and InvalidFields when two are live already.
    """
    with transaction() as session:
        application = _by_client_id(session, client_id)
        live = select(func.count()).where(
            ApplicationSecret.application_id == application.id,
            ApplicationSecret.retired_at.is_(None),
        )
        if (session.scalar(live) or 0) >= LIVE_SECRETS:
            text = "two secrets are live already: retire one first"
            raise InvalidFields({"secret": [("errors.not_supported", text)]})
        made = _add_secret(runtime, session, application.id)
        now = runtime.clock.now()
        audit.note(session, now, "secret_added", application_id=application.id)
    return made


def retire_secret(runtime: Runtime, client_id: str, secret_id: str) -> None:
    """Stop a secret from working. Raises NotFound."""
    now = runtime.clock.now()
    with transaction() as session:
        application = _by_client_id(session, client_id)
        secret = session.get(ApplicationSecret, secret_id)
        if secret is None or secret.application_id != application.id or secret.retired_at:
            raise NotFound("secret")
        secret.retired_at = now
        audit.note(session, now, "secret_retired", application_id=application.id)


def add_redirect(runtime: Runtime, client_id: str, uri: str) -> None:
    """Register another redirect URI. Raises NotFound and InvalidFields."""
    if not is_good_redirect(uri):
        raise InvalidFields({"redirect_uri": [("errors.invalid_format", _REDIRECT_RULE)]})
    with transaction() as session:
        application = _by_client_id(session, client_id)
        held = select(RedirectUri).filter_by(application_id=application.id, uri=uri)
        if session.scalar(held) is None:
            session.add(RedirectUri(id=new_id("uri"), application_id=application.id, uri=uri))
            now = runtime.clock.now()
            audit.note(session, now, "redirect_added", application_id=application.id)


def set_feature(runtime: Runtime, client_id: str, feature: str, *, on: bool) -> None:
    """Turn a feature on or off. Raises NotFound, and InvalidFields for an unknown feature."""
    if feature not in features.KNOWN:
        text = f"{feature} is none of: {' '.join(features.KNOWN)}"
        raise InvalidFields({"feature": [("errors.not_recognized", text)]})
    with transaction() as session:
        application = _by_client_id(session, client_id)
        application.features = {**application.features, feature: on}
        act = "feature_added" if on else "feature_removed"
        audit.note(session, runtime.clock.now(), act, application_id=application.id)


_REDIRECT_RULE = (
    "must be an https address (http on this machine only), without user, fragment or wildcard"
)


def is_good_redirect(uri: str) -> bool:
    """Tell whether a redirect URI may be registered (security.md A1, RFC 9700 section 4.1.3)."""
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port  # there is no port beyond 65535
    except ValueError:
        return False
    # What no request can ever match must not be registered either.
    if not host or "*" in uri or not redirects.is_well_formed(uri):
        return False
    return parts.scheme == "https" or is_loopback(host)


def ensure_local(runtime: Runtime) -> None:
    """Register the sandbox's application, in local mode only."""
    if not runtime.settings.local:
        return
    with transaction() as session:
        if session.scalar(select(Application).filter_by(client_id=LOCAL_CLIENT_ID)) is not None:
            return
        application = Application(
            id=new_id("app"),
            client_id=LOCAL_CLIENT_ID,
            name="Acme Scheduling",
            scopes=" ".join(scopes.KNOWN),
            features=dict.fromkeys(features.KNOWN, True),
            any_loopback_redirect=True,
            created_at=runtime.clock.now(),
        )
        session.add(application)
        session.flush()
        _add_secret(runtime, session, application.id, LOCAL_SECRET)


def _problems(
    name: str, redirect_uris: Sequence[str], scope: str, url: str
) -> dict[str, list[tuple[str, str]]]:
    """Say what is wrong with the fields of a new application."""
    problems: dict[str, list[tuple[str, str]]] = {}
    if not name.strip():
        problems["name"] = [("errors.required", "name must be specified")]
    elif len(name.strip()) > LONGEST_NAME:
        text = f"must not be longer than {LONGEST_NAME} characters"
        problems["name"] = [("errors.invalid_format", text)]
    unknown = [part for part in scope.split() if not scopes.is_known(part)]
    if unknown or not scope.split():
        text = f"unknown: {' '.join(unknown)}" if unknown else "scope must be specified"
        problems["scope"] = [("errors.not_recognized", text)]
    for uri in redirect_uris:
        if not is_good_redirect(uri):
            problems["redirect_uri"] = [("errors.invalid_format", _REDIRECT_RULE)]
    if url and not _is_web_page(url):
        text = "must be the address of a web page, https://..."
        problems["url"] = [("errors.invalid_format", text)]
    return problems


def _is_web_page(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"https", "http"} and bool(parts.hostname)
    except ValueError:
        return False


def _by_client_id(session: Session, client_id: str) -> Application:
    found = session.scalar(select(Application).filter_by(client_id=client_id))
    if found is None:
        raise NotFound("application")
    return found


def _add_secret(
    runtime: Runtime, session: Session, application_id: str, secret: str | None = None
) -> tuple[str, str]:
    secret = secret or new_client_secret()
    secret_id = new_id("sec")
    session.add(
        ApplicationSecret(
            id=secret_id,
            application_id=application_id,
            digest=runtime.vault.digest("client_secret", secret),
            wrapped=runtime.vault.wrap(secret.encode(), f"application_secrets:{secret_id}:secret"),
            created_at=runtime.clock.now(),
        )
    )
    return secret_id, secret
