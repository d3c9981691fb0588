"""Learned servers: once one person of a mail domain is in, colleagues need not know the server.

Learned from proved logins only, offered to colleagues only under the rules of `learned_rules`,
and tried like any other server: what is remembered is where to begin, and proves nothing. The
counts only put good servers first; they are never a reason for trust, because whoever builds a
server can also be all the people who succeed there.

The operator rules over all of it: a pinned server is approved wherever it is, and is the only
one that its domain is offered; a blocked one is never offered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from broker.errors import InvalidFields, NotFound
from broker.ids import new_id
from broker.logins import KnownServer, Login, PasswordCredential
from broker.models import LearnedServer as Row
from broker.models import audit, reading, transaction
from broker.services.connect import Proved
from broker.services.learned_rules import EMAIL, domain_of, is_own, name_form, plain_address
from broker.services.runtime import Runtime

SLUG = "exchange"
KEPT = timedelta(days=180)
PER_DOMAIN = 8
MISSES = 3
_OFFERED = 2
_LONGEST_DIALECT = 64


class Standing(StrEnum):
    """What the operator said of a server, or that nothing was said."""

    LEARNED = "learned"
    PINNED = "pinned"
    BLOCKED = "blocked"


class Server(msgspec.Struct, frozen=True):
    """What is known of a server, as it is sealed. *username* is a pattern of KnownServer's."""

    domain: str
    url: str
    username: str = EMAIL
    dialect: str = ""


@dataclass(frozen=True, slots=True)
class Learned:
    """A server with its record. *is_offered* says whether colleagues are brought there."""

    server: Server
    standing: Standing
    successes: int
    misses: int
    last_success_at: datetime | None

    @property
    def is_offered(self) -> bool:
        """Whether colleagues are brought there, as long as no other server is pinned."""
        if self.standing is Standing.LEARNED:
            return self.misses < MISSES and is_own(self.server.domain, self.server.url)
        return self.standing is Standing.PINNED


def offer(runtime: Runtime, slug: str, login: Login) -> Login:
    """Give a typed login the servers to try first; those of others' mail domains never."""
    domain = domain_of(login.email or login.url)
    if slug != SLUG or not domain:
        return login
    held = [one for one in _of_domain(runtime, reading(), domain) if one.is_offered]
    pinned = [one for one in held if one.standing is Standing.PINNED]
    best = sorted(pinned or held, key=lambda one: (one.misses, -one.successes))
    return replace(login, known=tuple(_known(one) for one in best[:_OFFERED]))


def learn(runtime: Runtime, slug: str, login: Login, proved: Proved) -> None:
    """Keep what a proved login taught, if it taught anything about its mail domain.

    It does only when the server has found the typed address to be the person's own.
    """
    domain = domain_of(login.email or login.url)
    credential, email = proved.credential, proved.account.email or ""
    if slug != SLUG or not domain or domain_of(email) != domain:
        return
    if not isinstance(credential, PasswordCredential) or not plain_address(credential.url):
        return
    url, form = plain_address(credential.url), name_form(credential.username, email)
    taught = Server(domain, url, form or "", credential.dialect[:_LONGEST_DIALECT])
    try:
        _keep(runtime, taught, _passed_over(login, url))
    except IntegrityError:
        # Somebody else has taught the same at this moment.
        _keep(runtime, taught, _passed_over(login, url))


def listed(runtime: Runtime, domain: str = "") -> list[Learned]:
    """List what is known of one mail domain, or of all, by domain and address."""
    query = select(Row)
    if domain:
        query = query.filter_by(domain_digest=_digest(runtime, _asked(domain)))
    found = [_opened(runtime, row) for row in reading().scalars(query)]
    return sorted(found, key=lambda one: (one.server.domain, one.server.url))


def pin(runtime: Runtime, domain: str, url: str) -> None:
    """Approve a server for a whole mail domain. Raises InvalidFields."""
    _rule(runtime, domain, url, Standing.PINNED)


def block(runtime: Runtime, domain: str, url: str) -> None:
    """Never offer a server to a mail domain's people. Raises InvalidFields."""
    _rule(runtime, domain, url, Standing.BLOCKED)


def forget(runtime: Runtime, domain: str, url: str = "") -> int:
    """Forget a server of a mail domain, or all of them; gives how many that were.

    What the operator said of them is forgotten too. Raises InvalidFields and NotFound.
    """
    asked = _asked(domain)
    query = select(Row).filter_by(domain_digest=_digest(runtime, asked))
    if url:
        query = query.filter_by(server_digest=_digest(runtime, asked, _asked_address(url)))
    with transaction() as session:
        rows = session.scalars(query.with_for_update()).all()
        for row in rows:
            session.delete(row)
            audit.note(session, runtime.clock.now(), "server_forgotten", subject_id=row.id)
    if not rows:
        raise NotFound("server of this mail domain")
    return len(rows)


