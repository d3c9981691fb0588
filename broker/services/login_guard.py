"""Guarding typed logins: we can neither lock an account nor help to guess its password.

Refused logins are counted per login, per client address and per application (security.md
C4), in the database, so that every process sees them and no restart forgets them. A form
takes a seat before it asks the server and gives it back unless the server refuses: however
many ask at once, no more than the limit are refused. A stored password that is refused in
the background counts for its login too; it is never held up itself, or strangers could stop
a sync by guessing, and it adds one refusal at most, because that ends the connection.

Only keyed digests are stored.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import case, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from broker.addresses import as_address
from broker.domain import Login, PasswordCredential
from broker.errors import AuthorizationLost, LoginRejected, TooManyRequests, UserError
from broker.http import Step
from broker.models import Connection, LoginRefusal, reading, transaction
from broker.models.base import table_of
from broker.services import audit, connections
from broker.services.runtime import Runtime

log = logging.getLogger(__name__)

WINDOW = timedelta(minutes=15)
FIRST_PAUSE = timedelta(minutes=15)
LONGEST_PAUSE = timedelta(hours=4)
PAUSES_FORGOTTEN_AFTER = timedelta(days=1)
PER_LOGIN = 3
PER_ADDRESS = 20
PER_APPLICATION = 200
_SERVERS_NAMED_BY_PEOPLE = frozenset({"caldav"})
_TABLE = table_of(LoginRefusal)


@dataclass(frozen=True, slots=True)
class Rule:
    """One count and its limit. *digest* says whose it is.

    A *strict* count starts again only after a whole window without refusals, and its pauses
    double; others start again with every window.
    """

    scope: str
    digest: bytes
    limit: int
    strict: bool = False

    def pause_after(self, pauses: int) -> timedelta:
        """Give the length of the next pause after so many."""
        if not self.strict:
            return FIRST_PAUSE
        return min(FIRST_PAUSE * int(2 ** min(pauses, 16)), LONGEST_PAUSE)


@contextmanager
def guarding(
    runtime: Runtime,
    slug: str,
    login: Login,
    steps: Sequence[Step],
    *,
    client_address: str,
    application_id: str,
) -> Iterator[None]:
    """Let one try of a typed login through, and count it when the server refuses it.

    *steps* is the trace of the try: it names the server that refused, which need not be the
    one that was typed. Raises UserError `paused_after_refusals` for a paused login, and
    TooManyRequests for an address or application; nothing may be sent then.
    """
    own = _login_rule(runtime, slug, host_of(login.url), login.username or login.url)
    rules = [
        own,
        Rule("address", _digest(runtime, "address", client_address), PER_ADDRESS),
        Rule("application", _digest(runtime, "application", application_id), PER_APPLICATION),
    ]
    _take_seats(runtime, rules)
    proved = refused = False
    try:
        yield
        proved = True
    except (LoginRejected, AuthorizationLost):
        refused = True
        raise
    finally:
        if refused:
            there = _login_rule(
                runtime, slug, steps[-1].host if steps else "", login.username or login.url
            )
            unseated = [there] if steps and there.digest != own.digest else []
            _note_refusal(runtime, rules, unseated, application_id=application_id)
        else:
            _give_back(runtime, rules, proved=proved)


def count_background_refusal(runtime: Runtime, connection_id: str) -> None:
    """Count that a stored password was refused, so that the form knows of it."""
    connection = reading().get(Connection, connection_id)
    if connection is None:
        return
    secret = connections.credential(runtime.vault, connection)
    if not isinstance(secret, PasswordCredential):
        return
    rule = _login_rule(runtime, connection.provider, host_of(secret.url), secret.username)
    _note_refusal(runtime, [], [rule], connection_id=connection_id)


def _take_seats(runtime: Runtime, rules: Sequence[Rule]) -> None:
    """Count one attempt under every rule, or under none."""
    now = runtime.clock.now()
    with transaction() as session:
        for rule in _in_order(rules):
            if not _add(session, rule, now, only_when_free=True):
                raise _refusal(session, rule, now)


def _give_back(runtime: Runtime, rules: Sequence[Rule], *, proved: bool) -> None:
    with transaction() as session:
        for rule in _in_order(rules):
            values: dict[str, object] = {
                "refusals": case((_TABLE.c.refusals > 0, _TABLE.c.refusals - 1), else_=0)
            }
            if proved and rule.strict:
                values["pauses"] = 0
            session.execute(update(_TABLE).where(_TABLE.c.digest == rule.digest).values(values))


def _note_refusal(
    runtime: Runtime,
    seated: Sequence[Rule],
    unseated: Sequence[Rule],
    *,
    application_id: str | None = None,
    connection_id: str | None = None,
) -> None:
    """Keep the seats of a refused try taken; whoever has reached the limit is paused."""
    now = runtime.clock.now()
    with transaction() as session:
        for rule in _in_order([*seated, *unseated]):
            if rule in unseated:
                _add(session, rule, now, only_when_free=False)
            length = _pause_when_full(session, rule, now)
            if length is None:
                continue
            audit.note(
                session,
                now,
                "login_paused",
                application_id=application_id,
                subject_id=connection_id,
                scope=rule.scope,
                minutes=int(length.total_seconds() // 60),
            )
            log.warning("logins paused", extra={"scope": rule.scope, "s": length.total_seconds()})


def _add(session: Session, rule: Rule, now: datetime, *, only_when_free: bool) -> bool:
    """Count one; False when *only_when_free* and the rule is full or paused."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    table = _TABLE.c
    over = table.window_at <= now - WINDOW
    begins = now if rule.strict else case((over, now), else_=table.window_at)
    free = or_(table.paused_until.is_(None), table.paused_until <= now) & or_(
        over, table.refusals < rule.limit
    )
    statement = (
        insert(_TABLE)
        .values(digest=rule.digest, refusals=1, window_at=now, pauses=0)
        .on_conflict_do_update(
            index_elements=["digest"],
            set_={
                "refusals": case((over, 1), else_=table.refusals + 1),
                "pauses": case((table.window_at <= now - PAUSES_FORGOTTEN_AFTER, 0),
                               else_=table.pauses),
                "window_at": begins,
            },
            where=free if only_when_free else None,
        )
        .returning(table.refusals)
    )  # fmt: skip
    return session.scalar(statement) is not None


