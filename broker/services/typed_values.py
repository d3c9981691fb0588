"""What a person typed on a connect page, kept sealed for as long as their attempt lives.

Somebody who fetches a password from another tab may find this one reloaded: the address must
still be there. Secrets are never given to this module.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy import or_, select, update

from broker.crypto import same
from broker.models import ConnectAttempt, reading, transaction
from broker.models.base import table_of
from broker.services.attempts import Attempt
from broker.services.login_rules import PASSWORD_BYTES
from broker.services.runtime import Runtime

_ATTEMPTS = table_of(ConnectAttempt)


class _Typed(msgspec.Struct, frozen=True):
    """What is sealed in the place of a flow, which typed logins have none of."""

    typed: dict[str, str]
    diagnosis: str = ""
    refused: str = ""
    host: str = ""


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
    table = _ATTEMPTS.c
    mark = _mark(runtime, attempt, refused) if refused is not None else ""
    plain = msgspec.json.encode(_Typed(dict(values), diagnosis, mark, host))
    with transaction() as session:
        session.execute(
            update(_ATTEMPTS)
            .where(
                table.id == attempt.id,
                table.finished_at.is_(None),
                or_(table.wrapped_flow.is_(None), table.provider == slug),
            )
            .values(provider=slug, wrapped_flow=runtime.vault.wrap(plain, _place(attempt)))
        )


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
    """Tell whether this very form was refused when it was tried last."""
    held = _opened(runtime, attempt, slug).refused
    return bool(held) and same(held.encode(), _mark(runtime, attempt, sent).encode())


def _mark(runtime: Runtime, attempt: Attempt, sent: Mapping[str, str]) -> str:
    parts = (text for pair in sorted(sent.items()) for text in pair)
    return runtime.vault.digest("typed_values", attempt.id, *parts)[:PASSWORD_BYTES].hex()


def _opened(runtime: Runtime, attempt: Attempt, slug: str) -> _Typed:
    query = select(_ATTEMPTS.c.wrapped_flow).where(
        _ATTEMPTS.c.id == attempt.id, _ATTEMPTS.c.provider == slug
    )
    wrapped = reading().scalar(query)
    if wrapped is None:
        return _Typed({})
    return msgspec.json.decode(runtime.vault.unwrap(wrapped, _place(attempt)), type=_Typed)


def _place(attempt: Attempt) -> str:
    return f"connect_attempts:{attempt.id}:flow"
