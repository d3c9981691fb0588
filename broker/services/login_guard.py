"""Guarding typed logins: we can neither lock an account nor help to guess its password.

Refused logins are counted per login, per client address and per application (security.md
C4), in the database, so that every process sees them and no restart forgets them. A form
takes a seat before it asks the server and gives it back unless the server refuses: however
many ask at once, no more than the limit are refused. A stored password that is refused in
the background counts for its login too; it is never held up itself, or strangers could stop
a sync by guessing, and it adds one refusal at most, because that ends the connection.

A pause lets one other password through, so that a person who has found the right one need not
wait; a password that was refused lately is not sent again before the pause is over.

Only keyed digests are stored.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from broker.errors import AuthorizationLost, LoginRejected, TooManyRequests, UserError
from broker.logins import Login, PasswordCredential
from broker.models import Connection, LoginRefusal, audit, reading, transaction
from broker.models.base import table_of
from broker.services import connections
from broker.services import login_counts as counts
from broker.services.login_rules import (
    PASSWORD_BYTES,
    PER_ADDRESS,
    PER_APPLICATION,
    Rule,
    digest,
    of_server,
    of_stored,
    of_typed,
    password_digest,
)
from broker.services.runtime import Runtime
from broker.trace import Step

log = logging.getLogger(__name__)

_PASSWORDS_KEPT = 8
_TABLE = table_of(LoginRefusal)


@contextmanager
def guarding(
    runtime: Runtime,
    slug: str,
    login: Login,
    steps: Sequence[Step],
    *,
    client_address: str,
    application_id: str,
    names: int = 1,
) -> Iterator[int]:
    """Let one try of a typed login through, and count how often a server refused it.

    A try may offer further *names* where the first is refused, so it may count more than once,
    and count though it ends well; gives how many it may offer, which is fewer where the limit is
    near. *steps* is the trace of the try: it names the servers that refused, which need not be
    the one that was typed. Raises UserError `paused_after_refusals` for a paused login, and
    TooManyRequests for an address or application; nothing may be sent then.
    """
    rules = [
        *of_typed(runtime, slug, login),
        Rule("address", digest(runtime, "address", client_address), PER_ADDRESS),
        Rule("application", digest(runtime, "application", application_id), PER_APPLICATION),
    ]
    chances = _take_seats(runtime, rules, password=login.password, application_id=application_id)
    seats = 1 if chances else _take_more(runtime, rules, names)
    refused = False
    try:
        yield seats
    except (LoginRejected, AuthorizationLost):
        refused = True
        raise
    finally:
        hosts = [step.host for step in steps if step.refused]
        if refused and not hosts:
            hosts = [steps[-1].host if steps else ""]
        if hosts:
            there = {of_server(runtime, slug, login, host) for host in hosts if host}
            _note_refusal(
                runtime,
                rules,
                [rule for rule in there if rule not in rules],
                seats=seats,
                times=len(hosts),
                password=login.password,
                application_id=application_id,
            )
        else:
            _give_back(rules, seats, chances)


def count_background_refusal(runtime: Runtime, connection_id: str) -> None:
    """Count that a stored password was refused, so that the form knows of it."""
    connection = reading().get(Connection, connection_id)
    if connection is None:
        return
    secret = connections.credential(runtime.vault, connection)
    if not isinstance(secret, PasswordCredential):
        return
    rules = of_stored(runtime, connection.provider, secret)
    _note_refusal(runtime, [], rules, password=secret.password, connection_id=connection_id)


def _take_seats(
    runtime: Runtime,
    rules: Sequence[Rule],
    *,
    password: str = "",
    application_id: str | None = None,
) -> set[bytes]:
    """Count one attempt under every rule, or under none; gives whose one chance it has taken."""
    now, chances = runtime.clock.now(), set[bytes]()
    with transaction() as session:
        for rule in counts.in_order(rules):
            if counts.add(session, rule, now, only_when_free=True):
                if counts.release(session, rule, now):
                    audit.note(
                        session,
                        now,
                        "login_released",
                        application_id=application_id,
                        scope=rule.scope,
                        cause="over",
                    )
            elif rule.strict and _take_chance(runtime, session, rule, password, now):
                chances.add(rule.digest)
            else:
                raise _refusal(session, rule, now)
    return chances


def _take_more(runtime: Runtime, rules: Sequence[Rule], most: int) -> int:
    """Take a seat for each further name, under every rule or under none; gives how many it has."""
    now, seats = runtime.clock.now(), 1
    while seats < most:
        with transaction() as session:
            if not all(
                counts.add(session, rule, now, only_when_free=True)
                for rule in counts.in_order(rules)
            ):
                session.rollback()
                break
        seats += 1
    return seats


def _take_chance(
    runtime: Runtime, session: Session, rule: Rule, password: str, now: datetime
) -> bool:
    """Take the one try that a pause leaves for a password that was not refused lately."""
    row = counts.locked(session, rule)
    if row is None or row.paused_until is None or row.paused_until <= now or row.chance_taken:
        return False
    if password_digest(runtime, rule, password) in _refused_in(row):
        return False
    counts.put(session, rule, chance_taken=True, refusals=row.refusals + 1)
    return True


def _give_back(rules: Sequence[Rule], seats: int, chances: Collection[bytes]) -> None:
    """Free the *seats* of a try that was not refused. What it proves forgives nothing.

    Counts are shared by all servers below one name, so that a success at one of them says
    nothing of the refusals at another: there anybody may have a server of their own.
    """
    with transaction() as session:
        for rule in counts.in_order(rules):
            counts.free(session, rule, seats)
            if rule.digest in chances:
                counts.put(session, rule, chance_taken=False)


def _note_refusal(
    runtime: Runtime,
    seated: Sequence[Rule],
    unseated: Sequence[Rule],
    *,
    seats: int = 0,
    times: int = 1,
    password: str = "",
    application_id: str | None = None,
    connection_id: str | None = None,
) -> None:
    """Keep as many *seats* taken as a try was refused; whoever has reached the limit is paused."""
    now = runtime.clock.now()
    with transaction() as session:
        for rule in counts.in_order([*seated, *unseated]):
            more = times if rule in unseated else times - seats
            for _ in range(more):
                counts.add(session, rule, now, only_when_free=False)
            counts.free(session, rule, -more)
            digest = password_digest(runtime, rule, password) if password else b""
            length = _pause_when_full(session, rule, now, digest)
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


def _pause_when_full(
    session: Session, rule: Rule, now: datetime, password: bytes
) -> timedelta | None:
    """Pause a rule that has reached its limit; gives for how long, None when it has not.

    A pause whose one chance was refused begins anew, longer and without another.
    """
    row = counts.locked(session, rule)
    if row is None:
        return None
    values: dict[str, object] = {}
    if rule.strict:
        refused = [one for one in _refused_in(row) if one != password]
        kept = b"".join([*refused, password])[-_PASSWORDS_KEPT * PASSWORD_BYTES :]
        values = {"window_at": now, "refused_passwords": kept}
    is_paused = row.paused_until is not None and row.paused_until > now
    is_full = row.refusals >= rule.limit or (is_paused and row.chance_taken)
    length = rule.pause_after(row.pauses) if is_full else None
    if length is not None:
        values |= {"refusals": 0, "pauses": row.pauses + 1, "paused_until": now + length}
        values["chance_taken"] = is_paused and row.chance_taken
    if values:
        counts.put(session, rule, **values)
    return length


def _refusal(session: Session, rule: Rule, now: datetime) -> UserError | TooManyRequests:
    if rule.strict:
        return UserError("paused_after_refusals")
    until = session.scalar(select(_TABLE.c.paused_until).where(_TABLE.c.digest == rule.digest))
    waits = until - now if until is not None and until > now else timedelta(minutes=1)
    return TooManyRequests(waits)


def _refused_in(row: Row[Any]) -> list[bytes]:
    kept = row.refused_passwords or b""
    return [kept[at : at + PASSWORD_BYTES] for at in range(0, len(kept), PASSWORD_BYTES)]
