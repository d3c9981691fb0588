"""What the connection doctor found: for the person in steps, for those who help them in facts.

Neither holds a secret: steps, hosts, times and codes only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from broker.services.connection_doctor import Diagnosis, Finding, StepName, StepState
from broker.web.translations import N_, _

TIME_FORMAT = "%Y-%m-%d %H:%M:%SZ"
STEPS: Mapping[StepName, str] = {
    StepName.ADDRESS: N_("Reading the address"),
    StepName.DNS: N_("Finding the server"),
    StepName.TCP: N_("Reaching the server"),
    StepName.TLS: N_("Checking its certificate"),
    StepName.DISCOVERY: N_("Finding the calendar service"),
    StepName.LOGIN: N_("Signing in"),
    StepName.MAILBOX: N_("Opening the mailbox"),
    StepName.CALENDARS: N_("Reading the calendars"),
}
STATES: Mapping[StepState, str] = {
    StepState.OK: N_("done"),
    StepState.FAILED: N_("failed"),
    StepState.NOT_REACHED: N_("not tried"),
}
# As those who run servers call them; the abbreviations are the same in every language.
_FOR_IT: Mapping[StepName, str] = {
    StepName.ADDRESS: N_("Address"),
    StepName.DNS: "DNS",
    StepName.TCP: "TCP",
    StepName.TLS: "TLS",
    StepName.DISCOVERY: N_("Discovery"),
    StepName.LOGIN: N_("Sign-in"),
    StepName.MAILBOX: N_("Mailbox"),
    StepName.CALENDARS: N_("Calendars"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One step as the page lists it.

    *host* is empty where it is the same as before, *spent* where it took no time to speak of.
    """

    name: str
    state: StepState
    said: str
    host: str
    spent: str


@dataclass(frozen=True, slots=True)
class Checkup:
    """The steps of an attempt that failed; *summary* names the one that did.

    *is_open* when the list says more than the reason does: a refused login needs no list, nor
    does an address that was not even tried.
    """

    summary: str
    is_open: bool
    lines: tuple[Line, ...]


def checkup(diagnosis: Diagnosis | None) -> Checkup | None:
    """Give the steps for the page; None when none failed, or nothing was tried at all."""
    if diagnosis is None:
        return None
    findings = diagnosis.findings
    failed = next((n for n, one in enumerate(findings) if one.state is StepState.FAILED), None)
    if failed is None or failed and findings[0].state is not StepState.OK:
        return None
    summary = _("Stopped at step %(number)s of %(total)s: %(step)s") % {
        "number": failed + 1,
        "total": len(findings),
        "step": _(STEPS[findings[failed].step]),
    }
    is_open = findings[failed].step not in {StepName.ADDRESS, StepName.LOGIN}
    return Checkup(summary, is_open, tuple(_lines(findings)))


def facts(diagnosis: Diagnosis, reason: str | None) -> dict[str, str]:
    """Give what a provider's or company's support asks for, by the names of `FACT_LABELS`."""
    return {
        "code": diagnosis.code,
        "reason": reason or "",
        "time": diagnosis.at.strftime(TIME_FORMAT),
        "provider": diagnosis.provider,
    }


def steps_for_it(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """Give every step as label and value: how it ended, where, and how long it took."""
    return [(_(_FOR_IT[finding.step]), _outcome(finding)) for finding in diagnosis.findings]


def _lines(findings: tuple[Finding, ...]) -> Iterator[Line]:
    before = ""
    for finding in findings:
        host = finding.host if finding.host != before else ""
        before = finding.host or before
        name, said = _(STEPS[finding.step]), _(STATES[finding.state])
        yield Line(name, finding.state, said, host, _spent(finding))


def _outcome(finding: Finding) -> str:
    parts = _(STATES[finding.state]), finding.host, _spent(finding)
    return " · ".join(part for part in parts if part)


def _spent(finding: Finding) -> str:
    return f"{finding.milliseconds} ms" if finding.milliseconds else ""
