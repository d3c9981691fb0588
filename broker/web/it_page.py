"""The page for an IT department: what was tried, what stopped it, and what to change.

It knows no more than the doctor: hosts, steps, times and codes, and the certificates that servers
showed; no name, no address of a person and nothing else that a server said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask.typing import ResponseReturnValue
from markupsafe import Markup

from broker.certificates import Certificate
from broker.http import USER_AGENT
from broker.services.connection_doctor import Diagnosis, StepState
from broker.trace import Step
from broker.web import doctor
from broker.web.layout import App, Legal, page
from broker.web.phrases import FACT_LABELS
from broker.web.translations import _, upright
from broker.web.words import words_for
from broker.web.words_it import ADVICE, SELF_SIGNED

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
    shown = _certificate_facts(_chain(diagnosis))
    labelled = [(_(FACT_LABELS.get(name, name)), value) for name, value in facts.items() if value]
    return page(
        "for_it.html",
        title=_("A calendar could not be connected"),
        app=app,
        legal=legal,
        place=place,
        words=words,
        advice=list(_advice(diagnosis)),
        facts=labelled + doctor.steps_for_it(diagnosis) + shown,
        trace=[" · ".join(step.details()) for step in diagnosis.steps],
        until=closes_at.strftime(DAY_FORMAT),
    )


def _advice(diagnosis: Diagnosis) -> Iterator[_Shown]:
    """Fill in what the try found out; the command is to be copied, so it holds text only."""
    plain = {
        "host": _host(diagnosis) or "HOST",
        "offered": ", ".join(_offered(diagnosis.steps)) or "-",
        "tried": ", ".join(_tried(diagnosis.steps)) or "-",
    }
    plain |= _certificate_words(diagnosis)
    marked = {name: upright(value) for name, value in plain.items()}
    found = ADVICE.get(diagnosis.reason or "", ())
    if diagnosis.reason == "certificate_untrusted" and _is_self_signed(_chain(diagnosis)):
        found = SELF_SIGNED
    for advice in found:
        if advice.provider not in {"", diagnosis.provider}:
            continue
        yield _Shown(Markup(_(advice.text)) % marked, advice.command % plain)  # noqa: S704


def _host(diagnosis: Diagnosis) -> str:
    """Give the host where it stopped, or else the last one that was reached."""
    findings = diagnosis.findings
    failed = (one.host for one in findings if one.state is StepState.FAILED and one.host)
    reached = (one.host for one in reversed(findings) if one.host)
    return next(failed, next(reached, ""))


def _chain(diagnosis: Diagnosis) -> tuple[Certificate, ...]:
    """Give what was shown over TLS by the host where it stopped; empty where that is not known."""
    host = _host(diagnosis)
    shown = (step.chain for step in reversed(diagnosis.steps) if step.host == host and step.chain)
    return next(shown, ())


def _is_self_signed(chain: Sequence[Certificate]) -> bool:
    return len(chain) == 1 and chain[0].issuer == chain[0].subject


def _certificate_words(diagnosis: Diagnosis) -> dict[str, str]:
    """Say what can be wrong with a chain: its names, the one that ran out, where it ends."""
    chain = _chain(diagnosis)
    if not chain:
        return dict.fromkeys(("names", "issuer", "subject", "since", "until"), "-")
    over = next((one for one in chain if not one.is_good_at(diagnosis.at)), chain[0])
    return {
        "names": ", ".join(chain[0].names) or "-",
        "issuer": chain[-1].issuer,
        "subject": over.subject,
        "since": over.since.strftime(DAY_FORMAT),
        "until": over.until.strftime(DAY_FORMAT),
    }


def _certificate_facts(chain: Sequence[Certificate]) -> list[tuple[str, str]]:
    """Give each certificate of a chain as label and value, the server's own one first."""
    shown = [(_("Certificate"), str(one)) for one in chain]
    own = [("SHA-256", one.fingerprint) for one in chain[:1]]
    return shown[:1] + own + shown[1:]


def _offered(steps: Sequence[Step]) -> list[str]:
    return sorted({name for step in steps for name in step.offered})


def _tried(steps: Sequence[Step]) -> list[str]:
    return list(dict.fromkeys(step.tried for step in steps if step.tried))
