"""The values that connecting speaks: a login as it is asked for, proved and kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from broker.domain import AccessMode


@dataclass(frozen=True, slots=True)
class Login:
    """What a person typed into a credential form.

    *url* is an address, a host or a mail address; empty where the service has one address, and
    *username* where *url* is a mail address, then the user name. *confirmed* are hosts that the
    person said yes to, *known* servers to try first. *email* is theirs where a form asks for it.
    *most_names* is how many user names may be offered, each of which may be refused.
    """

    url: str
    username: str
    password: str = field(repr=False)
    confirmed: frozenset[str] = frozenset()
    email: str = ""
    known: tuple[KnownServer, ...] = ()
    most_names: int = 2


@dataclass(frozen=True, slots=True)
class KnownServer:
    """What an earlier login of the same mail domain taught: where, under what name, and how.

    *username* is a pattern of `{email}` and `{local}`; *approved* allows a foreign host.
    """

    url: str
    username: str = "{email}"
    dialect: str = ""
    approved: bool = False


@dataclass(frozen=True, slots=True)
class AuthorizationAttempt:
    """What an authorization request at a provider needs (RFC 6749 section 4.1.1, RFC 7636).

    *login_hint* is the address to suggest and *locale* a language tag; None leaves the
    provider to ask and to choose.
    """

    redirect_uri: str
    state: str = field(repr=False)
    code_verifier: str = field(repr=False)
    nonce: str = field(repr=False)
    mode: AccessMode = AccessMode.FULL
    login_hint: str | None = field(default=None, repr=False)
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class OAuthCredential:
    """Tokens of one login. *expires_at* bounds the access token."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PasswordCredential:
    """A user name and password, and the address they were proved at.

    *addresses* are the person's own mail addresses there, in lower case, where the service told.
    *dialect* is how to speak to the server, in its provider's words; empty when not known.
    """

    url: str
    username: str
    password: str = field(repr=False)
    addresses: tuple[str, ...] = ()
    dialect: str = ""


Credential = OAuthCredential | PasswordCredential


@dataclass(frozen=True, slots=True)
class RemoteAccount:
    """Whose login it is.

    *subject* is the provider's stable account key, never reassigned; *service* is the
    partner API's `provider_service`; *email* may be None.
    """

    subject: str
    service: str
    profile_name: str
    email: str | None = None
    display_name: str | None = None


@dataclass(frozen=True, slots=True)
class Authorized:
    """The tokens, and whose login the id_token proves; of no use where it *lacks_scopes*."""

    credential: OAuthCredential
    account: RemoteAccount
    lacks_scopes: bool = False
