"""Ending grants: token revocation (RFC 7009) with what Cronofy's SDKs make of it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import InvalidRequestError, UnauthorizedClientError
from authlib.oauth2.rfc7009 import RevocationEndpoint
from sqlalchemy import Select, bindparam, select, update
from sqlalchemy.orm import Session

from broker.models import Account, Grant, reading, transaction
from broker.models.base import table_of
from broker.models.upserts import is_postgresql
from broker.oauth_server.authentication import BASIC, NONE, POST
from broker.oauth_server.clients import Client
from broker.oauth_server.tokens import Bearer

if TYPE_CHECKING:
    from broker.oauth_server.server import AuthlibServer

_accounts = table_of(Account)
_grants = table_of(Grant)
_COLUMNS = (_grants.c.id, _grants.c.application_id, _grants.c.account_id, _grants.c.scope)
_REVOKE = (
    update(_grants)
    .where(_grants.c.id.in_(bindparam("ids", expanding=True)), _grants.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
    .returning(*_COLUMNS)
)
_LIVE_OF_ACCOUNT = select(_grants.c.id).where(
    _grants.c.account_id == bindparam("account_id"),
    _grants.c.application_id == bindparam("application_id"),
    _grants.c.revoked_at.is_(None),
)


def lock_accounts(session: Session, account_ids: Select[tuple[str]] | Collection[str]) -> None:
    """Lock accounts whose grants are about to end, before anything else is locked.

    Grants may still be given meanwhile: without this, one that is given and ended while a
    profile is taken away would make the two wait for each other. SQLite needs no locks.
    """
    if is_postgresql(session):
        query = select(_accounts.c.id).where(_accounts.c.id.in_(account_ids))
        session.execute(query.order_by(_accounts.c.id).with_for_update(key_share=True))


def revoke(session: Session, now: datetime, grant_ids: Collection[str]) -> list[Bearer]:
    """Set the end of grants; gives those that had not ended before."""
    if not grant_ids:
        return []
    lock_accounts(session, select(_grants.c.account_id).where(_grants.c.id.in_(grant_ids)))
    rows = session.execute(_REVOKE, {"ids": list(grant_ids), "now": now}).all()
    return [Bearer(*row) for row in rows]


class Revocation(RevocationEndpoint):
    """Ends what the application may do with the account of `token`, or with the account `sub`.

    What is unknown, ended or another application's gets the same 200 as success: the answer
    must not tell anybody that somebody else's token exists. `request_pii_erasure` asks for
    nothing more, since a connection that nobody uses is shredded anyway.
    """

    CLIENT_AUTH_METHODS = (BASIC, POST, NONE)
    server: AuthlibServer

    def create_endpoint_response(self, request: Any) -> tuple[int, str, list[tuple[str, str]]]:
        client = self.authenticate_endpoint_client(request)
        grant_ids = self._grant_ids(request.form, client)
        if grant_ids:
            with transaction() as session:
                self.server.revoke_grants(session, grant_ids)
        return 200, "", []

    def _grant_ids(self, fields: dict[str, str], client: Client) -> list[str]:
        # Node's revokeAuthorization() without arguments sends only `refresh_token`.
        token = fields.get("token") or fields.get("refresh_token")
        if token:
            return self._of_token(token, client)
        account_id = fields.get("sub")
        if not account_id:
            raise InvalidRequestError("Missing 'token' or 'sub'.")
        if client.public:
            # Its client_id is no secret, so anybody could end anybody's grants.
            raise UnauthorizedClientError("A public application revokes by 'token' only.")
        return self._of_account(account_id, client)

    def _of_token(self, token: str, client: Client) -> list[str]:
        """Find by refresh token, then access token; an expired one still names its account.

        Every grant of the application on that account ends: it may have been authorized
        more than once, and means to leave.
        """
        tokens = self.server.tokens
        held = tokens.find_refresh(token) or tokens.find_access(token)
        if held is None or not held.check_client(client):
            return []
        return self._of_account(held.bearer.account_id, client)

    def _of_account(self, account_id: str, client: Client) -> list[str]:
        wanted = {"account_id": account_id, "application_id": client.application_id}
        return list(reading().execute(_LIVE_OF_ACCOUNT, wanted).scalars())
