"""Codes and tokens in the database: Core statements, keyed digests, no ORM entities.

Every API call and every refresh comes through here, so statements are built once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Join, LargeBinary, String, bindparam, insert, select, update
from sqlalchemy.engine import Connection as DbConnection
from sqlalchemy.orm import Session

from broker.clock import Clock
from broker.crypto import Vault
from broker.ids import new_secret
from broker.models import AccessToken, AuthorizationCode, Grant, RefreshToken, snapshot
from broker.models.base import UtcDateTime, table_of
from broker.models.ready import Ready
from broker.oauth_server import linked_profile
from broker.oauth_server.linked_profile import LinkedProfile

CODE_LIFETIME = timedelta(minutes=10)
ACCESS_LIFETIME = timedelta(hours=1)
ROTATION_GRACE = timedelta(seconds=30)

_LONGEST = 128

_grants = table_of(Grant)
_codes = table_of(AuthorizationCode)
_access = table_of(AccessToken)
_refresh = table_of(RefreshToken)

_GRANT = (
    _grants.c.id.label("grant_id"),
    _grants.c.application_id,
    _grants.c.account_id,
    _grants.c.scope,
    _grants.c.revoked_at,
)
_FIND_CODE = Ready(
    select(
        *_GRANT,
        *linked_profile.COLUMNS,
        _codes.c.redirect_uri,
        _codes.c.code_challenge,
        _codes.c.expires_at,
        _codes.c.spent_at,
    )
    .select_from(linked_profile.joined(_codes.join(_grants)))
    .where(_codes.c.digest == bindparam("digest"))
)
_FIND_ACCESS = Ready(
    select(*_GRANT, _access.c.expires_at, _access.c.scope.label("narrowed"))
    .select_from(_access.join(_grants))
    .where(_access.c.digest == bindparam("digest"))
)
REFRESH_COLUMNS = (
    *_GRANT,
    *linked_profile.COLUMNS,
    _refresh.c.rotated_at,
    _refresh.c.wrapped_successor,
)
_FIND_REFRESH = Ready(
    select(*REFRESH_COLUMNS)
    .select_from(linked_profile.joined(_refresh.join(_grants)))
    .where(_refresh.c.digest == bindparam("digest"))
)
_SPEND_CODE = (
    update(_codes)
    .where(_codes.c.digest == bindparam("spent"), _codes.c.spent_at.is_(None))
    .values(spent_at=bindparam("now"))
)
_ROTATE = (
    update(_refresh)
    .where(_refresh.c.digest == bindparam("rotated"), _refresh.c.rotated_at.is_(None))
    .values(rotated_at=bindparam("now"), wrapped_successor=bindparam("successor"))
)
# Only under a grant that still stands, whatever happened since it was read: the row count tells.
_ADD_ACCESS = Ready(
    insert(_access).from_select(
        ["digest", "grant_id", "expires_at", "scope"],
        select(
            bindparam("digest", type_=LargeBinary()),
            _grants.c.id,
            bindparam("expires_at", type_=UtcDateTime()),
            bindparam("scope", type_=String()),
        ).where(_grants.c.id == bindparam("grant_id"), _grants.c.revoked_at.is_(None)),
    )
)
_ADD_REFRESH = insert(_refresh)
_ADD_CODE = insert(_codes)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom an access token speaks for, and what it may."""

    grant_id: str
    application_id: str
    account_id: str
    scope: str


@dataclass(frozen=True, slots=True)
class HeldCode:
    """A code that somebody presented and that exists; perhaps spent or expired."""

    digest: bytes = field(repr=False)
    bearer: Bearer
    profile: LinkedProfile | None
    redirect_uri: str
    code_challenge: str | None
    expires_at: datetime
    is_spent: bool
    is_revoked: bool

    def get_redirect_uri(self) -> str:
        return self.redirect_uri


@dataclass(frozen=True, slots=True)
class HeldToken:
    """An access or refresh token that exists; perhaps expired, rotated or revoked.

    *expires_at* is that of an access token, *profile* that of a refresh token. *rotated_at* and
    *wrapped_successor* are set when a public client has traded a refresh token for the next.
    """

    digest: bytes = field(repr=False)
    bearer: Bearer
    is_revoked: bool
    expires_at: datetime | None = None
    profile: LinkedProfile | None = None
    rotated_at: datetime | None = None
    wrapped_successor: bytes | None = field(default=None, repr=False)

    def get_scope(self) -> str:
        return self.bearer.scope

    def check_client(self, client: Any) -> bool:
        return bool(client.application_id == self.bearer.application_id)


