"""What something costs, told alike by every machine: in function calls, not in seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


class Meter:
    """Counts the calls of Python and C functions in this thread, while it is used as a context."""

    def __init__(self) -> None:
        self.calls = 0

    def __enter__(self) -> Meter:
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, _frame: FrameType, event: str, _argument: Any) -> None:
        if event in ("call", "c_call"):
            self.calls += 1


def counted(do: Callable[[], T]) -> tuple[T, int]:
    """Do something; gives its result and how many calls it took."""
    with Meter() as meter:
        result = do()
    return result, meter.calls
