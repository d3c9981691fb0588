"""What RQ calls: a task id in, nothing out."""

from __future__ import annotations

from broker.services import work
from broker.services.runtime import current_runtime


def run_task(task_id: str) -> None:
    """Run one task, if it is still due and nobody else has it."""
    work.run(current_runtime(), task_id)
