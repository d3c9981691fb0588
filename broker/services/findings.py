"""From the trace of a try and its error to findings: which step went well, which failed.

Pure. Nothing in a finding says more than a host name and how long a step took.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from broker import transport_failures
from broker.errors import (
    AddressRefused,
    AuthorizationLost,
    BrokerError,
    LoginRejected,
    ProviderError,
    TooManyRequests,
    UserError,
)
from broker.http import LOOKUP, Step
from broker.laps import Lap


class StepName(StrEnum):
    """The steps of connecting, in their order."""

    ADDRESS = "address"
    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    DISCOVERY = "discovery"
    LOGIN = "login"
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


READING = "calendars"
"""The operation that lists calendars; every other one before it is discovery."""

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
    "no_calendars": StepName.CALENDARS,
    "calendar_off": StepName.CALENDARS,
}


def derive(typed_host: str, steps: Sequence[Step], error: BrokerError | None) -> list[Finding]:
    """Tell how each step went; over plain http there is no TLS step."""
    lookups_ms = sum(step.milliseconds for step in steps if step.operation == LOOKUP)
    steps = [step for step in steps if step.operation != LOOKUP]
    failed = None if error is None else failed_step(steps, error)
    plain = bool(steps) and not steps[-1].secure
    names = [name for name in StepName if not (plain and name is StepName.TLS)]
    found, state = [], StepState.OK if steps or error is None else StepState.NOT_REACHED
    for name in names:
        if name is failed:
            found.append(_finding(name, StepState.FAILED, typed_host, steps))
            state = StepState.NOT_REACHED
        elif state is StepState.OK:
            found.append(_finding(name, state, typed_host, steps))
        else:
            found.append(Finding(name, state))
    return [_with_lookups(one, lookups_ms) for one in found]


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
        return _CODES.get(error.code) or _unnamed(steps, error)
    if isinstance(error, ProviderError):
        reading = error.operation == READING
        later = StepName.CALENDARS if reading else StepName.DISCOVERY
        return _TRANSPORT.get(error.detail, later)
    return _reached(steps)


def _unnamed(steps: Sequence[Step], error: UserError) -> StepName:
    """A refused address is the one that was typed, unless others had answered before it."""
    if isinstance(error, AddressRefused):
        answered = any(step.outcome.isdigit() for step in steps)
        return StepName.DISCOVERY if answered else StepName.ADDRESS
    return _reached(steps)


def _reached(steps: Sequence[Step]) -> StepName:
    if steps and steps[-1].operation == READING:
        return StepName.CALENDARS
    return StepName.DISCOVERY if steps else StepName.ADDRESS


def _finding(name: StepName, state: StepState, typed_host: str, steps: Sequence[Step]) -> Finding:
    last = steps[-1] if steps else Step("", typed_host, "", 0)
    if name is StepName.ADDRESS:
        return Finding(name, state, typed_host or last.host)
    if name in _LAPS:
        lap = _LAPS[name]
        spent_ms = sum(step.laps.get(lap, 0) for step in steps)
        if state is StepState.FAILED:
            spent_ms = spent_ms or last.milliseconds
        return Finding(name, state, last.host, spent_ms)
    asked = _asked(name, steps, is_last=state is StepState.FAILED)
    host = asked[-1].host if asked else last.host
    return Finding(name, state, host, sum(_spoken_ms(step) for step in asked))


def _asked(name: StepName, steps: Sequence[Step], *, is_last: bool) -> Sequence[Step]:
    """Tell which requests a step is made of; *is_last* says that nothing came after it.

    Each request brings the password, so none is about the login alone: it counts as the last
    one before the calendars, by when it was clear whether the password is good.
    """
    if name is StepName.CALENDARS:
        return [step for step in steps if step.operation == READING]
    if name is StepName.LOGIN and is_last:
        return steps[-1:]
    before = [step for step in steps if step.operation != READING]
    if name is StepName.LOGIN:
        return before[-1:]
    return before if is_last else before[:-1]


def _spoken_ms(step: Step) -> int:
    """Give how long a request took without making the connection."""
    return max(step.milliseconds - sum(step.laps.values()), 0)
