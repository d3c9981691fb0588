"""The connection doctor: tries a typed login once and says which step failed.

Findings come from the trace of the try and from the class of its error, never from what a
server said. Each try, good or bad, is kept for a while under a code that a person can read
out to support. Host names are sealed; nothing of it is secret.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

import msgspec
from sqlalchemy import select

from broker.errors import BrokerError
from broker.ids import new_support_code
from broker.logins import Login
from broker.models import Diagnosis as Row
from broker.models import Profile, audit, reading, transaction
from broker.providers import MAILBOXES, REGISTRY
from broker.providers.base import PasswordProvider
from broker.services import connect, findings, learned_servers, login_guard, login_rules
from broker.services.connect_reasons import reason_of
from broker.services.findings import Finding, StepName, StepState
from broker.services.runtime import Runtime
from broker.trace import Step

__all__ = ["Diagnosis", "Finding", "StepName", "StepState", "find", "prove"]

log = logging.getLogger(__name__)

KEPT = timedelta(days=30)
MOST_STEPS = 60


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found in one try. *reason* is None when it succeeded.

    *steps* is the trace that the findings were made of, *application_id* whose try it was.
    """

    code: str
    at: datetime
    provider: str
    reason: str | None
    findings: tuple[Finding, ...]
    steps: tuple[Step, ...] = ()
    application_id: str = ""


class _Sealed(msgspec.Struct, frozen=True):
    """What a diagnosis holds, as it is sealed."""

    findings: tuple[Finding, ...]
    steps: tuple[Step, ...] = ()
    application_id: str = ""


def prove(
    runtime: Runtime, slug: str, login: Login, *, application_id: str, client_address: str
) -> tuple[connect.Proved | None, Diagnosis, BrokerError | None]:
    """Try a typed login once, under the guard, and keep what was found.

    Gives what was proved, or the error that stopped it; nothing of ours is raised.
    """
    login = learned_servers.offer(runtime, slug, login)
    steps: list[Step] = []
    made = REGISTRY[slug](runtime.http.traced(steps), runtime.clock, runtime.settings)
    provider = cast(PasswordProvider, made)
    proved: connect.Proved | None = None
    error: BrokerError | None = None
    try:
        with login_guard.guarding(
            runtime,
            slug,
            login,
            steps,
            client_address=client_address,
            application_id=application_id,
            names=login_rules.names_of(login),
        ) as names:
            proved = connect.prove_password(provider, replace(login, most_names=names))
        learned_servers.learn(runtime, slug, login, proved)
    except BrokerError as caught:
        error = caught
    typed_host = login_rules.host_of(login.url or login.email)
    diagnosis = Diagnosis(
        code=new_support_code(),
        at=runtime.clock.now(),
        provider=slug,
        reason=reason_of(error, typed=True) if error is not None else None,
        findings=tuple(findings.derive(typed_host, steps, error, has_mailbox=slug in MAILBOXES)),
        steps=tuple(steps[:MOST_STEPS]),
        application_id=application_id,
    )
    _store(runtime, diagnosis)
    if proved is not None:
        proved = replace(proved, diagnosis=diagnosis.code)
    return proved, diagnosis, error


def find(runtime: Runtime, code: str) -> Diagnosis | None:
    """Find a diagnosis by its code, as somebody types it; None when unknown or expired."""
    letters = "".join(letter for letter in code.upper() if letter.isalnum())
    row = reading().scalar(select(Row).filter_by(code=f"{letters[:4]}-{letters[4:]}"))
    if row is None or row.expires_at <= runtime.clock.now():
        return None
    plain = runtime.vault.unwrap(row.wrapped_findings, _place(row.code))
    sealed = msgspec.json.decode(plain, type=_Sealed)
    return Diagnosis(
        code=row.code,
        at=row.created_at,
        provider=row.provider,
        reason=row.reason,
        findings=sealed.findings,
        steps=sealed.steps,
        application_id=sealed.application_id,
    )


def find_of(runtime: Runtime, subject_id: str) -> Diagnosis | None:
    """Find how a profile, or a connection, was last connected, by its id; None when unknown."""
    of_profile = select(Profile.connection_id).where(Profile.id == subject_id)
    connection_id = reading().scalar(of_profile) or subject_id
    entries = (
        select(audit.AuditEntry.detail)
        .where(
            audit.AuditEntry.subject_id == connection_id,
            audit.AuditEntry.act.in_(["connected", "relinked"]),
        )
        .order_by(audit.AuditEntry.at.desc(), audit.AuditEntry.id)
    )
    detail = reading().scalars(entries).first()
    return find(runtime, detail["diagnosis"]) if detail and "diagnosis" in detail else None


def _store(runtime: Runtime, diagnosis: Diagnosis) -> None:
    sealed = _Sealed(diagnosis.findings, diagnosis.steps, diagnosis.application_id)
    plain = msgspec.json.encode(sealed)
    with transaction() as session:
        session.add(
            Row(
                code=diagnosis.code,
                provider=diagnosis.provider,
                reason=diagnosis.reason,
                wrapped_findings=runtime.vault.wrap(plain, _place(diagnosis.code)),
                created_at=diagnosis.at,
                expires_at=diagnosis.at + KEPT,
            )
        )
    log.info(
        "login tried",
        extra={
            "diagnosis": diagnosis.code,
            "provider": diagnosis.provider,
            "reason": diagnosis.reason,
        },
    )


def _place(code: str) -> str:
    return f"diagnoses:{code}:findings"
