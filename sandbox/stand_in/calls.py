"""The log of answered requests, for assertions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

KEPT = 10_000


@dataclass(frozen=True)
class Call:
    """One answered request; `person` is the address whose token or sign-in it carried."""

    method: str
    path: str
    person: str | None
    status: int


Kind = TypeVar("Kind", bound=Call)


class Calls(Generic[Kind]):
    """The last 10,000 calls, oldest first; `app.extensions["calls"]`. Behaves as a sequence."""

    def __init__(self) -> None:
        self._calls: deque[Kind] = deque(maxlen=KEPT)

    def add(self, call: Kind) -> None:
        """Remember a call."""
        self._calls.append(call)

    def clear(self) -> None:
        """Forget every call."""
        self._calls.clear()

    def matching(
        self, path_contains: str = "", *, method: str | None = None, person: str | None = None
    ) -> list[Kind]:
        """Return the calls whose path contains the text, narrowed by method and person."""
        return [
            call
            for call in list(self._calls)
            if path_contains in call.path
            and method in (None, call.method)
            and person in (None, call.person)
        ]

    def count(
        self, path_contains: str = "", *, method: str | None = None, person: str | None = None
    ) -> int:
        """Count what `matching` finds."""
        return len(self.matching(path_contains, method=method, person=person))

    def __iter__(self) -> Iterator[Kind]:
        return iter(list(self._calls))

    def __len__(self) -> int:
        return len(self._calls)

    def __getitem__(self, index: int) -> Kind:
        return self._calls[index]
