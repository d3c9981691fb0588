"""From the error that stopped a person from connecting to its reason code."""

from __future__ import annotations

from collections.abc import Mapping

from broker import transport_failures
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
from broker.providers import SERVERS_NAMED_BY_PEOPLE

_SAYS_MORE = {name: f"{name}_login_rejected" for name in ("apple", "exchange")}
_SERVICE_CODES = frozenset({"calendar_service_off", "domain_policy"})
_OF_TYPED: Mapping[str, str] = {
    transport_failures.NAME_NOT_FOUND: "name_not_found",
    transport_failures.NO_CONNECTION: "address_unreachable",
    transport_failures.NO_CONNECTION_IN_TIME: "address_unreachable",
    transport_failures.NO_TLS: "not_https",
    transport_failures.CERTIFICATE_UNTRUSTED: "certificate_untrusted",
    transport_failures.CERTIFICATE_WRONG_NAME: "certificate_wrong_name",
    transport_failures.CERTIFICATE_EXPIRED: "certificate_expired",
    transport_failures.REDIRECT_LOOP: "address_in_circles",
    transport_failures.TOO_LARGE: "unreadable_answer",
}


def reason_of(error: BrokerError, *, typed: bool) -> str:
    """Give the reason code of an error; it never depends on what a server said.

    *typed* tells a login that was typed here from a sign-in at the provider's own page.
    """
    if isinstance(error, UserError):
        return error.code
    if isinstance(error, ProviderError):
        return _provider_reason(error, typed=typed)
    return "too_many_attempts" if isinstance(error, TooManyRequests) else "unexpected"


def _provider_reason(error: ProviderError, *, typed: bool) -> str:
    if isinstance(error, PermissionMissing):
        missing = "calendars_refused" if typed else "permission_unticked"
        return error.detail if error.detail in _SERVICE_CODES else missing
    refused = "login_rejected" if typed else "sign_in_refused"
    refused = _SAYS_MORE.get(error.provider, refused)
    kinds: tuple[tuple[type[ProviderError], str], ...] = (
        (RateLimited, "rate_limited"),
        (ConfigurationRefused, "provider_misconfigured"),
        (AuthorizationLost, refused),
        (ProtocolError, "unreadable_answer"),
    )
    named = next((code for kind, code in kinds if isinstance(error, kind)), None)
    return named or _transport_reason(error)


def _transport_reason(error: ProviderError) -> str:
    """An address that the person typed is theirs to mend; a known service's is not."""
    if error.provider not in SERVERS_NAMED_BY_PEOPLE:
        return "provider_unavailable"
    return _OF_TYPED.get(error.detail, "provider_unavailable")
