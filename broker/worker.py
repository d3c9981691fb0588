"""The worker and the clock: the two processes behind the web.

The worker runs tasks in process (forking costs five times a small task). The clock looks for
what is due and queues it; two clocks at once do no harm.
"""

from __future__ import annotations

import gc
import logging
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event, Thread
from types import FrameType

from flask import Flask
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus
from sqlalchemy.exc import SQLAlchemyError

from broker.jobs import run_task
from broker.listener import Listener
from broker.models import db
from broker.pulse import Pulse, given_up_after
from broker.queues import BACKLOG, JOB_TIMEOUT_S, QUEUE_NAME
from broker.services import dispatch, housekeeping
from broker.services.runtime import Runtime

log = logging.getLogger(__name__)

TICK = timedelta(seconds=1)
AT_ONCE = 500
BEAT_EVERY = timedelta(seconds=20)
JOBS_BEFORE_RENEWAL = 5_000
WORKER_TTL_S = 60
REDIS_BEAT_EVERY = timedelta(seconds=5)


class TaskWorker(SimpleWorker):
    """RQ's loop, signals and timeouts, without its records of what became of each job.

    The database knows that already. RQ's own records take ten round trips a job, and would
    keep tracebacks, whose messages may quote what we hold.
    """

    app: Flask
    pulse: Pulse

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run one task inside the app's context; whatever comes of it, the job is over."""
        self._state = WorkerStatus.BUSY
        try:
            with self.app.app_context():
                with given_up_after(timedelta(seconds=job.timeout or JOB_TIMEOUT_S)) as get_on:
                    # Not what Redis names: whoever can write there cannot choose what runs.
                    run_task(job.args[0], partial(self._get_on, get_on))
        except Exception as error:
            log.error("job failed", exc_info=error, extra={"job": job.id})
        finally:
            self._state = WorkerStatus.IDLE
        with self.connection.pipeline(transaction=False) as pipe:
            pipe.lrem(queue.intermediate_queue_key, 1, job.id)
            pipe.delete(job.key)
            pipe.execute()

    def _get_on(self, get_on: Callable[[], None]) -> None:
        get_on()
        self.pulse.beat()

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Tell Redis that we are alive, at most every few seconds: RQ asks thrice a job."""
        self.pulse.beat()
        if datetime.now(UTC) - self._beaten_at >= REDIS_BEAT_EVERY:
            self._beaten_at = datetime.now(UTC)
            super().heartbeat(timeout, pipeline)

    _beaten_at = datetime.min.replace(tzinfo=UTC)


def settle() -> None:
    """Keep the garbage collector off what the program is made of, which is never garbage.

    Looking through all of that takes it 80 ms, thrice while 10,000 events are read, and several
    times more when the process ends.
    """
    gc.collect()
    gc.freeze()


def work(app: Flask, runtime: Runtime, *, burst: bool = False) -> None:
    """Run tasks until told to stop, or for so many jobs that a fresh process is due."""
    settle()
    redis = runtime.redis
    stop, pulse = Event(), Pulse(runtime.clock)
    beating = Thread(target=_beat, args=(app, runtime, "worker", stop, pulse), daemon=True)
    beating.start()
    queue = Queue(QUEUE_NAME, connection=redis, serializer=JSONSerializer)
    worker = TaskWorker(
        [queue],
        connection=redis,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL_S,
        log_job_description=False,
    )
    worker.app, worker.pulse = app, pulse
    try:
        worker.work(
            burst=burst, with_scheduler=False, max_jobs=JOBS_BEFORE_RENEWAL, logging_level="WARNING"
        )
    finally:
        stop.set()


def tick_until_stopped(app: Flask, runtime: Runtime) -> None:
    """Queue what is due, every second, until a signal says stop."""
    settle()
    stop, pulse = Event(), Pulse(runtime.clock)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    beating = Thread(target=_beat, args=(app, runtime, "clock", stop, pulse), daemon=True)
    beating.start()
    listener = Listener(app, runtime, runtime.settings.listen_streams)
    while not stop.wait(TICK.total_seconds()):
        with app.app_context():
            tick(runtime)
            listener.attend()
        pulse.beat()
    listener.close()
    beating.join(timeout=1)


def tick(runtime: Runtime) -> int:
    """Queue what is due now; gives how many tasks that were. Trouble is for the next tick.

    What waits in the queue already is not queued again, however long the workers take.
    """
    try:
        waiting = runtime.queue.waiting()
        drained, room = not waiting, min(BACKLOG - waiting, AT_ONCE)
        if room <= 0 or not dispatch.anything_due(runtime, drained=drained):
            return 0
        ids = dispatch.due(runtime, room, drained=drained)
        runtime.queue.announce(ids)
        return len(ids)
    except (SQLAlchemyError, RedisError) as error:
        log.warning("clock missed a tick", extra={"error": type(error).__name__})
        return 0
    finally:
        db.session.remove()


def _beat(app: Flask, runtime: Runtime, name: str, stop: Event, pulse: Pulse) -> None:
    """Tell the database that the loop of this process goes round, for as long as it does."""
    while True:
        with app.app_context():
            try:
                if pulse.is_felt:
                    housekeeping.beat(runtime, name)
            except SQLAlchemyError as error:
                log.warning("no heartbeat", extra={"error": type(error).__name__})
            finally:
                db.session.remove()
        if stop.wait(BEAT_EVERY.total_seconds()):
            return
