"""Several things in one request: each has its own response message."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..context import Context
from ..soap import Element, Refused, answer, failure, success


def batch(
    context: Context,
    operation: str,
    things: Iterable[Element],
    handle: Callable[[Element], str],
    empty: str = "",
) -> str:
    """Handle each thing; *empty* stands where a refused one's result would be."""
    return answer(operation, _messages(context, operation, things, handle, empty))


def _messages(
    context: Context,
    operation: str,
    things: Iterable[Element],
    handle: Callable[[Element], str],
    empty: str,
) -> Iterable[str]:
    stopped = False
    for number, thing in enumerate(things):
        if stopped:
            text = "The batch was stopped because of an earlier error."
            refusal = Refused("ErrorBatchProcessingStopped", text)
            yield failure(operation, refusal, empty, "Warning")
            continue
        try:
            if number == 1 and context.faults.take(context.caller.email, "batch_stopped"):
                stopped = True
                raise Refused("ErrorInternalServerError")
            yield success(operation, handle(thing))
        except Refused as refusal:
            yield failure(operation, refusal, empty)
