"""The listener: threads of the clock's process that wait for providers to speak.

A hanging connection waits nearly all of its life, so it must not keep a worker busy. Each has a
thread of its own, which touches the database only when something is heard; the clock's loop
renews all their leases with one statement.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Thread

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from broker.line import Line
from broker.models import db
from broker.services import listening, tasks, work
from broker.services.runtime import Runtime
from broker.services.tasks import Lease

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=30)
AT_A_TIME = 5
END_WITHIN_S = 2.0


@dataclass(slots=True)
class _Post:
    """A thread that listens, and what it holds."""

    lease: Lease
    line: Line
    thread: Thread = field(init=False)


class Listener:
    """Listens to at most *most* connections at once; 0 listens to none."""

    def __init__(self, app: Flask, runtime: Runtime, most: int) -> None:
        self._app, self._runtime, self._most = app, runtime, most
        self._posts: dict[str, _Post] = {}
        self._renewed_at = self._looked_at = float("-inf")
        self._is_new = True

    def attend(self) -> None:
        """Do what is due; called every second, in the app's context. Trouble is for the next."""
        try:
            if self._most:
                self._attend(self._runtime.clock.monotonic())
            elif self._is_new:
                listening.forget()
            self._is_new = False
        except SQLAlchemyError as error:
            log.warning("listener missed a round", extra={"error": type(error).__name__})
        finally:
            db.session.remove()

    def _attend(self, now: float) -> None:
        self._posts = {key: one for key, one in self._posts.items() if one.thread.is_alive()}
        if now - self._renewed_at >= tasks.RENEW_EVERY.total_seconds():
            kept = listening.renew(self._runtime, [one.lease for one in self._posts.values()])
            for task_id in self._posts.keys() - kept:
                self._posts[task_id].line.cut()
            self._renewed_at = now
        if now - self._looked_at >= LOOK_EVERY.total_seconds():
            listening.ensure(self._runtime)
            self._looked_at = now
        room = min(self._most - len(self._posts), AT_A_TIME)
        for task_id in listening.due(self._runtime, room) if room > 0 else ():
            if task_id not in self._posts:
                self._begin(task_id)

    def _begin(self, task_id: str) -> None:
        lease = tasks.claim(self._runtime, task_id)
        if lease is None:
            return
        post = _Post(lease, Line(listening.SILENCE))
        post.thread = Thread(target=self._listen, args=(post,), name="listening", daemon=True)
        self._posts[task_id] = post
        post.thread.start()

    def _listen(self, post: _Post) -> None:
        with self._app.app_context():
            try:
                work.settle(
                    self._runtime,
                    post.lease,
                    lambda: listening.listen(self._runtime, post.lease, post.line),
                )
            except Exception as error:
                log.error("listening failed", exc_info=error, extra={"task": post.lease.task_id})
            finally:
                db.session.remove()

    def close(self) -> None:
        """Cut every line and give the tasks back, for another clock to go on."""
        posts, self._most = list(self._posts.values()), 0
        for post in posts:
            post.line.cut()
        for post in posts:
            post.thread.join(END_WITHIN_S / len(posts))
