"""The page for an IT department: what was tried, what stopped it, and what to change.

It knows no more than the doctor: hosts, steps, times and codes; no name, no address of a person
and nothing that a server said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask.typing import ResponseReturnValue
from markupsafe import Markup

from broker.http import USER_AGENT
from broker.services.connection_doctor import Diagnosis, StepState
from broker.trace import Step
from broker.web import doctor
from broker.web.layout import App, Legal, page
from broker.web.phrases import FACT_LABELS
from broker.web.translations import _, upright
from broker.web.words import words_for
from broker.web.words_it import ADVICE

DAY_FORMAT = "%Y-%m-%d"


@dataclass(frozen=True, slots=True)
class ItLink:
    """Where an IT department can read about a failure, and the day on which that ends."""

    url: str
    until: str


@dataclass(frozen=True, slots=True)
class _Shown:
    """One thing to change. *command* is empty where there is none."""

    text: Markup
    command: str


def show(
    diagnosis: Diagnosis,
    *,
    app: App | None,
    place: str,
    outgoing: Sequence[str],
    closes_at: datetime,
    legal: Legal,
) -> ResponseReturnValue:
    """Show what was found.

    *place* is where Calbroker is, *outgoing* the addresses that its calls come from, empty where
    the operator does not say.
    """
    words = words_for(diagnosis.reason or "")
    facts = doctor.facts(diagnosis, diagnosis.reason) | {
        "offered": ", ".join(_offered(diagnosis.steps)),
        "tried": ", ".join(_tried(diagnosis.steps)),
        "outgoing": ", ".join(outgoing),
        "agent": USER_AGENT,
    }
    labelled = [(_(FACT_LABELS.get(name, name)), value) for name, value in facts.items() if value]
    return page(
        "for_it.html",
        title=_("A calendar could not be connected"),
        app=app,
        legal=legal,
        place=place,
        words=words,
        advice=list(_advice(diagnosis)),
        facts=labelled + doctor.steps_for_it(diagnosis),
        trace=[_line(step) for step in diagnosis.steps],
        until=closes_at.strftime(DAY_FORMAT),
    )


def _advice(diagnosis: Diagnosis) -> Iterator[_Shown]:
    """Fill in what the try found out; the command is to be copied, so it holds text only."""
    plain = {
        "host": _host(diagnosis) or "HOST",
        "offered": ", ".join(_offered(diagnosis.steps)) or "-",
        "tried": ", ".join(_tried(diagnosis.steps)) or "-",
    }
    marked = {name: upright(value) for name, value in plain.items()}
    for advice in ADVICE.get(diagnosis.reason or "", ()):
        yield _Shown(Markup(_(advice.text)) % marked, advice.command % plain)  # noqa: S704


def _host(diagnosis: Diagnosis) -> str:
    """Give the host where it stopped, or else the last one that was reached."""
    findings = diagnosis.findings
    failed = (one.host for one in findings if one.state is StepState.FAILED and one.host)
    reached = (one.host for one in reversed(findings) if one.host)
    return next(failed, next(reached, ""))


def _offered(steps: Sequence[Step]) -> list[str]:
    return sorted({name for step in steps for name in step.offered})


def _tried(steps: Sequence[Step]) -> list[str]:
    return list(dict.fromkeys(step.tried for step in steps if step.tried))


def _line(step: Step) -> str:
    """Write a line of the trace, for those who read such things in English everywhere."""
    parts = (
        f"{step.operation} {step.host}".strip(),
        "" if step.secure else "http",
        step.tried,
        step.outcome,
        f"offers {', '.join(step.offered)}" if step.offered else "",
        f"{step.milliseconds} ms",
    )
    return " · ".join(part for part in parts if part)
