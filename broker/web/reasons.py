"""From errors to the reason codes that pages have words for."""

from __future__ import annotations

from broker.errors import (
    AuthorizationLost,
    BrokerError,
    ConfigurationRefused,
    PermissionMissing,
    ProtocolError,
    ProviderError,
    RateLimited,
    TooManyRequests,
    UserError,
)

_SERVICE_CODES = frozenset({"calendar_service_off", "domain_policy"})
_UNREACHABLE = frozenset({"no connection", "no connection in time"})


def reason_of(error: BrokerError) -> str:
    """Give the reason code of an error that stopped a person from connecting."""
    if isinstance(error, UserError):
        return error.code
    if isinstance(error, TooManyRequests):
        return "too_many_attempts"
    if isinstance(error, RateLimited):
        return "rate_limited"
    if isinstance(error, PermissionMissing):
        return error.detail if error.detail in _SERVICE_CODES else "permission_unticked"
    if isinstance(error, ConfigurationRefused):
        return "provider_misconfigured"
    if isinstance(error, AuthorizationLost):
        return "login_rejected"
    if isinstance(error, ProtocolError):
        return "unreadable_answer"
    if isinstance(error, ProviderError):
        return _transport(error)
    return "unexpected"


def _transport(error: ProviderError) -> str:
    if error.detail == "certificate not trusted":
        return "certificate_untrusted"
    typed = error.provider == "caldav" and error.detail in _UNREACHABLE
    return "address_unreachable" if typed else "provider_unavailable"