def _pause_when_full(session: Session, rule: Rule, now: datetime) -> timedelta | None:
    """Pause a rule that has reached its limit; gives for how long, None when it has not."""
    query = select(_TABLE.c.refusals, _TABLE.c.pauses).where(_TABLE.c.digest == rule.digest)
    row = session.execute(query.with_for_update()).one_or_none()
    if row is None:
        return None
    values: dict[str, object] = {"window_at": now} if rule.strict else {}
    length = rule.pause_after(row.pauses) if row.refusals >= rule.limit else None
    if length is not None:
        values |= {"refusals": 0, "pauses": row.pauses + 1, "paused_until": now + length}
    if values:
        session.execute(update(_TABLE).where(_TABLE.c.digest == rule.digest).values(values))
    return length


def _refusal(session: Session, rule: Rule, now: datetime) -> UserError | TooManyRequests:
    if rule.strict:
        return UserError("paused_after_refusals")
    until = session.scalar(select(_TABLE.c.paused_until).where(_TABLE.c.digest == rule.digest))
    waits = until - now if until is not None and until > now else timedelta(minutes=1)
    return TooManyRequests(waits)


def _in_order(rules: Sequence[Rule]) -> list[Rule]:
    """Sort, so that two transactions never wait for each other's rows."""
    return sorted(rules, key=lambda rule: rule.digest)


def _login_rule(runtime: Runtime, slug: str, host: str, username: str) -> Rule:
    """Give the rule of one login, however its server and user name were typed."""
    site = _site(host) if slug in _SERVERS_NAMED_BY_PEOPLE else ""
    name = unicodedata.normalize("NFKC", username).strip().casefold()
    return Rule("login", _digest(runtime, "login", slug, site, name), PER_LOGIN, strict=True)


def _digest(runtime: Runtime, *parts: str) -> bytes:
    return runtime.vault.digest("login_refusals", *parts)


def _site(host: str) -> str:
    """Give the domain that the names of one organisation's servers share; addresses as they are."""
    host = host.rstrip(".").lower()
    return host if as_address(host) is not None else ".".join(host.split(".")[-2:])


def host_of(typed: str) -> str:
    """Give the host in a typed address or mail address; empty when there is none to see."""
    text = typed.strip()
    if "://" not in text:
        text = f"https://{text}"
    try:
        return urlsplit(text).hostname or ""
    except ValueError:
        return ""
