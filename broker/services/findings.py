"""From the trace of a try and its error to findings: which step went well, which failed.

Pure. Nothing in a finding says more than a host name and how long a step took.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from broker import transport_failures
from broker.challenges import UNAUTHORIZED
from broker.errors import (
    AddressRefused,
    AuthorizationLost,
    BrokerError,
    LoginRejected,
    ProviderError,
    TooManyRequests,
    UserError,
)
from broker.laps import Lap
from broker.trace import LOOKUPS, Step


class StepName(StrEnum):
    """The steps of connecting, in their order."""

    ADDRESS = "address"
    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    DISCOVERY = "discovery"
    LOGIN = "login"
    MAILBOX = "mailbox"
    CALENDARS = "calendars"


class StepState(StrEnum):
    """How a step went."""

    OK = "ok"
    FAILED = "failed"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True)
class Finding:
    """How one step went, and where; *host* is empty when it was not reached."""

    step: StepName
    state: StepState
    host: str = ""
    milliseconds: int = 0


READING = frozenset({"calendars", "FindFolder"})
"""The operations that list calendars; every other one before them is discovery."""
_PROVING = "GetFolder"
"""The operation that proves a login at Exchange, by opening its mailbox."""
_NTLM = frozenset({"autodiscover", _PROVING})
_ASKED_OF_OTHERS = LOOKUPS | {"realm"}
"""Questions that are not put to the servers of the calendar."""

_TRANSPORT: Mapping[str, StepName] = {
    transport_failures.NAME_NOT_FOUND: StepName.DNS,
    transport_failures.NO_CONNECTION: StepName.TCP,
    transport_failures.NO_CONNECTION_IN_TIME: StepName.TCP,
    transport_failures.NO_TLS: StepName.TLS,
    transport_failures.CERTIFICATE_UNTRUSTED: StepName.TLS,
    transport_failures.CERTIFICATE_WRONG_NAME: StepName.TLS,
    transport_failures.CERTIFICATE_EXPIRED: StepName.TLS,
}
_LAPS: Mapping[StepName, Lap] = {
    StepName.DNS: Lap.DNS,
    StepName.TCP: Lap.TCP,
    StepName.TLS: Lap.TLS,
}
_CODES: Mapping[str, StepName] = {
    "not_https": StepName.ADDRESS,
    "name_not_found": StepName.DNS,
    "address_unreachable": StepName.TCP,
    "not_caldav": StepName.DISCOVERY,
    "redirect_refused": StepName.DISCOVERY,
    "host_unconfirmed": StepName.DISCOVERY,
    "app_password_shape": StepName.LOGIN,
    "apple_login_rejected": StepName.LOGIN,
    "paused_after_refusals": StepName.LOGIN,
    "exchange_account_closed": StepName.LOGIN,
    "exchange_login_interrupted": StepName.LOGIN,
    "exchange_login_rejected": StepName.LOGIN,
    "exchange_no_login_asked": StepName.LOGIN,
    "exchange_no_password_login": StepName.LOGIN,
    "exchange_misconfigured": StepName.DISCOVERY,
    "exchange_not_ews": StepName.DISCOVERY,
    "exchange_sign_in_page": StepName.DISCOVERY,
    "no_calendars": StepName.CALENDARS,
    "calendar_off": StepName.CALENDARS,
}


def derive(
    typed_host: str,
    steps: Sequence[Step],
    error: BrokerError | None,
    *,
    has_mailbox: bool = False,
) -> list[Finding]:
    """Tell how each step went; over plain http there is no TLS step, and not everywhere a mailbox.

    *has_mailbox* says that the calendars lie in one.
    """
    others_ms = sum(one.milliseconds for one in steps if one.operation in _ASKED_OF_OTHERS)
    steps = [step for step in steps if step.operation not in _ASKED_OF_OTHERS]
    failed = None if error is None else failed_step(steps, error)
    plain = bool(steps) and not any(step.secure for step in steps)
    absent = {StepName.TLS} if plain else set()
    absent |= set() if has_mailbox else {StepName.MAILBOX}
    names = [name for name in StepName if name not in absent]
    last = _telling(steps, failed, error) or Step("", typed_host, "", 0)
    found, state = [], StepState.OK if steps or error is None else StepState.NOT_REACHED
    for name in names:
        if name is failed:
            found.append(_finding(name, StepState.FAILED, typed_host, steps, last))
            state = StepState.NOT_REACHED
        elif state is StepState.OK:
            found.append(_finding(name, state, typed_host, steps, last))
        else:
            found.append(Finding(name, state))
    return [_with_lookups(one, others_ms) for one in found]


def _with_lookups(finding: Finding, spent_ms: int) -> Finding:
    """Finding the server takes as long as all that DNS was asked."""
    if finding.step is not StepName.DNS or finding.state is StepState.NOT_REACHED:
        return finding
    return replace(finding, milliseconds=finding.milliseconds + spent_ms)


def failed_step(steps: Sequence[Step], error: BrokerError) -> StepName:
    """Tell at which step a try ended."""
    if isinstance(error, LoginRejected | AuthorizationLost | TooManyRequests):
        return StepName.LOGIN
    if isinstance(error, UserError):
        if error.code == "exchange_not_found":
            return _furthest(steps)
        if error.code == "exchange_ews_off":
            return _behind_the_login(steps)
        return _CODES.get(error.code) or _unnamed(steps, error)
    if isinstance(error, ProviderError):
        return _TRANSPORT.get(error.detail) or _of_operation(error.operation, steps)
    return _reached(steps)


def _unnamed(steps: Sequence[Step], error: UserError) -> StepName:
    """A refused address is the one that was typed, unless others had answered before it."""
    if isinstance(error, AddressRefused):
        answered = any(step.outcome.isdigit() for step in steps)
        return StepName.DISCOVERY if answered else StepName.ADDRESS
    return _reached(steps)


def _furthest(steps: Sequence[Step]) -> StepName:
    """Tell how far a search came that tried several hosts."""
    return max(map(_came_to, steps), key=list(StepName).index, default=StepName.DNS)


def _came_to(step: Step) -> StepName:
    later = StepName.MAILBOX if step.tried and _opens_mailbox(step) else StepName.DISCOVERY
    return _TRANSPORT.get(step.outcome, later)


def _telling(
    steps: Sequence[Step], failed: StepName | None, error: BrokerError | None
) -> Step | None:
    """Give the request that tells about a failure: of several hosts, not all came as far.

    Nor need all that came as far have failed in the same way.
    """
    as_far = [step for step in steps if _came_to(step) is failed]
    if isinstance(error, ProviderError):
        as_far = [step for step in as_far if step.outcome == error.detail] or as_far
    proving = [step for step in as_far if step.operation == _PROVING]
    return next(reversed(proving or as_far or steps), None)


def _reached(steps: Sequence[Step]) -> StepName:
    return _of_operation(steps[-1].operation, steps) if steps else StepName.ADDRESS


def _of_operation(operation: str, steps: Sequence[Step]) -> StepName:
    if operation in READING:
        return StepName.CALENDARS
    return _behind_the_login(steps) if operation == _PROVING else StepName.DISCOVERY


def _behind_the_login(steps: Sequence[Step]) -> StepName:
    """Tell whether the mailbox refused, or what stands before it and did not look at the login."""
    opened = any(_came_to(step) is StepName.MAILBOX for step in steps)
    return StepName.MAILBOX if opened else StepName.DISCOVERY


def _finding(
    name: StepName, state: StepState, typed_host: str, steps: Sequence[Step], last: Step
) -> Finding:
    if name is StepName.ADDRESS:
        return Finding(name, state, typed_host or last.host)
    if name in _LAPS:
        lap = _LAPS[name]
        spent_ms = sum(step.laps.get(lap, 0) for step in steps)
        if state is StepState.FAILED:
            spent_ms = spent_ms or last.milliseconds
        return Finding(name, state, last.host, spent_ms)
    asked = _asked(name, steps, is_last=state is StepState.FAILED)
    if asked and state is not StepState.FAILED:
        # Names that led nowhere may have been asked after the one that helped.
        answered = [step for step in asked if step.outcome.isdigit()]
        last = (answered or asked)[-1]
    return Finding(name, state, last.host, sum(_spoken_ms(step) for step in asked))


def _asked(name: StepName, steps: Sequence[Step], *, is_last: bool) -> Sequence[Step]:
    """Tell which requests a step is made of; *is_last* says that nothing came after it.

    Each request brings the password, so none is about the login alone: it counts as the last
    one before the calendars, by when it was clear whether the password is good.
    """
    if name is StepName.CALENDARS:
        return [step for step in steps if step.operation in READING]
    if name is StepName.LOGIN and is_last:
        return _of_one_login(steps)
    before = [step for step in steps if step.operation not in READING]
    begins = _where_login_begins(before)
    if name in {StepName.LOGIN, StepName.MAILBOX}:
        after = before[begins:]
        # The search may have gone on elsewhere, when the first mailbox did not open.
        proving = [step for step in after if step.operation == _PROVING] or after
        opening = name is StepName.MAILBOX
        return [step for step in proving if _opens_mailbox(step) is opening]
    return before if is_last else before[:begins]


def _where_login_begins(steps: Sequence[Step]) -> int:
    proving = (n for n, step in enumerate(steps) if step.operation == _PROVING)
    return next(proving, max(len(steps) - 1, 0))


def _opens_mailbox(step: Step) -> bool:
    """Tell an answer about the mailbox from one that asks for the login, or refuses it."""
    return step.operation == _PROVING and step.outcome != str(UNAUTHORIZED)


def _of_one_login(steps: Sequence[Step]) -> Sequence[Step]:
    """Give the requests of the last login: NTLM takes three for one password."""
    n = len(steps) - 1
    while n > 0 and steps[n].operation in _NTLM and _place(steps[n - 1]) == _place(steps[n]):
        n -= 1
    return steps[max(n, 0) :]


def _place(step: Step) -> tuple[str, str]:
    return step.operation, step.host


def _spoken_ms(step: Step) -> int:
    """Give how long a request took without making the connection."""
    return max(step.milliseconds - sum(step.laps.values()), 0)
