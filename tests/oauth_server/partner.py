"""A partner application that speaks to the authorization server, and the world it lives in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from broker.clock import SystemClock
from broker.crypto import Vault, s256_challenge
from broker.errors import TooManyRequests
from broker.ids import new_id
from broker.models import (
    Account,
    Application,
    ApplicationSecret,
    AuditEntry,
    Connection,
    Grant,
    Profile,
    RedirectUri,
    db,
    install,
    reading,
    transaction,
)
from broker.oauth_server.authorization import AuthorizationRequest
from broker.oauth_server.linked_profile import LinkedProfile
from broker.oauth_server.server import OAuthServer
from broker.settings import Settings
from broker.web import errors, oauth

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ISSUER = "https://broker.example"
CALLBACK = "https://acme.example/callback"
VERIFIER = "a-verifier-of-the-length-that-the-standard-wants"
SECRETS = {
    "acme": "CRN_acme-secret-acme-secret-acme-secret-01",
    "rival": "CRN_rival-secret-rival-secret-rival-sec-02",
    "mobile": None,
}


@dataclass
class CountingThrottle:
    """Refuses a key after *limit* failures."""

    limit: int = 5
    failures: dict[str, int] = field(default_factory=dict)

    def check(self, key: str) -> None:
        if self.failures.get(key, 0) >= self.limit:
            raise TooManyRequests(timedelta(seconds=90))

    def count(self, key: str) -> None:
        self.failures[key] = self.failures.get(key, 0) + 1


@dataclass
class Partner:
    """One application; *secret* is None for a public one."""

    name: str
    app: Flask
    server: OAuthServer

    def __post_init__(self) -> None:
        self.secret = SECRETS[self.name]
        self.client_id = f"client-{self.name}"
        self.application_id = f"app_{self.name}"
        self.account_id = f"acc_{self.name}"
        self.profile_id = f"pro_{self.name}"
        self.http: FlaskClient = self.app.test_client()

    @property
    def credentials(self) -> dict[str, str]:
        named = {"client_id": self.client_id}
        return named | {"client_secret": self.secret} if self.secret else named

    def query(self, **changes: str | None) -> MultiDict[str, str]:
        """Write an authorization request; a change to None leaves the parameter out."""
        query: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "scope": "read_write",
            "state": "a state",
        }
        if self.secret is None:
            query |= {"code_challenge": s256_challenge(VERIFIER), "code_challenge_method": "S256"}
        query |= changes
        return MultiDict({name: value for name, value in query.items() if value is not None})

    def parse(self, **changes: str | None) -> AuthorizationRequest:
        """Send an authorization request."""
        with self.app.app_context():
            return self.server.parse_authorization(self.query(**changes))

    def authorize(self, **changes: str | None) -> str:
        """Let the person say yes; gives the code."""
        request = self.parse(**changes)
        with self.app.app_context(), transaction() as session:
            grant = Grant(
                id=new_id("gra"),
                application_id=request.application_id,
                account_id=self.account_id,
                profile_id=self.profile_id,
                scope=request.scope,
                created_at=NOW,
            )
            session.add(grant)
            session.flush()
            return self.server.issue_code(
                session,
                grant_id=grant.id,
                redirect_uri=request.redirect_uri,
                code_challenge=request.code_challenge,
            )

    def post(self, path: str, **fields: Any) -> TestResponse:
        """Send JSON with our credentials; a field of None is left out."""
        given = self.credentials | fields
        body = {name: value for name, value in given.items() if value is not None}
        return self.app.test_client().post(path, json=body)

    def exchange(self, code: str, **changes: Any) -> TestResponse:
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        if self.secret is None:
            fields["code_verifier"] = VERIFIER
        return self.post("/oauth/token", **(fields | changes))

    def refresh(self, token: str, **changes: Any) -> TestResponse:
        fields = {"grant_type": "refresh_token", "refresh_token": token}
        return self.post("/oauth/token", **(fields | changes))

    def revoke(self, **fields: Any) -> TestResponse:
        return self.post("/oauth/token/revoke", **fields)

    def tokens(self, **changes: str | None) -> dict[str, Any]:
        """Authorize and exchange; gives the token answer."""
        answer = self.exchange(self.authorize(**changes))
        assert answer.status_code == 200, answer.json
        return answer_of(answer)

    def is_live(self, access_token: str) -> bool:
        """Tell whether an API call with this token would pass."""
        with self.app.app_context():
            return self.server.find_bearer(access_token) is not None


def answer_of(response: TestResponse) -> dict[str, Any]:
    """Give the JSON object of a response."""
    assert isinstance(response.json, dict)
    return response.json


def error_of(response: TestResponse) -> tuple[int, str]:
    """Give status and error code of a response."""
    return response.status_code, answer_of(response)["error"]


def make_vault() -> Vault:
    return Vault({"test": bytes(range(32))}, bytes(range(32, 64)))


def make_settings(folder: Path, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "public_url": ISSUER,
        "database_url": f"sqlite:///{folder}/broker.db",
        "redis_url": "unix://unused",
        "secret_key": bytes(32),
        "digest_key": bytes(32),
        "key_ring": {},
        "privacy_url": f"{ISSUER}/privacy",
    }
    return Settings(**(values | changes))


def make_app(settings: Settings, server: OAuthServer) -> Flask:
    """Make an application that serves the endpoints."""
    app = Flask("broker")
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    install(app, SystemClock())
    app.register_blueprint(oauth.blueprint(server))
    errors.register(app, page=lambda code, status: (code, status))
    return app


def fill_database(app: Flask, vault: Vault) -> None:
    """Make the tables and register three partners."""
    with app.app_context():
        db.create_all()
        with transaction() as session:
            for name in SECRETS:
                add_application(session, name)
                if secret := SECRETS[name]:
                    add_secret(session, vault, name, secret)


def add_application(session: Session, name: str) -> None:
    """Register an application with one account, profile and connection of its own."""
    session.add(
        Application(
            id=f"app_{name}",
            client_id=f"client-{name}",
            name=name.title(),
            scopes="read_write free_busy",
            public=SECRETS[name] is None,
            created_at=NOW,
        )
    )
    session.flush()
    connection = Connection(
        id=f"con_{name}",
        provider="google",
        access_mode="full",
        service="gsuite",
        login_digest=name.encode(),
        wrapped_key=b"",
        sealed_identity=b"",
        sealed_credential=b"",
        created_at=NOW,
    )
    account = Account(id=f"acc_{name}", application_id=f"app_{name}", created_at=NOW)
    session.add_all([account, connection])
    session.flush()
    session.add(
        Profile(
            id=f"pro_{name}", account_id=account.id, connection_id=connection.id, created_at=NOW
        )
    )
    add_redirect_uri(session, name, CALLBACK)


def add_redirect_uri(session: Session, name: str, uri: str) -> None:
    session.add(RedirectUri(id=new_id("uri"), application_id=f"app_{name}", uri=uri))


def add_secret(session: Session, vault: Vault, name: str, secret: str, **changes: Any) -> None:
    session.add(
        ApplicationSecret(
            id=new_id("sec"),
            application_id=f"app_{name}",
            digest=vault.digest("client_secret", secret),
            wrapped=b"",
            created_at=NOW,
            **changes,
        )
    )


def describe_profile(profile: LinkedProfile) -> dict[str, str]:
    """Stand in for the services that know profiles."""
    return {
        "provider_name": profile.provider,
        "profile_id": profile.profile_id,
        "profile_name": f"the login of {profile.id}",
        "provider_service": profile.service,
    }


def description_of(name: str) -> dict[str, str]:
    """Give what `describe_profile` says of a partner's profile."""
    return {
        "provider_name": "google",
        "profile_id": f"pro_{name}",
        "profile_name": f"the login of con_{name}",
        "provider_service": "gsuite",
    }


def acts(app: Flask) -> list[str]:
    """Give what the audit log says was done, in order."""
    with app.app_context():
        return list(reading().execute(select(AuditEntry.act)).scalars())
