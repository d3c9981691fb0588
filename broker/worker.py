"""The worker and the clock: the two processes behind the web.

The worker runs tasks in process (forking costs five times a small task). The clock looks for
what is due and queues it; two clocks at once do no harm.
"""

from __future__ import annotations

import logging
import signal
from datetime import timedelta
from threading import Event, Thread
from types import FrameType

from flask import Flask
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from broker.models import db
from broker.queues import QUEUE_NAME
from broker.services import housekeeping, tasks
from broker.services.runtime import Runtime

log = logging.getLogger(__name__)

TICK = timedelta(seconds=1)
BEAT_EVERY = timedelta(seconds=20)
JOBS_BEFORE_RENEWAL = 5_000
WORKER_TTL_S = 60


class TaskWorker(SimpleWorker):
    """A worker whose jobs run inside the app's context and leave no session behind."""

    app: Flask

    def perform_job(self, job: Job, queue: Queue) -> bool:
        """Run one job in a fresh app context."""
        with self.app.app_context():
            return bool(super().perform_job(job, queue))


def work(app: Flask, runtime: Runtime, *, burst: bool = False) -> None:
    """Run tasks until told to stop, or for so many jobs that a fresh process is due."""
    redis = runtime.redis
    stop = Event()
    beating = Thread(target=_beat, args=(app, runtime, "worker", stop), daemon=True)
    beating.start()
    queue = Queue(QUEUE_NAME, connection=redis, serializer=JSONSerializer)
    worker = TaskWorker(
        [queue],
        connection=redis,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL_S,
        log_job_description=False,
    )
    worker.app = app
    try:
        worker.work(
            burst=burst, with_scheduler=False, max_jobs=JOBS_BEFORE_RENEWAL, logging_level="WARNING"
        )
    finally:
        stop.set()


def tick_until_stopped(app: Flask, runtime: Runtime) -> None:
    """Queue what is due, every second, until a signal says stop."""
    stop = Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    beating = Thread(target=_beat, args=(app, runtime, "clock", stop), daemon=True)
    beating.start()
    while not stop.wait(TICK.total_seconds()):
        with app.app_context():
            tick(runtime)
    beating.join(timeout=1)


def tick(runtime: Runtime) -> int:
    """Queue what is due now; gives how many tasks that were. Trouble is for the next tick."""
    try:
        if not tasks.anything_due(runtime):
            return 0
        ids = tasks.due(runtime)
        runtime.queue.announce(ids)
        return len(ids)
    except (SQLAlchemyError, RedisError) as error:
        log.warning("clock missed a tick", extra={"error": type(error).__name__})
        return 0
    finally:
        db.session.remove()


def _beat(app: Flask, runtime: Runtime, name: str, stop: Event) -> None:
    while True:
        with app.app_context():
            try:
                housekeeping.beat(runtime, name)
            except SQLAlchemyError as error:
                log.warning("no heartbeat", extra={"error": type(error).__name__})
            finally:
                db.session.remove()
        if stop.wait(BEAT_EVERY.total_seconds()):
            return
