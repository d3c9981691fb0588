"""What the HTTP statuses of Exchange, and of what stands in front of it, mean."""

from __future__ import annotations

import re
from datetime import datetime

from broker.errors import (
    AuthorizationLost,
    BrokerError,
    ProtocolError,
    ProviderUnavailable,
    RateLimited,
    ServerMoved,
)
from broker.http import Answer
from broker.providers._ews.faults import ACCESS_REFUSED, NOT_EWS, PROVIDER, SIGN_IN_PAGE, TOO_MUCH
from broker.retry_after import retry_after

REDIRECTED = "redirected"

# What IIS shows while something behind it is changing.
_PASSING = re.compile(r"/ews/genericerrorpage\.htm", re.IGNORECASE)
_SIGN_IN = re.compile(r"/owa/|/cookieauth\.dll|/adfs/|logon|login|signin|sso", re.IGNORECASE)


def status_error(answer: Answer, operation: str, now: datetime) -> BrokerError:
    """Make the error that an answer means which is neither a result nor a fault."""
    status = answer.status
    where = (PROVIDER, operation, status)
    if status == 401:
        return AuthorizationLost(*where)
    if status in {429, 503, 510}:
        return RateLimited(*where, retry_after=retry_after(answer.headers, now))
    if status in {301, 302, 303, 307, 308, 440}:
        location = answer.headers.get("Location", "")
        if _PASSING.search(location) is not None:
            return ProviderUnavailable(*where)
        if status == 440 or _SIGN_IN.search(location) is not None:
            return ProviderUnavailable(*where, detail=SIGN_IN_PAGE)
        return ServerMoved(*where, detail=REDIRECTED)
    if status in {403, 456, 457}:
        # EWS is switched off, or our name is not on the list: only IT can change that.
        return ProviderUnavailable(*where, detail=ACCESS_REFUSED)
    if status in {404, 405, 410, 501}:
        return ProviderUnavailable(*where, detail=NOT_EWS)
    if status == 413:
        return ProtocolError(*where, detail=TOO_MUCH)
    if status >= 500:
        return ProviderUnavailable(*where)
    return ProtocolError(*where, detail=NOT_EWS)
