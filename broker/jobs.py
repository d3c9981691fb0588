"""What RQ calls: a task id in, nothing out."""

from __future__ import annotations

from collections.abc import Callable

from broker.services import work
from broker.services.runtime import current_runtime


def run_task(task_id: str, get_on: Callable[[], None] = lambda: None) -> None:
    """Run one task, if it is still due and nobody else has it; it calls *get_on* as it does."""
    work.run(current_runtime(), task_id, get_on)
