"""The switchboard of a stand-in: faults that scenarios switch on, for one person or for all."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Active:
    """A fault that is on. `times` is how often it still applies; None means until cleared."""

    person: str | None
    fault: str
    times: int | None
    params: dict[str, Any] = field(default_factory=dict)


class Faults:
    """The switchboard; `app.extensions["faults"]`. Safe to use from any thread.

    *catalogue* has every fault by name, with what it does in one line.
    """

    def __init__(self, catalogue: Mapping[str, str]) -> None:
        self.catalogue = catalogue
        self._lock = threading.Lock()
        self._active: list[Active] = []

    def set(self, person: str | None, fault: str, times: int | None = None, **params: Any) -> None:
        """Switch a fault on for a person, None for everybody; it replaces the same one.

        `times` counts applications. Raises ValueError when there is no such fault.
        """
        if fault not in self.catalogue:
            raise ValueError(f"no fault is called {fault!r}")
        with self._lock:
            self._active = [a for a in self._active if (a.person, a.fault) != (person, fault)]
            if times is None or times > 0:
                self._active.append(Active(person, fault, times, params))

    def clear(self, person: str | None = None, fault: str | None = None) -> None:
        """Switch off every fault, or only those of a person or of a name."""
        with self._lock:
            self._active = [
                a
                for a in self._active
                if (person is not None and a.person != person)
                or (fault is not None and a.fault != fault)
            ]

    def active(self) -> list[dict[str, Any]]:
        """Return what is on: person, fault, times and params."""
        with self._lock:
            return [
                {"person": a.person, "fault": a.fault, "times": a.times, **a.params}
                for a in self._active
            ]

    def find(self, person: str | None, *names: str) -> Active | None:
        """Return the first of the named faults that is on for the person, without using it up."""
        with self._lock:
            return self._first(person, names)

    def take(self, person: str | None, *names: str) -> Active | None:
        """Return the first of the named faults that is on, and count one application.

        The parameter `after` lets that many requests pass first.
        """
        with self._lock:
            found = self._first(person, names)
            if found is None:
                return None
            if found.params.get("after", 0) > 0:
                found.params["after"] -= 1
                return None
            if found.times is not None:
                found.times -= 1
                if found.times <= 0:
                    self._active.remove(found)
            return found

    def style(self, person: str | None, name: str, usual: str = "") -> str:
        """Return in which style a fault is on, *usual* where it says none; empty when it is off."""
        found = self.find(person, name)
        return str(found.params.get("style") or usual) if found else ""

    def _first(self, person: str | None, names: Collection[str]) -> Active | None:
        """Find a fault, with the lock held."""
        fitting = (a for a in self._active if a.fault in names and a.person in (None, person))
        return next(fitting, None)
