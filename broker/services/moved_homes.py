"""Keeping where a login's calendars are now, when a client found out that they had moved.

iCloud moves homes between hosts, and Exchange its endpoints. A client follows, which costs some
requests; what it learned, also of how to speak there, is stored, so that the next pass begins with
it.
"""

from __future__ import annotations

import logging

from sqlalchemy import update

from broker.logins import PasswordCredential
from broker.models import Connection, reading, transaction
from broker.models.base import table_of
from broker.providers.base import CalendarClient, MovingClient
from broker.services import connections
from broker.services.runtime import Runtime

log = logging.getLogger(__name__)

_CONNECTIONS = table_of(Connection)


def place(client: CalendarClient) -> PasswordCredential | None:
    """Give the credential that a client uses at this moment; None when its place never moves."""
    return client.credential if isinstance(client, MovingClient) else None


def keep(
    runtime: Runtime,
    connection_id: str,
    version: int,
    before: PasswordCredential | None,
    client: CalendarClient,
) -> None:
    """Store where a client ended, unless it is where it began.

    The credential keeps its *version*, because the secret is the same; one that the person has
    renewed meanwhile is left alone.
    """
    if before is None or (after := place(client)) is None or after == before:
        return
    connection = reading().get(Connection, connection_id)
    if connection is None:
        return
    key = connections.data_key(runtime.vault, connection)
    sealed = connections.seal_credential(key, connection_id, after)
    with transaction() as session:
        session.execute(
            update(_CONNECTIONS)
            .where(
                _CONNECTIONS.c.id == connection_id,
                _CONNECTIONS.c.credential_version == version,
                _CONNECTIONS.c.disconnected_reason.is_(None),
            )
            .values(sealed_credential=sealed)
        )
    is_elsewhere = before is None or after.url != before.url
    what = "home moved" if is_elsewhere else "dialect learned"
    log.info(what, extra={"connection": connection_id})
