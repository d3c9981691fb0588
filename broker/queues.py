"""The queue that makes due tasks happen now. It carries task ids and nothing else.

Redis may lose everything at any moment: what must happen is in the database, and the clock
queues it again.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

log = logging.getLogger(__name__)

RUN_TASK = "broker.jobs.run_task"
# A task that does not get on for so long is given up; one that does may take any time.
JOB_TIMEOUT_S = 600
QUEUE_NAME = "calbroker"
# While so many wait no more are announced: they are rows, and the clock comes by again.
BACKLOG = 1_000


class TaskQueue(Protocol):
    """Where services announce tasks after their commit."""

    def announce(self, task_ids: list[str]) -> None:
        """Make these tasks run soon. May fail silently: the clock comes by."""
        ...

    def waiting(self) -> int:
        """Count the announcements that no worker has taken. Raises RedisError."""
        ...


class RqQueue:
    """Tasks through RQ, JSON only (pickle in Redis would be code execution)."""

    def __init__(self, redis: Redis) -> None:
        self._queue = Queue(
            QUEUE_NAME,
            connection=redis,
            serializer=JSONSerializer,
            default_timeout=JOB_TIMEOUT_S,
        )

    def announce(self, task_ids: list[str]) -> None:
        """Enqueue tasks while there is room; a Redis that is away is logged, not raised."""
        if not task_ids:
            return
        jobs: list[Any] = [
            Queue.prepare_data(
                RUN_TASK, (task_id,), timeout=JOB_TIMEOUT_S, result_ttl=0, failure_ttl=3600
            )
            for task_id in task_ids
        ]
        try:
            self._queue.enqueue_many(jobs[: max(0, BACKLOG - self.waiting())])
        except RedisError:
            log.warning("queue is away", extra={"tasks": len(task_ids)})

    def waiting(self) -> int:
        """Count what no worker has taken."""
        return int(self._queue.count)


class ListQueue:
    """Remembers what was announced, for tests that run tasks by hand."""

    def __init__(self) -> None:
        self.announced: list[str] = []

    def announce(self, task_ids: list[str]) -> None:
        """Remember the ids."""
        self.announced.extend(task_ids)

    def waiting(self) -> int:
        """Count what was not taken."""
        return len(self.announced)

    def take(self) -> list[str]:
        """Give what was announced since, each once, in order."""
        taken = list(dict.fromkeys(self.announced))
        self.announced.clear()
        return taken
