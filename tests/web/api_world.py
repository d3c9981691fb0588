"""A small broker for tests of the partner API: applications, people and calendars at hand.

The database is a file of its own; who holds which token is told by a fake server, so that
nothing here depends on how tokens are issued.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from flask import Flask, Response
from flask.testing import FlaskClient
from redis.exceptions import ConnectionError as RedisGone
from sqlalchemy import insert, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from broker.clock import FixedClock
from broker.crypto import DataKey, Vault
from broker.domain import Busy, EventContent, Moment, RemoteEvent
from broker.ids import new_id, new_profile_id
from broker.models import (
    Account,
    Application,
    Calendar,
    Connection,
    Event,
    Occurrence,
    Profile,
    db,
    install,
    transaction,
)
from broker.models.base import table_of
from broker.oauth_server.tokens import Bearer
from broker.queues import ListQueue
from broker.services import partner_ids
from broker.services.connections import Identity, key_place, seal_identity
from broker.services.limits import Limits
from broker.services.runtime import Runtime
from broker.settings import Settings
from broker.sync.keys import event_key, event_place, occurrence_uid, series_uid
from broker.web import api, errors
from tests.made_once import share_statements

NOW = datetime(2026, 3, 9, 10, 0, tzinfo=UTC)
PUBLIC_URL = "https://broker.example"
UTC_DAY = 86_400


def at(text: str) -> int:
    """Read `2026-03-10` or `2026-03-10T13:00` as UTC epoch seconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


