"""Keeps child processes running, and takes all of them along when it goes.

Used by `make run` for everything on this machine and by `flask worker --processes N` for its
pool. A platform with a Procfile restarts processes itself and does not need this.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

log = logging.getLogger(__name__)

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 5.0
WELL_AFTER_S = 30.0
GRACE_S = 8.0
TICK_S = 0.2
_POLL_S = 0.02

# Runs between fork and the child's own program: asks the kernel to end it with its parent, and
# leaves at once if the parent went in between. A program of its own rather than `preexec_fn`,
# which may deadlock in a process that has threads.
_TRAMPOLINE = """
import ctypes, os, signal, sys
ctypes.CDLL(None, use_errno=True).prctl(1, int(signal.SIGTERM))
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"{sys.argv[2]}: {error.strerror}")
"""


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep running.

    *env* is its whole environment; None gives it ours. Secrets belong there, never into
    *argv*, which every user of the machine can read. *output* is the file that its output is
    added to; None lets it write to ours.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = field(default=None, repr=False)
    output: Path | None = None


class Supervisor:
    """Runs children until it is told to stop.

    *tick* is called every TICK_S; *on_death* whenever a child has ended by itself, with its
    exit status and the seconds until it is started again. What they raise ends the run.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        tick: Callable[[], None] | None = None,
        on_death: Callable[[Child, int, float], None] | None = None,
        grace_s: float = GRACE_S,
    ) -> None:
        self._posts = [_Post(child) for child in children]
        self._tick = tick or (lambda: None)
        self._on_death = on_death or _log_death
        self._grace_s = grace_s
        self._stopping = False

    def add(self, children: Sequence[Child]) -> None:
        """Run these too, from the next round on; they are stopped before the earlier ones."""
        self._posts += [_Post(child) for child in children]

    def run(self) -> None:
        """Start the children and return after SIGTERM or SIGINT, when none is left.

        Call it from the main thread: the kernel ends the children with the *thread* that
        started them.
        """
        with self._signals() as wakeup:
            try:
                while not self._stopping:
                    now = time.monotonic()
                    for post in self._posts:
                        self._attend(post, now)
                    self._tick()
                    _wait(wakeup, TICK_S)
            finally:
                self._stop()

    def _attend(self, post: _Post, now: float) -> None:
        if self._stopping:
            return
        if post.process is None:
            if now >= post.start_at:
                post.start(now)
            return
        status = post.process.poll()
        if status is not None:
            delay_s = post.bury(now)
            self._on_death(post.child, status, delay_s)

    def _stop(self) -> None:
        posts = [post for post in reversed(self._posts) if post.process is not None]
        for post in posts:
            post.signal(signal.SIGTERM)
        deadline = time.monotonic() + self._grace_s
        while posts and time.monotonic() < deadline:
            # At once, while its number cannot have been given to somebody else.
            for post in [post for post in posts if not post.alive()]:
                post.finish()
                posts.remove(post)
            time.sleep(_POLL_S)
        for post in posts:
            post.finish()

    @contextmanager
    def _signals(self) -> Iterator[int]:
        """Turn signals into bytes on a pipe, so that the loop wakes and nothing is interrupted."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
        before = {number: signal.getsignal(number) for number in numbers}
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        signal.signal(signal.SIGINT, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        old_wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(old_wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(reader)
            os.close(writer)

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True


class _Post:
    """One child's place: the process in it, and when the next may begin."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.process: subprocess.Popen[bytes] | None = None
        self.start_at = 0.0
        self._delay_s = FIRST_DELAY_S
        self._started_at = 0.0

    def start(self, now: float) -> None:
        self.process = spawn(self.child)
        self._started_at = now

    def bury(self, now: float) -> float:
        """Clear away what a dead child left, and tell how long to wait before the next."""
        self.finish()
        if now - self._started_at >= WELL_AFTER_S:
            self._delay_s = FIRST_DELAY_S
        delay_s, self._delay_s = self._delay_s, min(self._delay_s * 2, LONGEST_DELAY_S)
        self.start_at = now + delay_s
        return delay_s

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    def finish(self) -> None:
        """End the child and everything that it started and did not end."""
        if self.process is not None:
            end_group(self.process)
            self.process = None


def spawn(child: Child, **options: Any) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own that ends when this thread does.

    In a session of its own Ctrl-C reaches only us, once, and we pass it on in order. Only
    Linux ends children with their parent; elsewhere they outlive a kill -9 of it.
    """
    argv = list(child.argv)
    if sys.platform == "linux":
        argv = [sys.executable, "-I", "-S", "-c", _TRAMPOLINE, str(os.getpid()), *argv]
    with child.output.open("ab") if child.output else _inherited() as output:
        return subprocess.Popen(  # noqa: S603 - our own argv, no shell
            argv,
            env=None if child.env is None else dict(child.env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
            **options,
        )


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a child's session, the child included, and reap it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _inherited() -> Iterator[None]:
    yield None


def _wait(wakeup: int, timeout_s: float) -> None:
    if select.select([wakeup], [], [], timeout_s)[0]:
        with suppress(BlockingIOError):
            os.read(wakeup, 4096)


def _log_death(child: Child, status: int, delay_s: float) -> None:
    log.warning("child ended", extra={"child": child.name, "status": status, "restart_s": delay_s})
