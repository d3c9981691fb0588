"""Grants of providers that came to nothing: they are given back where they came from."""

from __future__ import annotations

import logging

from sqlalchemy import select

from broker.errors import ProviderError
from broker.logins import Credential, OAuthCredential, RemoteAccount
from broker.models import Connection, reading
from broker.providers.base import OAuthProvider
from broker.services.runtime import Runtime

log = logging.getLogger(__name__)


def give_back(runtime: Runtime, slug: str, credential: Credential, account: RemoteAccount) -> None:
    """Give back a grant that is of no use, unless the same login is connected already.

    Providers end every grant of a login to us at once. A person who tries again is asked anew
    anyway; one who does not has nothing left to take away by hand. A typed login leaves nothing
    behind.
    """
    provider = runtime.providers.get(slug)
    if not isinstance(provider, OAuthProvider) or not isinstance(credential, OAuthCredential):
        return
    digest = runtime.vault.digest("login", slug, account.subject)
    known = select(Connection.id).filter_by(provider=slug, login_digest=digest)
    if reading().scalars(known).first() is not None:
        return
    try:
        provider.revoke(credential)
    except ProviderError as error:
        log.info("grant not given back", extra={"provider": slug, "reason": error.reason})