class FakeRedis:
    """The counters of a Redis server, shared by whoever holds it; *gone* makes it fail."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.lifetimes: dict[str, int] = {}
        self.round_trips = 0
        self.gone = False

    def pipeline(self, transaction: bool = True) -> FakePipeline:
        return FakePipeline(self)


class FakePipeline:
    """Collects commands and runs them at once."""

    def __init__(self, redis: FakeRedis) -> None:
        self._redis = redis
        self._answers: list[tuple[str, int | None, int | None]] = []

    def incrby(self, name: str, amount: int) -> None:
        self._answers.append((name, amount, None))

    def expire(self, name: str, seconds: int) -> None:
        self._answers.append((name, None, seconds))

    def execute(self) -> list[int]:
        self._redis.round_trips += 1
        if self._redis.gone:
            raise RedisGone("away")
        found = []
        for name, amount, seconds in self._answers:
            if amount is not None:
                self._redis.values[name] = self._redis.values.get(name, 0) + amount
                found.append(self._redis.values[name])
            else:
                self._redis.lifetimes[name] = seconds or 0
                found.append(1)
        return found


class FakeOAuth:
    """Knows tokens by heart."""

    def __init__(self) -> None:
        self.bearers: dict[str, Bearer] = {}

    def find_bearer(self, token: str) -> Bearer | None:
        return self.bearers.get(token)


@dataclass
class Login:
    """A connection, and what opens it."""

    id: str
    key: DataKey


@dataclass
class Shelf:
    """A calendar of a login."""

    id: str
    login: Login


@dataclass
class Person:
    """An account of one application with one profile, and a client that speaks for it."""

    world: World
    application_id: str
    account_id: str
    profile_id: str
    login: Login
    token: str
    http: FlaskClient

    def get(self, path: str, *, scope: str | None = None, **query: Any) -> TestResponse:
        """Call the API; *query* names without their brackets, `from_` for `from`."""
        if scope is not None:
            self.world.grant(self.token, scope)
        pairs = [
            (name.rstrip("_"), value)
            for name, values in query.items()
            for value in (values if isinstance(values, list) else [values])
        ]
        return self.http.get(path, query_string=pairs or None, headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def events(self, **query: Any) -> list[dict[str, Any]]:
        """List all events, page after page."""
        return [item for page in self.walk("events", **query) for item in page]

    def free_busy(self, **query: Any) -> list[dict[str, Any]]:
        return [item for page in self.walk("free_busy", **query) for item in page]

    def walk(self, listing: str, **query: Any) -> Iterator[list[dict[str, Any]]]:
        """Yield the pages of a listing by following its links."""
        answer = self.get(f"/v1/{listing}", **({"tzid": "Etc/UTC"} | query))
        while True:
            assert answer.status_code == 200, (answer.status_code, answer.json)
            yield answer.json[listing]
            following = answer.json["pages"].get("next_page")
            if following is None:
                return
            answer = self.get(following)

    def calendar_id(self, shelf: Shelf) -> str:
        return partner_ids.calendar_id(self.world.vault, self.profile_id, shelf.id)


@dataclass
class World:
    """The broker and everything in it."""

    app: Flask
    runtime: Runtime
    vault: Vault
    clock: FixedClock
    redis: FakeRedis
    oauth: FakeOAuth
    names: Iterator[int] = field(default_factory=lambda: iter(range(10**9)))

    def grant(self, token: str, scope: str) -> None:
        """Change what a token may do."""
        self.oauth.bearers[token] = replace(self.oauth.bearers[token], scope=scope)

    def application(self) -> str:
        found = new_id("app")
        self._add(
            Application(id=found, client_id=found, name="Acme", scopes="read_write", created_at=NOW)
        )
        return found

    def features(self, person: Person, *names: str) -> None:
        """Let somebody's application use these features and no others."""
        with self.app.app_context(), transaction() as session:
            account = session.get_one(Account, person.account_id)
            application = session.get_one(Application, account.application_id)
            application.features = dict.fromkeys(names, True)

    def person(
        self,
        *,
        application: str | None = None,
        login: Login | None = None,
        scope: str = "read_write",
    ) -> Person:
        """Make somebody with one connected profile, or with a *login* that exists already."""
        application_id = application or self.application()
        account = Account(id=new_id("acc"), application_id=application_id, created_at=NOW)
        self._add(account)
        login = login or self.login()
        profile_id = self.profile(account.id, login)
        token = f"token-{next(self.names)}"
        self.oauth.bearers[token] = Bearer(new_id("gra"), application_id, account.id, scope)
        return Person(
            self, application_id, account.id, profile_id, login, token, self.app.test_client()
        )

    def profile(self, account_id: str, login: Login) -> str:
        found = new_profile_id()
        self._add(Profile(id=found, account_id=account_id, connection_id=login.id, created_at=NOW))
        return found

    def login(self, *, email: str = "maria.keller@example.com", **columns: Any) -> Login:
        """Make a connection; *columns* replaces what is usual."""
        found = new_id("con")
        wrapped = self.vault.new_data_key(key_place(found))
        key = self.vault.data_key(wrapped, key_place(found))
        who = Identity(f"sub-{found}", email, email, "Maria Keller")
        usual: dict[str, Any] = {
            "provider": "google",
            "access_mode": "full",
            "service": "gsuite",
            "login_digest": found.encode(),
            "wrapped_key": wrapped,
            "sealed_identity": seal_identity(key, found, who),
            "sealed_credential": b"",
            "initial_sync_at": NOW,
            "created_at": NOW,
        }
        self._add(Connection(id=found, **(usual | columns)))
        return Login(found, key)

    def calendar(self, login: Login, *, name: str = "Work", **columns: Any) -> Shelf:
        found = new_id("cal")
        usual: dict[str, Any] = {
            "remote_digest": found.encode(),
            "sealed_remote_id": login.key.seal_text(found, f"calendars:{found}:remote_id"),
            "sealed_name": login.key.seal_text(name, f"calendars:{found}:name"),
            "tzid": "Europe/Zurich",
        }
        self._add(Calendar(id=found, connection_id=login.id, **(usual | columns)))
        return Shelf(found, login)

    def event(
        self,
        shelf: Shelf,
        start: str | int,
        end: str | int,
        *,
        content: EventContent | None = None,
        recurrence: tuple[str, ...] = (),
        remote_id: str | None = None,
        keep_event: bool = True,
        **columns: Any,
    ) -> bytes:
        """Put one occurrence of an event into a calendar; gives its uid."""
        name = remote_id or f"remote{next(self.names)}"
        first = start if isinstance(start, int) else at(start)
        last = end if isinstance(end, int) else at(end)
        key = event_key(self.vault, shelf.id, name)
        original = first if recurrence else None
        row = {
            "calendar_id": shelf.id,
            "uid": occurrence_uid(self.vault, shelf.id, key, original),
            "event_key": key,
            "series_uid": series_uid(self.vault, shelf.id, key) if recurrence else None,
            "start_at": first,
            "end_at": last,
            "all_day": isinstance(start, str) and "T" not in start,
            "busy": "busy",
            "changed_at": int(NOW.timestamp()),
            "deleted": False,
            "past_start_at": None,
            "past_end_at": None,
        } | columns
        remote = RemoteEvent(
            remote_id=name,
            etag="1",
            start=Moment(datetime.fromtimestamp(first, UTC)),
            end=Moment(datetime.fromtimestamp(last, UTC)),
            busy=Busy(row["busy"]),
            recurrence=recurrence,
            content=content or EventContent(summary=f"Event {name}"),
        )
        events = [self._event_row(shelf, key, remote)] if keep_event else []
        self.rows(events, [row])
        return bytes(row["uid"])

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a transaction that writes to copies: their revisions rise, as with every write."""
        with self.app.app_context(), transaction() as session:
            session.execute(update(table_of(Calendar)).values(revision=Calendar.revision + 1))
            yield session

    def rows(self, events: Sequence[dict[str, Any]], occurrences: Sequence[dict[str, Any]]) -> None:
        """Write rows; an event that is there already stays."""
        with self.writing() as session:
            if events:
                session.execute(insert(table_of(Event)).prefix_with("OR IGNORE"), list(events))
            session.execute(insert(table_of(Occurrence)), list(occurrences))

    def _event_row(self, shelf: Shelf, key: bytes, remote: RemoteEvent) -> dict[str, Any]:
        return {
            "calendar_id": shelf.id,
            "key": key,
            "series_key": None,
            "etag": remote.etag,
            "generation": 1,
            "recurring": bool(remote.recurrence),
            "cancelled": False,
            "sealed": shelf.login.key.seal(
                msgspec.msgpack.encode(remote), event_place(shelf.id, key)
            ),
        }

    def _add(self, row: object) -> None:
        with self.app.app_context(), transaction() as session:
            session.add(row)


@contextmanager
def make_world(folder: Path, **changes: Any) -> Iterator[World]:
    """Build a broker whose database is a file in *folder*; *changes* are settings."""
    usual: dict[str, Any] = {
        "public_url": PUBLIC_URL,
        "database_url": f"sqlite:///{folder}/broker.db",
        "redis_url": "unix://unused",
        "secret_key": bytes(32),
        "digest_key": bytes(range(32)),
        "key_ring": {"test": bytes(range(32, 64))},
        "requests_per_second": 10_000,
        "requests_per_minute": 100_000,
    }
    settings = Settings(**(usual | changes))
    vault, clock = Vault(settings.key_ring, settings.digest_key), FixedClock(NOW)
    redis, oauth = FakeRedis(), FakeOAuth()
    fakes: Any = SimpleNamespace(redis=redis, oauth=oauth)
    provider: Any = SimpleNamespace(slug="google", label="Google", provider_name="google")
    runtime = Runtime(
        settings=settings,
        clock=clock,
        vault=vault,
        http=fakes,
        queue=ListQueue(),
        redis=fakes.redis,
        limits=Limits(settings, vault, clock, fakes.redis),
        providers={"google": provider},
        oauth=fakes.oauth,
    )
    app = Flask("broker")
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.extensions["calbroker"] = runtime
    install(app, clock)
    app.register_blueprint(api.blueprint())
    errors.register(app, page=lambda code, status: Response(f"page {code}", status))
    with app.app_context():
        db.create_all()
        share_statements(db.engine)
    try:
        yield World(app, runtime, vault, clock, redis, oauth)
    finally:
        with app.app_context():
            db.engine.dispose()
