"""Where people change their calendars by hand, to watch the change arrive elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import RLock
from typing import Generic, Protocol, TypeVar

from flask import Blueprint, redirect, render_template, request, url_for
from flask import session as browser
from werkzeug.wrappers import Response

BACK, AHEAD = timedelta(days=7), timedelta(days=60)
STEP = 200
_DAY = timedelta(days=1)
_USUAL_CAUSES = "The calendar is read-only, or a time is missing."


class Person(Protocol):
    """Somebody who can sign in."""

    @property
    def email(self) -> str:
        """The address to sign in with."""
        ...

    @property
    def name(self) -> str:
        """The full name."""
        ...


class NotSaved(Exception):
    """The stand-in refuses what the form says; the text is for the person."""


@dataclass(frozen=True)
class Row:
    """One event as the page shows it: *begins* and *ends* are on the clock of its calendar."""

    id: str | int
    summary: str
    begins: datetime
    ends: datetime
    all_day: bool
    repeats: bool
    place: str

    @property
    def start(self) -> str:
        """The start as its field takes it."""
        return self._field(self.begins)

    @property
    def end(self) -> str:
        """The end as its field takes it: the last day, of whole days."""
        return self._field(self.ends - _DAY if self.all_day else self.ends)

    @property
    def when(self) -> str:
        """The start for people, with the times of what is not of whole days."""
        day = f"{self.begins:%a %d %b}"
        return day if self.all_day else f"{day}, {self.begins:%H:%M}–{self.ends:%H:%M}"

    def _field(self, at: datetime) -> str:
        return at.replace(tzinfo=None).isoformat()[: 10 if self.all_day else 16]


Handle = TypeVar("Handle")
Whose = TypeVar("Whose", covariant=True)
Event = TypeVar("Event")


class State(Protocol[Whose]):
    """The world of a stand-in, as far as the pages need it."""

    lock: RLock

    def transaction(self) -> AbstractContextManager[None]:
        """Hold the lock for a change."""
        ...

    def person(self, email: str) -> Whose:
        """Give somebody's calendars. Raises KeyError when nobody has the address."""
        ...


@dataclass(frozen=True)
class Shown(Generic[Event]):
    """One of *person*'s calendars.

    *events* are all that have a part of the time from `BACK` before now to `AHEAD` of it, by time.
    """

    person: Person
    calendars: list[tuple[str, str]]
    """Id and name of each that the person can choose."""
    id: str
    title: str
    time_zone: str
    today: date
    events: Sequence[Event]
    writable: bool
    readable: bool = True


@dataclass(frozen=True)
class Edit:
    """What a form says that an event shall be.

    *event* is its id, empty for a new one. *start* and *end* are on the calendar's clock; with
    dates the event is of whole days, and *end* is the last.
    """

    event: str
    summary: str
    start: date
    end: date

    @property
    def times(self) -> tuple[datetime, datetime] | None:
        """Start and end, without a zone; None for whole days."""
        if isinstance(self.start, datetime) and isinstance(self.end, datetime):
            return self.start, self.end
        return None


