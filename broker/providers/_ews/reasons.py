"""What stops a login at an endpoint, in words that a person or their IT department can act on."""

from __future__ import annotations

from broker.errors import BrokerError, PermissionMissing, ProtocolError, ProviderError, UserError
from broker.providers._ews.faults import ACCESS_REFUSED, MOVED, NOT_EWS, SIGN_IN_PAGE
from broker.providers._ews.signing_in import NO_CHALLENGE, NO_SCHEME, NOT_ASKED, NOT_KEPT
from broker.providers._ews.statuses import REDIRECTED

_REASONS = {
    NO_SCHEME: "exchange_no_password_login",
    # Kerberos is offered under the same name, and takes no password either.
    NO_CHALLENGE: "exchange_no_password_login",
    NOT_ASKED: "exchange_no_login_asked",
    NOT_KEPT: "exchange_login_interrupted",
    SIGN_IN_PAGE: "exchange_sign_in_page",
    ACCESS_REFUSED: "exchange_ews_off",
    NOT_EWS: "exchange_not_ews",
    MOVED: "exchange_no_mailbox",
    # An account that can log in and has no mailbox would have to name somebody else's.
    "ErrorMissingEmailAddress": "exchange_no_mailbox",
    REDIRECTED: "exchange_not_ews",
}


def reason(error: ProviderError) -> BrokerError:
    """Give the error as one that has a reason code; itself where the connection, the load or the
    answer is what failed.
    """
    if isinstance(error, PermissionMissing) and error.detail not in _REASONS:
        return UserError("exchange_ews_off")
    if isinstance(error, ProtocolError) and error.detail != NOT_EWS:
        # It speaks EWS, and what it said was damaged on the way, or is not known to us.
        return error
    code = _REASONS.get(error.detail)
    return UserError(code) if code is not None else error
