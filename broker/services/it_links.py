"""Links that a person sends to their IT department: what the doctor found, without a login.

The link is the diagnosis' code with a keyed digest: nobody can make one from a code, and the
database holds nothing that opens one. What it shows are hosts, steps, times and reason codes.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta

from broker.crypto import same
from broker.errors import NotFound
from broker.providers import SERVERS_NAMED_BY_PEOPLE
from broker.services import connection_doctor
from broker.services.connection_doctor import Diagnosis
from broker.services.runtime import Runtime

OPEN_FOR = timedelta(days=14)
_DIGEST_BYTES = 24


def token_of(runtime: Runtime, diagnosis: Diagnosis) -> str | None:
    """Give what stands in the address of a diagnosis; None where no IT department can help.

    That is where nothing was tried, or where everybody knows the service.
    """
    if diagnosis.reason is None or diagnosis.provider not in SERVERS_NAMED_BY_PEOPLE:
        return None
    if not diagnosis.steps:
        return None
    return f"{diagnosis.code}.{_proof(runtime, diagnosis.code)}"


def opened(runtime: Runtime, token: str) -> Diagnosis:
    """Give the diagnosis of a link. Raises NotFound for one that is wrong, or was open too long."""
    code, _, proof = token.partition(".")
    # Every wrong link looks the same, and costs the same.
    is_ours = same(proof.encode(), _proof(runtime, code).encode())
    found = connection_doctor.find(runtime, code) if is_ours else None
    if found is None or token_of(runtime, found) != token:
        raise NotFound("link")
    if closes_at(found) <= runtime.clock.now():
        raise NotFound("link")
    return found


def closes_at(diagnosis: Diagnosis) -> datetime:
    """Tell until when the link of a diagnosis is open."""
    return diagnosis.at + OPEN_FOR


def _proof(runtime: Runtime, code: str) -> str:
    digest = runtime.vault.digest("it_links", code)[:_DIGEST_BYTES]
    return base64.urlsafe_b64encode(digest).decode()