class Home(ABC, Generic[Handle, Event]):
    """The pages of a stand-in; a subclass says what they show and do.

    A calendar is named by its id, or empty for the first. *state* gives that of the app that
    answers.
    """

    password_label = "Password"
    hint: str
    wrong_password: str

    def __init__(self, state: Callable[[], State[Handle]]) -> None:
        self.state = state

    @abstractmethod
    def people(self) -> Iterable[Person]:
        """List who can sign in."""

    @abstractmethod
    def admits(self, email: str, password: str) -> Person | None:
        """Give who signs in; None when the password is not theirs."""

    @abstractmethod
    def shown(self, handle: Handle, calendar: str) -> Shown[Event]:
        """Give a calendar, or the first where there is no such one. Called with the lock held."""

    @abstractmethod
    def row(self, shown: Shown[Event], event: Event) -> Row:
        """Give an event as the page shows it. Raises ValueError when it cannot be read."""

    @abstractmethod
    def delete(self, handle: Handle, calendar: str, event: str) -> None:
        """Delete an event, a series as a whole. Raises as `save` does."""

    @abstractmethod
    def save(self, handle: Handle, calendar: str, edit: Edit) -> None:
        """Add or change an event.

        Raises NotSaved; KeyError or ValueError where calendar, event or times are impossible.
        """

    def blueprint(self) -> Blueprint:
        """Give the pages, to be registered at the root of the stand-in."""
        pages = Blueprint("home", __name__, template_folder="templates")
        pages.add_url_rule("/", "index", self._index)
        pages.add_url_rule("/sign-in", "enter", self._enter, methods=["POST"])
        pages.add_url_rule("/sign-out", "leave", self._leave, methods=["POST"])
        pages.add_url_rule("/events", "save", self._save, methods=["POST"])
        return pages

    def _index(self) -> str:
        """Show the signed-in person's calendar, or the sign-in form."""
        handle = self._signed_in()
        if handle is None:
            return self._sign_in_page()
        return self._calendar_page(handle, request.args.get("calendar", ""))

    def _enter(self) -> Response | str:
        """Sign in with `email` and `password`."""
        email = request.form.get("email", "")
        person = self.admits(email, request.form.get("password", ""))
        if person is None:
            return self._sign_in_page(self.wrong_password, email)
        browser["email"] = person.email
        return redirect(url_for(".index"), 303)

    def _leave(self) -> Response:
        """Sign out of this browser."""
        browser.clear()
        return redirect(url_for(".index"), 303)

    def _save(self) -> Response | tuple[str, int]:
        """Add an event, or with `event` change or delete one.

        Fields: `calendar`, `event`, `summary`, `start`, `end`; the buttons `add`, `save`, `delete`.
        """
        handle = self._signed_in()
        if handle is None:
            return redirect(url_for(".index"), 303)
        calendar = request.form.get("calendar", "")
        try:
            with self.state().transaction():
                if "delete" in request.form:
                    self.delete(handle, calendar, request.form.get("event", ""))
                else:
                    self.save(handle, calendar, _edit())
        except (NotSaved, KeyError, ValueError) as refusal:
            cause = str(refusal) if isinstance(refusal, NotSaved) else _USUAL_CAUSES
            return self._calendar_page(handle, calendar, f"That could not be saved. {cause}"), 400
        return redirect(url_for(".index", calendar=calendar or None), 303)

    def _signed_in(self) -> Handle | None:
        try:
            return self.state().person(browser.get("email", ""))
        except KeyError:
            return None

    def _sign_in_page(self, problem: str = "", email: str = "") -> str:
        return render_template(
            "home_sign_in.html", home=self, people=self.people(), problem=problem, email=email
        )

    def _calendar_page(self, handle: Handle, calendar: str, problem: str = "") -> str:
        with self.state().lock:
            shown = self.shown(handle, calendar)
            total = len(shown.events) if shown.readable else 0
            skipped = min(max(request.args.get("skip", 0, int), 0), total)
            rows = []
            for event in shown.events[skipped : skipped + STEP] if shown.readable else ():
                with suppress(ValueError):
                    rows.append(self.row(shown, event))
        return render_template(
            "home.html",
            shown=shown,
            rows=rows,
            skipped=skipped,
            step=STEP,
            total=total,
            tomorrow=(shown.today + _DAY).isoformat(),
            problem=problem,
        )


def _edit() -> Edit:
    """Read the form: a date alone is a whole day, and one field may do for both."""
    form = request.form
    start, end = form.get("start", ""), form.get("end", "") or form.get("start", "")
    kind = date if len(start) == len("2026-12-01") else datetime
    edit = Edit(
        form.get("event", ""),
        form.get("summary", ""),
        kind.fromisoformat(start),
        kind.fromisoformat(end),
    )
    if edit.end < edit.start:
        raise ValueError("ends before it starts")
    return edit
