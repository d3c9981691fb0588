"""Partner applications as OAuth clients (RFC 6749 section 2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin
from sqlalchemy import and_, bindparam, select

from broker.models import Application, ApplicationSecret, RedirectUri, snapshot
from broker.models.base import table_of
from broker.models.ready import Ready
from broker.oauth_server import redirects, scopes, tokens
from broker.oauth_server.tokens import HeldToken

CONFIDENTIAL_METHODS = ("client_secret_basic", "client_secret_post")
GRANT_TYPES = ("authorization_code", "refresh_token")

_applications = table_of(Application)
_secrets = table_of(ApplicationSecret)
_redirect_uris = table_of(RedirectUri)

_COLUMNS = (
    _applications.c.id,
    _applications.c.client_id,
    _applications.c.name,
    _applications.c.scopes,
    _applications.c.public,
    _applications.c.any_loopback_redirect,
)
_WITH_SECRETS = Ready(
    select(*_COLUMNS, _secrets.c.digest, *tokens.REFRESH_COLUMNS)
    .select_from(
        tokens.joined_with_refresh(
            _applications.outerjoin(
                _secrets,
                and_(
                    _secrets.c.application_id == _applications.c.id,
                    _secrets.c.retired_at.is_(None),
                ),
            )
        )
    )
    .where(_applications.c.client_id == bindparam("client_id"))
)
_WITH_REDIRECT_URIS = Ready(
    select(*_COLUMNS, _redirect_uris.c.uri)
    .select_from(
        _applications.outerjoin(
            _redirect_uris, _redirect_uris.c.application_id == _applications.c.id
        )
    )
    .where(_applications.c.client_id == bindparam("client_id"))
)


@dataclass(frozen=True, slots=True)
class Client(ClientMixin):
    """One application in the form that Authlib asks.

    *secret_digests* holds those of all live secrets, or nothing where they are not needed;
    likewise *redirect_uris*. *any_loopback* accepts every redirect to this machine. *presented*
    is the refresh token that came with the request, whoever's it is.
    """

    application_id: str
    client_id: str
    name: str
    scope: str
    public: bool
    any_loopback: bool = False
    secret_digests: tuple[bytes, ...] = field(default=(), repr=False)
    redirect_uris: frozenset[str] = frozenset()
    presented: HeldToken | None = None

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """Give the requested list in its one form; None when it is empty or not all allowed."""
        wanted = scopes.normalise(scope or "")
        return wanted if wanted and scopes.covers(self.scope, wanted) else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirects.is_allowed(
            redirect_uri, self.redirect_uris, any_loopback=self.any_loopback
        )

    def check_response_type(self, response_type: str) -> bool:
        """Let every type pass: `authorization.StrictParameters` refuses in better words."""
        return True

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in GRANT_TYPES


class Clients:
    """Finds applications by their client_id.

    Unless we are *local* there is no application with `any_loopback_redirect`, whatever a
    database was before: its secret is known to everybody.
    """

    def __init__(self, *, local: bool) -> None:
        self._local = local

    def with_secrets(self, client_id: str, presented: bytes | None) -> Client | None:
        """Find an application and its live secrets, in one statement.

        It also finds the refresh token whose digest is *presented*: each statement is a round
        trip on PostgreSQL, and refreshing is what clients do most.
        """
        rows = self._rows(_WITH_SECRETS, client_id, presented=presented)
        if not rows:
            return None
        digests = tuple(row.digest for row in rows if row.digest is not None)
        held = None
        if presented and rows[0].grant_id is not None:
            held = tokens.held_refresh(presented, rows[0])
        return _client(rows[0], secret_digests=digests, presented=held)

    def with_redirect_uris(self, client_id: str) -> Client | None:
        """Find an application and its redirect URIs, in one statement."""
        rows = self._rows(_WITH_REDIRECT_URIS, client_id)
        if not rows:
            return None
        uris = frozenset(row.uri for row in rows if row.uri is not None)
        return _client(rows[0], redirect_uris=uris)

    def _rows(self, statement: Ready, client_id: str, **values: Any) -> list[Any]:
        if not client_id.isascii() or not client_id.isprintable():  # PostgreSQL takes no NUL
            return []
        rows = statement.all(snapshot(), client_id=client_id, **values)
        is_well_known = bool(rows) and rows[0].any_loopback_redirect
        return [] if is_well_known and not self._local else rows


def _client(row: Any, **found: Any) -> Client:
    return Client(
        application_id=row.id,
        client_id=row.client_id,
        name=row.name,
        scope=row.scopes,
        public=row.public,
        any_loopback=row.any_loopback_redirect,
        **found,
    )
