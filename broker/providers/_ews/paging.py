"""Asking for as many rows as a server gives at once: its administrator may have set it low."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from broker.errors import ProviderUnavailable
from broker.providers._ews.faults import TOO_MUCH
from broker.providers._ews.session import Operation, Session

FEWEST = 8

_T = TypeVar("_T")


def paged(session: Session, asking: Callable[[int], Operation[_T]], most: int) -> tuple[_T, int]:
    """Ask for *most* rows, or half as many until the server agrees; gives what it agreed to.

    Raises what `Session.call` raises.
    """
    while True:
        try:
            return session.call(asking(most)), most
        except ProviderUnavailable as error:
            if error.detail != TOO_MUCH or most <= FEWEST:
                raise
            most //= 2