def place(row_id: str) -> str:
    """Name the place that a server's sealed text belongs to."""
    return f"learned_servers:{row_id}:server"


def _keep(runtime: Runtime, taught: Server, passed_over: Sequence[str]) -> None:
    now = runtime.clock.now()
    with transaction() as session:
        held = {_opened(runtime, row).server.url: row for row in _rows(runtime, session, taught)}
        for url in set(passed_over) & held.keys():
            held[url].misses = min(held[url].misses + 1, MISSES)
        digest = _digest(runtime, taught.domain, taught.url)
        row = next((row for row in held.values() if row.server_digest == digest), None)
        if row is None:
            if not _make_room(runtime, session, list(held.values()), taught):
                return
            row = _new(runtime, session, taught, Standing.LEARNED)
            audit.note(session, now, "server_learned", subject_id=row.id)
        username = taught.username or _opened(runtime, row).server.username or EMAIL
        _seal(runtime, row, msgspec.structs.replace(taught, username=username))
        row.successes += 1
        row.misses, row.last_success_at = 0, now


def _make_room(runtime: Runtime, session: Session, held: list[Row], taught: Server) -> bool:
    """Keep a domain's list short; what nobody is brought to never displaces what they are."""
    if len(held) < PER_DOMAIN:
        return True
    learned = [row for row in held if row.standing == Standing.LEARNED.value]
    if not learned:
        return False
    server = {row.id: _opened(runtime, row).server for row in learned}
    own = {row_id: is_own(one.domain, one.url) for row_id, one in server.items()}
    least = min(learned, key=lambda row: (own[row.id], row.last_success_at or row.created_at))
    if own[least.id] and not is_own(taught.domain, taught.url):
        return False
    session.delete(least)
    return True


def _rule(runtime: Runtime, domain: str, url: str, standing: Standing) -> None:
    server = Server(_asked(domain), _asked_address(url))
    digest = _digest(runtime, server.domain, server.url)
    with transaction() as session:
        rows = _rows(runtime, session, server)
        row = next((row for row in rows if row.server_digest == digest), None)
        row = row or _new(runtime, session, server, standing)
        row.standing, row.misses = standing.value, 0
        audit.note(session, runtime.clock.now(), f"server_{standing.value}", subject_id=row.id)


def _new(runtime: Runtime, session: Session, server: Server, standing: Standing) -> Row:
    row = Row(
        id=new_id("srv"),
        domain_digest=_digest(runtime, server.domain),
        server_digest=_digest(runtime, server.domain, server.url),
        standing=standing.value,
        successes=0,
        misses=0,
        created_at=runtime.clock.now(),
    )
    _seal(runtime, row, server)
    session.add(row)
    return row


def _seal(runtime: Runtime, row: Row, server: Server) -> None:
    row.wrapped = runtime.vault.wrap(msgspec.json.encode(server), place(row.id))


def _rows(runtime: Runtime, session: Session, server: Server) -> list[Row]:
    """Give what is held of a server's domain, locked; in one order, so that nobody waits twice."""
    query = select(Row).filter_by(domain_digest=_digest(runtime, server.domain)).order_by(Row.id)
    return list(session.scalars(query.with_for_update()))


def _of_domain(runtime: Runtime, session: Session, domain: str) -> list[Learned]:
    rows = session.scalars(select(Row).filter_by(domain_digest=_digest(runtime, domain)))
    return [_opened(runtime, row) for row in rows]


def _opened(runtime: Runtime, row: Row) -> Learned:
    plain = runtime.vault.unwrap(row.wrapped, place(row.id))
    server = msgspec.json.decode(plain, type=Server)
    return Learned(server, Standing(row.standing), row.successes, row.misses, row.last_success_at)


def _known(one: Learned) -> KnownServer:
    approved = one.standing is Standing.PINNED
    return KnownServer(one.server.url, one.server.username, one.server.dialect, approved)


def _passed_over(login: Login, url: str) -> list[str]:
    """Give the known servers that were tried before the one where the login was proved."""
    tried = [known.url for known in login.known]
    if login.email and login.url.strip():
        return []
    return tried[: tried.index(url)] if url in tried else tried


def _digest(runtime: Runtime, *parts: str) -> bytes:
    # Exchange does not mind the case of a path, so one server is one row.
    return runtime.vault.digest("learned_servers", SLUG, *(part.lower() for part in parts))


def _asked(domain: str) -> str:
    found = domain_of(f"@{domain}")
    if not found:
        raise _wrong("domain", "must be the part of a mail address behind the @")
    return found


def _asked_address(url: str) -> str:
    found = plain_address(url)
    if not found:
        raise _wrong("url", "must be whole, such as https://mail.example.com/EWS/Exchange.asmx")
    return found


def _wrong(field: str, text: str) -> InvalidFields:
    return InvalidFields({field: [("errors.invalid_format", text)]})
