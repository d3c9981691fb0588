"""The shapes that words come in, and what is said about each provider."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from broker.web.translations import N_


class Press(StrEnum):
    """Which way on the main button of an error page leads."""

    RETRY = "retry"
    OTHER = "other"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Words:
    """What is said about one reason code: the three parts of every error.

    *happened* says what happened, *move* whose move it is, *action* what to press, and *press*
    where that leads. *field* names the form field that the reason is about, if it is about one,
    and *beside* is said once more at that field. *checks* are questions that help to find the
    cause. *for_it* opens the part for the IT department, because somebody has to send it on,
    and *it* is what they have to know. *unfolds* shows the fields that are folded until they help.
    """

    title: str
    happened: str
    move: str
    action: str
    press: Press
    field: str = ""
    for_it: bool = False
    beside: str = ""
    checks: tuple[str, ...] = ()
    it: str = ""
    unfolds: bool = False


@dataclass(frozen=True, slots=True)
class Phrases:
    """What is said about one provider; `%(provider)s` stands for its name.

    *label* and *note* are its row in the chooser. *lead* is the sentence under the heading of
    its form, where one is needed. *caution* sets right what the provider's own page says beyond
    what is asked for, and *it* tells an administrator there how to let people in.
    """

    label: str
    note: str
    heading: str
    again: str
    next_step: str
    button: str
    busy: str
    lead: str = ""
    caution: str = ""
    it: str = ""


GOOGLE_ADMIN = N_(
    "In the Google Admin console, under Security, Access and data control, API controls, open the"
    " app access control. Add the app with this client ID and set it to Trusted."
)

_BY_SLUG = {
    "google": Phrases(
        label=N_("Google"),
        note=N_("Gmail and Google Workspace"),
        heading=N_("Connect Google Calendar"),
        again=N_("Connect Google Calendar again"),
        next_step=N_(
            "Google will ask you to sign in and to allow access. Tick the calendar boxes there."
        ),
        button=N_("Continue to Google"),
        busy=N_("Opening Google…"),
        caution=N_("Its page speaks of editing too. Only what is listed above will be done."),
        it=GOOGLE_ADMIN,
    ),
    "apple": Phrases(
        label=N_("iCloud"),
        note=N_("The Apple calendar on iPhone, iPad and Mac"),
        heading=N_("Connect iCloud Calendar"),
        again=N_("Connect iCloud Calendar again"),
        next_step=N_("We sign in to iCloud once to find your calendars. It takes a few seconds."),
        button=N_("Connect calendar"),
        busy=N_("Asking iCloud for your calendars…"),
        lead=N_("Apple wants a password made just for this. Your normal one stays with you."),
    ),
    "exchange": Phrases(
        label=N_("Exchange"),
        note=N_("Your company's own mail server"),
        heading=N_("Connect your Exchange calendar"),
        again=N_("Connect your Exchange calendar again"),
        next_step=N_(
            "We look for your company's server and sign in once. It can take half a minute."
        ),
        button=N_("Connect calendar"),
        busy=N_("Looking for your mail server…"),
        lead=N_("For a mailbox at work that your company runs itself. Not for Office 365."),
    ),
    "caldav": Phrases(
        label=N_("Other calendar (CalDAV)"),
        note=N_("Fastmail, Nextcloud, Posteo and others, by e-mail or server address"),
        heading=N_("Connect your calendar server"),
        again=N_("Connect your calendar server again"),
        next_step=N_("We sign in there once to find your calendars. This takes a few seconds."),
        button=N_("Connect calendar"),
        busy=N_("Looking for your calendars…"),
    ),
}
_SIGN_IN_THERE = Phrases(
    label="%(provider)s",
    note="",
    heading=N_("Connect %(provider)s"),
    again=N_("Connect %(provider)s again"),
    next_step=N_("%(provider)s will ask you to sign in and to allow access."),
    button=N_("Continue to %(provider)s"),
    busy=N_("Opening %(provider)s…"),
)
_SIGN_IN_HERE = replace(
    _SIGN_IN_THERE,
    next_step=_BY_SLUG["caldav"].next_step,
    button=_BY_SLUG["caldav"].button,
    busy=_BY_SLUG["caldav"].busy,
)

FACT_LABELS = {
    "address": N_("Address"),
    "agent": "User-Agent",
    "client_id": N_("Client ID"),
    "code": N_("Code"),
    "host": N_("Server"),
    "offered": N_("Ways to sign in offered"),
    "outgoing": N_("We call from"),
    "provider": N_("Calendar service"),
    "reason": N_("Reason"),
    "reference": N_("Reference"),
    "status": N_("Status"),
    "time": N_("Time"),
    "tried": N_("Signed in by"),
}


def phrases_for(slug: str, *, typed: bool = False) -> Phrases:
    """Give what is said about the provider *slug*; *typed* when its login is typed here."""
    return _BY_SLUG.get(slug, _SIGN_IN_HERE if typed else _SIGN_IN_THERE)
