"""What a person typed on a connect page, kept sealed for as long as their attempt lives.

Somebody who fetches a password from another tab may find this one reloaded: the address must
still be there. A button that is pressed twice sends its form twice: one of them is tried.
Secrets are kept by nothing here but a digest too short to be one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from types import EllipsisType

import msgspec
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from broker.crypto import same
from broker.models import ConnectAttempt, reading, transaction
from broker.models.base import changed, table_of
from broker.services.attempts import Attempt
from broker.services.login_rules import PASSWORD_BYTES
from broker.services.runtime import Runtime

LOADED_AGAIN_WITHIN = timedelta(minutes=1)
TRIED_FOR = timedelta(seconds=45)
"""How long a try holds up the next one at the most: somewhat longer than any of them lasts."""

_ATTEMPTS = table_of(ConnectAttempt)


class _Typed(msgspec.Struct, frozen=True):
    """What is sealed in the place of a flow, which typed logins have none of.

    Times are seconds since the epoch.
    """

    typed: dict[str, str]
    diagnosis: str = ""
    refused: str = ""
    host: str = ""
    refused_at: float = 0.0
    tried_until: float = 0.0


def keep(
    runtime: Runtime,
    attempt: Attempt,
    slug: str,
    values: Mapping[str, str],
    *,
    diagnosis: str = "",
    refused: Mapping[str, str] | None = None,
    host: str = "",
) -> None:
    """Keep what was typed for the provider *slug*, and the code of what was found trying it.

    Of a form that was *refused* only a digest is kept, too short to be a password. *host* is one
    that the person is to be asked about. A flow under way at another provider goes first.
    """
    mark = _mark(runtime, attempt, refused) if refused is not None else ""
    now = runtime.clock.now().timestamp()
    # What is only kept ends no try that is under way.
    until = 0.0 if diagnosis else _opened(runtime, attempt, slug).tried_until
    typed = _Typed(dict(values), diagnosis, mark, host, now, until)
    with transaction() as session:
        _write(runtime, session, attempt, slug, typed)


@contextmanager
def turn(
    runtime: Runtime,
    attempt: Attempt,
    slug: str,
    values: Mapping[str, str],
    sent: Mapping[str, str],
) -> Iterator[bool]:
    """Keep what was typed, and let the form that was *sent* be tried alone.

    Gives False while another one of this attempt is tried, and where this very form has been
    refused since somebody looked: nothing may be sent then.
    """
    has_turn = _takes_turn(runtime, attempt, slug, values, sent)
    try:
        yield has_turn
    finally:
        if has_turn and _opened(runtime, attempt, slug).tried_until:
            with transaction() as session:
                _write(runtime, session, attempt, slug, _Typed(dict(values)))


def kept(runtime: Runtime, attempt: Attempt, slug: str) -> dict[str, str]:
    """Give what was typed for the provider *slug* in this attempt, by field; empty when nothing."""
    return _opened(runtime, attempt, slug).typed


def diagnosis_code(runtime: Runtime, attempt: Attempt, slug: str) -> str:
    """Give the code of what was found when it was tried last; empty when nothing was."""
    return _opened(runtime, attempt, slug).diagnosis


def host(runtime: Runtime, attempt: Attempt, slug: str) -> str:
    """Give the host that the person is to be asked about; empty when there is none."""
    return _opened(runtime, attempt, slug).host


def was_refused(runtime: Runtime, attempt: Attempt, slug: str, sent: Mapping[str, str]) -> bool:
    """Tell whether this very form was refused when it was tried last, a moment ago."""
    return _is_refused(runtime, attempt, _opened(runtime, attempt, slug), sent)


def _takes_turn(
    runtime: Runtime,
    attempt: Attempt,
    slug: str,
    values: Mapping[str, str],
    sent: Mapping[str, str],
) -> bool:
    table, now = _ATTEMPTS.c, runtime.clock.now()
    query = select(table.wrapped_flow, table.provider).where(table.id == attempt.id)
    row = reading().execute(query).one_or_none()
    held, provider = row if row is not None else (None, None)
    if held is not None and provider != slug:
        # A flow at another provider has this place; a login is tried beside it all the same.
        return True
    before = _read(runtime, attempt, held)
    if before.tried_until > now.timestamp() or _is_refused(runtime, attempt, before, sent):
        return False
    mine = _Typed(dict(values), tried_until=(now + TRIED_FOR).timestamp())
    with transaction() as session:
        return _write(runtime, session, attempt, slug, mine, held=held)


def _is_refused(runtime: Runtime, attempt: Attempt, held: _Typed, sent: Mapping[str, str]) -> bool:
    ago = runtime.clock.now().timestamp() - held.refused_at
    if not held.refused or ago >= LOADED_AGAIN_WITHIN.total_seconds():
        return False
    return same(held.refused.encode(), _mark(runtime, attempt, sent).encode())


def _mark(runtime: Runtime, attempt: Attempt, sent: Mapping[str, str]) -> str:
    parts = (text for pair in sorted(sent.items()) for text in pair)
    return runtime.vault.digest("typed_values", attempt.id, *parts)[:PASSWORD_BYTES].hex()


def _opened(runtime: Runtime, attempt: Attempt, slug: str) -> _Typed:
    query = select(_ATTEMPTS.c.wrapped_flow).where(
        _ATTEMPTS.c.id == attempt.id, _ATTEMPTS.c.provider == slug
    )
    return _read(runtime, attempt, reading().scalar(query))


def _read(runtime: Runtime, attempt: Attempt, wrapped: bytes | None) -> _Typed:
    if wrapped is None:
        return _Typed({})
    return msgspec.json.decode(runtime.vault.unwrap(wrapped, _place(attempt)), type=_Typed)


def _write(
    runtime: Runtime,
    session: Session,
    attempt: Attempt,
    slug: str,
    typed: _Typed,
    *,
    held: bytes | None | EllipsisType = ...,
) -> bool:
    """Write, where nothing but what was *held* is there, if that is given; tells whether it was."""
    table = _ATTEMPTS.c
    wrapped = runtime.vault.wrap(msgspec.json.encode(typed), _place(attempt))
    statement = update(_ATTEMPTS).where(
        table.id == attempt.id,
        table.finished_at.is_(None),
        or_(table.wrapped_flow.is_(None), table.provider == slug),
    )
    if not isinstance(held, EllipsisType):
        statement = statement.where(table.wrapped_flow.is_not_distinct_from(held))
    return bool(changed(session, statement.values(provider=slug, wrapped_flow=wrapped)))


def _place(attempt: Attempt) -> str:
    return f"connect_attempts:{attempt.id}:flow"
