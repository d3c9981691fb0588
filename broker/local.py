"""Everything on this machine: what `make run` and `python app.py` start.

The sandbox is started as a process and never imported: the product does not know it.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import shlex
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from broker.embedded_redis import EmbeddedRedis
from broker.errors import ConfigError
from broker.local_environment import (
    COMPANY,
    HOST,
    ROOT,
    Layout,
    broker_environment,
    keep_keys,
    sandbox_environment,
)
from broker.local_probes import check_port, not_answering, only_one
from broker.log_digest import LogDigest, last_lines
from broker.settings import Settings
from broker.supervisor import Child, Supervisor, end_group, spawn

READY_WITHIN_S = 90.0
DEATHS_BEFORE_READY = 3
_REDIS_CHECK_S = 1.0


def main(env: Mapping[str, str] | None = None, arguments: Sequence[str] = ()) -> int:
    """Run everything until Ctrl-C; gives the exit status.

    With the argument `env` nothing is run: the environment of the broker's processes is
    printed, for a shell to take over.
    """
    if _parse(arguments).what == "env":
        return _print_environment(os.environ if env is None else env)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    env = os.environ if env is None else env
    if env.get("MAKELEVEL"):
        _end_with_make()
    try:
        with ExitStack() as stack:
            _run(Layout.from_env(env), env, stack)
    except ConfigError as error:
        for problem in error.problems:
            print(f"cannot start: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    print("stopped; the next `make run` goes on from here", flush=True)
    # What ends now need not be looked through for garbage first.
    gc.freeze()
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python app.py",
        description="Run the broker and all that it needs on this machine, until Ctrl-C.",
        epilog="Read from the environment: PORT, SANDBOX_PORT, RADICALE_PORT, EXCHANGE_PORT, "
        "VAR_DIR, and the settings that README.md lists. In production use gunicorn and flask, as "
        "Procfile does.",
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=["env"],
        help='print the environment instead, for a shell: eval "$(python app.py env)"',
    )
    return parser.parse_args(arguments)


def _print_environment(env: Mapping[str, str]) -> int:
    try:
        layout = Layout.from_env(env)
        layout.make_folder()
        keys = keep_keys(layout.var / "secrets.json")
    except ConfigError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return 1
    url = EmbeddedRedis(layout.var / "valkey", layout.var / "redis.sock").url
    ours = broker_environment(layout, {}, redis_url=url, keys=keys)
    for name, value in sorted(ours.items()):
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _run(layout: Layout, env: Mapping[str, str], stack: ExitStack) -> None:
    os.chdir(ROOT)
    layout.make_folder()
    stack.enter_context(only_one(layout))
    for variable, port in layout.ports.items():
        check_port(variable, port)
    print(f"starting, with everything kept in {_shown(layout.var)}", flush=True)

    _turn_logs(layout.var / "log")
    redis = None
    if not env.get("REDIS_URL"):
        redis = EmbeddedRedis(
            layout.var / "valkey",
            layout.var / "redis.sock",
            output=layout.log("redis"),
            # We hold the lock on var/, so whoever runs a server there is an orphan.
            adopt=True,
        )
        stack.enter_context(redis)
    ours = broker_environment(
        layout,
        env,
        redis_url=redis.url if redis else "",
        keys=keep_keys(layout.var / "secrets.json"),
    )
    Settings.from_env(ours)
    stand_ins = _stand_ins(layout, sandbox_environment(layout, env))
    migration = _Migration(layout, ours)
    stack.callback(migration.end)
    house = _House(layout, stand_ins, _broker(layout, ours), redis, migration)
    stack.callback(_heed_no_signal)
    house.supervisor.run()


class _Migration:
    """Brings the database up to date, beside the start of what does not need it."""

    def __init__(self, layout: Layout, env: Mapping[str, str]) -> None:
        argv = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"]
        self._log = layout.log("migrate")
        self._process = spawn(Child("migrate", argv, env, self._log))

    def is_done(self) -> bool:
        """Tell whether the database is ready. Raises ConfigError when it cannot be made so."""
        status = self._process.poll()
        if status:
            end = "\n".join(last_lines(self._log))
            raise ConfigError(
                [f"the database is not ready; the end of {_shown(self._log)}:\n{end}"]
            )
        return status == 0

    def end(self) -> None:
        """Leave nothing running."""
        if self._process.poll() is None:
            end_group(self._process)


class _House:
    """Watches over the running processes and tells the terminal what a person should know."""

    def __init__(
        self,
        layout: Layout,
        stand_ins: list[Child],
        broker: list[Child],
        redis: EmbeddedRedis | None,
        migration: _Migration,
    ) -> None:
        self.supervisor = Supervisor(stand_ins, tick=self.tick, on_death=self.on_death)
        self._layout = layout
        self._broker = broker
        self._redis = redis
        self._migration = migration
        names = [child.name for child in (*stand_ins, *broker)]
        self._digest = LogDigest({name: layout.log(name) for name in names})
        self._migrated = self._ready = False
        self._deaths: dict[str, int] = {}
        self._begun_at = self._redis_seen_at = time.monotonic()

    def tick(self) -> None:
        """Look after Redis, and after what has yet to start; then tell the news."""
        self._look_after_redis()
        if self._ready:
            for line in self._digest.news():
                print(line, flush=True)
        elif not self._migrated:
            self._migrated = self._migration.is_done()
            if self._migrated:
                self.supervisor.add(self._broker)
        else:
            self._look_whether_ready()

    def _look_after_redis(self) -> None:
        now = time.monotonic()
        if self._redis and now - self._redis_seen_at > _REDIS_CHECK_S:
            self._redis_seen_at = now
            if self._redis.ensure():
                print("redis: was gone and runs again", flush=True)

    def _look_whether_ready(self) -> None:
        waiting_for = not_answering(self._layout)
        if not waiting_for:
            self._ready = True
            self._digest.news()
            _welcome(self._layout)
        elif time.monotonic() - self._begun_at > READY_WITHIN_S:
            raise ConfigError([f"no answer within {READY_WITHIN_S:.0f} s from {waiting_for}"])

    def on_death(self, child: Child, status: int, delay_s: float) -> None:
        """Tell that a process ended; one that cannot start is not tried for ever."""
        deaths = self._deaths[child.name] = self._deaths.get(child.name, 0) + 1
        log = _shown(self._layout.log(child.name))
        if not self._ready and deaths >= DEATHS_BEFORE_READY:
            end = "\n".join(last_lines(self._layout.log(child.name)))
            raise ConfigError([f"{child.name} does not stay up; the end of {log}:\n{end}"])
        # A worker that has done its share of jobs leaves with 0 to make room for a fresh one.
        if status != 0:
            print(
                f"{child.name}: ended ({status}), again in {delay_s:.1f} s; see {log}", flush=True
            )


def _stand_ins(layout: Layout, env: Mapping[str, str]) -> list[Child]:
    folder, port = str(layout.var / "radicale"), str(layout.radicale_port)
    return [
        Child(
            "radicale",
            [sys.executable, "-m", "sandbox.radicale", "--folder", folder, "--port", port],
            env,
            layout.log("radicale"),
        ),
        Child(
            "sandbox",
            [*_gunicorn(layout.sandbox_port), "--threads", "16", "sandbox.wsgi:app"],
            env,
            layout.log("sandbox"),
        ),
    ]


def _broker(layout: Layout, env: Mapping[str, str]) -> list[Child]:
    flask = [sys.executable, "-m", "flask", "--app", "wsgi"]
    return [
        Child("web", [*_gunicorn(layout.port), "wsgi:app"], env, layout.log("web")),
        Child("worker", [*flask, "worker"], env, layout.log("worker")),
        Child("clock", [*flask, "clock"], env, layout.log("clock")),
    ]


def _gunicorn(port: int) -> list[str]:
    # Browsers keep connections open, and make some that they do not use yet: whoever pressed
    # Ctrl-C need not wait for them.
    options = ["--config", "gunicorn.conf.py", "--graceful-timeout", "1", "--keep-alive", "5"]
    return [sys.executable, "-m", "gunicorn", *options, "--bind", f"{HOST}:{port}"]


def _turn_logs(folder: Path) -> None:
    """Begin new log files and keep those of the last run beside them."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for path in folder.glob("*.log"):
        path.replace(path.with_suffix(".log.1"))


def _heed_no_signal() -> None:
    # We are stopping. The terminal and make may both say so, and once is enough.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _end_with_make() -> None:
    # Whoever kills make with -9 means us too. Without make, as under nohup, we outlive a parent.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, int(signal.SIGTERM))


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _welcome(layout: Layout) -> None:
    print(
        f"""ready: {layout.broker_url}

  partner application  {layout.sandbox_url}/   press "Connect your calendar"
  switch faults        {layout.sandbox_url}/sandbox
  health               {layout.broker_url}/health
  sign in at Google    ada@calbroker.test, grace@..., alan@..., password "sandbox"
  sign in at iCloud    ada@icloud.calbroker.test, password "abcd-efgh-ijkl-mnop"
  sign in by CalDAV    http://{HOST}:{layout.radicale_port}/, user "ada", password "sandbox"
  sign in at Exchange  ada@{COMPANY}, password "sandbox"
  log files            {_shown(layout.var / "log")}/   warnings are shown here
  stop                 Ctrl-C
""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main(arguments=sys.argv[1:]))
