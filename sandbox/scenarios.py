"""Switching faults: one list for all stand-ins, and the check of what a scenario may say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask

from sandbox.stand_in.faults import Faults

# What some faults take besides: how long `slow` drips, which calendar is gone, which of its
# styles a refusal has, how many requests pass first.
_PARAMETERS: dict[str, type | tuple[type, ...]] = {
    "seconds": (int, float),
    "calendar": str,
    "style": str,
    "after": int,
}
_KEYS = ("provider", "person", "fault", "times", *_PARAMETERS)
MOST_TIMES = 10_000


@dataclass(frozen=True)
class StandIn:
    """A provider in the sandbox: *password* opens everybody's account, *app* is the stand-in."""

    name: str
    label: str
    faults: Faults
    people: Callable[[], Sequence[str]]
    password: str
    app: Flask


class Refused(ValueError):
    """A scenario that cannot be switched on; the text says what is allowed."""


class Scenarios:
    """All stand-ins by name."""

    def __init__(self, stand_ins: Sequence[StandIn]) -> None:
        self.stand_ins = {stand_in.name: stand_in for stand_in in stand_ins}

    def switch_on(self, wanted: object) -> None:
        """Switch on what a scenario asks for. Raises Refused."""
        if not isinstance(wanted, Mapping):
            raise Refused(f"send a JSON object with {', '.join(_KEYS)}")
        unknown = [str(key) for key in wanted if key not in _KEYS]
        if unknown:
            raise Refused(f"unknown: {', '.join(unknown)}; allowed are {', '.join(_KEYS)}")
        provider = _one_of("provider", wanted.get("provider"), list(self.stand_ins))
        stand_in = self.stand_ins[provider]
        person = wanted.get("person")
        if person is not None:
            person = _one_of("person", _lower(person), list(stand_in.people()))
        fault = _one_of("fault", wanted.get("fault"), list(stand_in.faults.catalogue))
        stand_in.faults.set(person, fault, _times(wanted.get("times")), **_parameters(wanted))

    def clear(self) -> None:
        """Switch everything off."""
        for stand_in in self.stand_ins.values():
            stand_in.faults.clear()

    def active(self) -> list[dict[str, Any]]:
        """Tell what is on, everywhere."""
        return [
            {"provider": stand_in.name, **fault}
            for stand_in in self.stand_ins.values()
            for fault in stand_in.faults.active()
        ]


def _one_of(name: str, value: object, allowed: Sequence[str]) -> str:
    if isinstance(value, str) and value in allowed:
        return value
    raise Refused(f"{name} must be one of {', '.join(allowed)}")


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _times(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_TIMES:
        return value
    raise Refused(f"times must be a whole number from 1 to {MOST_TIMES}, or absent for always")


def _parameters(wanted: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: wanted[name] for name in _PARAMETERS if wanted.get(name) is not None}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, _PARAMETERS[name]):
            raise Refused(
                "seconds must be a number, calendar the id of a calendar, style a word and "
                "after a whole number"
            )
    return given