class Tokens:
    """Issues, finds and spends.

    Writing methods want the session of a transaction; `issue_access` is one statement, which
    may also stand by itself.
    """

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock

    def issue_code(
        self, session: Session, *, grant_id: str, redirect_uri: str, code_challenge: str | None
    ) -> str:
        """Issue an authorization code; it lives for ten minutes and works once."""
        code = new_secret()
        row = {
            "digest": self._vault.digest("authorization_code", code),
            "grant_id": grant_id,
            "redirect_uri": redirect_uri,
            "code_challenge": code_challenge,
            "expires_at": self._clock.now() + CODE_LIFETIME,
        }
        session.execute(_ADD_CODE, row)
        return code

    def issue_access(
        self, connection: DbConnection, grant_id: str, scope: str | None
    ) -> str | None:
        """Issue an access token; None when the grant has been revoked meanwhile.

        *scope* narrows the token; None leaves it all that the grant has.
        """
        token = new_secret()
        added = _ADD_ACCESS.changed(
            connection,
            digest=self._vault.digest("access_token", token),
            grant_id=grant_id,
            expires_at=self._clock.now() + ACCESS_LIFETIME,
            scope=scope,
        )
        return token if added else None

    def issue_refresh(self, session: Session, grant_id: str, token: str | None = None) -> str:
        """Issue a refresh token, which may be one that was made before."""
        token = token or new_secret()
        row = {
            "digest": self._vault.digest("refresh_token", token),
            "grant_id": grant_id,
            "created_at": self._clock.now(),
        }
        session.connection().execute(_ADD_REFRESH, row)
        return token

    def find_bearer(self, token: str) -> Bearer | None:
        """Tell whom a live access token speaks for; None when it is not one. One statement."""
        held = self.find_access(token)
        if held is None or held.is_revoked or self.is_expired(held):
            return None
        return held.bearer

    def is_expired(self, held: HeldCode | HeldToken) -> bool:
        """Tell whether a code or access token is past its time; refresh tokens never are."""
        return held.expires_at is not None and held.expires_at <= self._clock.now()

    def find_access(self, token: str) -> HeldToken | None:
        """Find an access token, also one that no longer works."""
        digest, row = self._find(_FIND_ACCESS, "access_token", token)
        if row is None:
            return None
        bearer = _bearer(row, row.narrowed or row.scope)
        return HeldToken(digest, bearer, row.revoked_at is not None, expires_at=row.expires_at)

    def find_refresh(self, token: str) -> HeldToken | None:
        """Find a refresh token, also one that no longer works."""
        digest, row = self._find(_FIND_REFRESH, "refresh_token", token)
        return held_refresh(digest, row) if row is not None else None

    def find_code(self, code: str) -> HeldCode | None:
        """Find an authorization code, also one that no longer works."""
        digest, row = self._find(_FIND_CODE, "authorization_code", code)
        if row is None:
            return None
        return HeldCode(
            digest,
            _bearer(row, row.scope),
            profile=linked_profile.of_row(row),
            redirect_uri=row.redirect_uri,
            code_challenge=row.code_challenge,
            expires_at=row.expires_at,
            is_spent=row.spent_at is not None,
            is_revoked=row.revoked_at is not None,
        )

    def spend(self, session: Session, code: HeldCode) -> bool:
        """Mark a code as used; False when somebody already did."""
        return _changed(session, _SPEND_CODE, {"spent": code.digest, "now": self._clock.now()})

    def rotate(self, session: Session, old: HeldToken) -> str | None:
        """Replace a refresh token by a new one; None when somebody already did."""
        successor = new_secret()
        change = {
            "rotated": old.digest,
            "now": self._clock.now(),
            "successor": self._vault.wrap(successor.encode(), successor_place(old.digest)),
        }
        if not _changed(session, _ROTATE, change):
            return None
        return self.issue_refresh(session, old.bearer.grant_id, successor)

    def successor(self, old: HeldToken) -> str | None:
        """Give the token that replaced *old* while the grace period lasts, else None."""
        if old.rotated_at is None or old.wrapped_successor is None:
            return None
        if self._clock.now() - old.rotated_at > ROTATION_GRACE:
            return None
        return self._vault.unwrap(old.wrapped_successor, successor_place(old.digest)).decode()

    def _find(self, statement: Ready, purpose: str, text: str) -> tuple[bytes, Any]:
        if not text.isascii() or len(text) > _LONGEST:
            return b"", None
        digest = self._vault.digest(purpose, text)
        return digest, statement.first(snapshot(), digest=digest)


def joined_with_refresh(clients: Join) -> Join:
    """Join the refresh token of the digest `presented`, and what it stands for, if it exists."""
    presented = clients.outerjoin(_refresh, _refresh.c.digest == bindparam("presented"))
    return linked_profile.joined(presented.outerjoin(_grants, _grants.c.id == _refresh.c.grant_id))


def held_refresh(digest: bytes, row: Any) -> HeldToken:
    """Give the refresh token in a row that has REFRESH_COLUMNS."""
    return HeldToken(
        digest,
        _bearer(row, row.scope),
        row.revoked_at is not None,
        profile=linked_profile.of_row(row),
        rotated_at=row.rotated_at,
        wrapped_successor=row.wrapped_successor,
    )


def _bearer(row: Any, scope: str) -> Bearer:
    return Bearer(row.grant_id, row.application_id, row.account_id, scope)


def _changed(session: Session, statement: Any, values: dict[str, object]) -> bool:
    return session.connection().execute(statement, values).rowcount == 1


def successor_place(digest: bytes) -> str:
    """Say where a wrapped successor belongs; key rotation wraps it anew for the same place."""
    return f"refresh_tokens:{digest.hex()}:wrapped_successor"
