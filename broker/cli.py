"""The operator's commands, under `flask`."""

from __future__ import annotations

import base64
import os
import secrets
import sys
from typing import NoReturn

import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext
from flask.globals import app_ctx

from broker import cli_applications, cli_authorities, cli_servers, worker
from broker.cli_applications import Told, command
from broker.errors import ConfigError, SealBroken
from broker.ids import new_key
from broker.migrating import db_group
from broker.services import (
    applications,
    connection_doctor,
    doctor,
    health,
    housekeeping,
    keys,
    status,
    subscriptions,
)
from broker.services.runtime import Runtime, current_runtime
from broker.supervisor import Child, Supervisor

_SERVED_BY_FLASK = frozenset({"run", "shell", "routes"})

keys_group = AppGroup("keys", help="Make, rotate and count the keys that seal what we hold.")


def register_commands(app: Flask) -> None:
    """Give `flask` our commands."""
    for ours in (
        *cli_applications.COMMANDS,
        *cli_servers.COMMANDS,
        *cli_authorities.COMMANDS,
        doctor_command,
        diagnosis,
        sync_status,
        clock,
        worker_command,
        keys_group,
        db_group,
    ):
        app.cli.add_command(ours)


def cannot_start(error: ConfigError) -> str:
    """Say for a terminal what is wrong with the environment."""
    problems = "\n".join(f"  - {problem}" for problem in error.problems)
    return (
        f"Calbroker cannot start with these settings:\n{problems}\n"
        "To try it on this machine, `make run` needs no settings."
    )


def needs_settings() -> bool:
    """Tell whether nothing can begin without settings: a server, or a look inside the app.

    Our own commands under `flask` say for themselves what they miss, and some miss nothing.
    """
    context = click.get_current_context(silent=True)
    return context is None or context.info_name in _SERVED_BY_FLASK


def unconfigured(error: ConfigError) -> Flask:
    """Make an app for `flask` that has every command, but can only give help and make keys."""
    app = Flask("calbroker")
    app.extensions = _NothingWired(cannot_start(error))
    register_commands(app)
    return app


class _NothingWired(dict[str, object]):
    """The parts of an app without settings: whoever asks for one ends with the reason."""

    def __init__(self, said: str) -> None:
        super().__init__()
        self._said = said

    def __missing__(self, part: str) -> NoReturn:
        sys.exit(self._said)


@command("doctor", epilog="Example: flask doctor")
@with_appcontext
def doctor_command() -> None:
    """Check this deployment from outside in; exits with 1 when something is wrong."""
    findings = doctor.examine(current_runtime())
    for finding in findings:
        click.echo(f"{'ok  ' if finding.well else 'BAD '} {finding.part}: {finding.text}")
    if not all(finding.well for finding in findings):
        sys.exit(1)


@command("diagnosis", epilog="Example: flask diagnosis ABCD-EFGH")
@click.argument("code")
@with_appcontext
def diagnosis(code: str) -> None:
    """Show what the connection doctor found, by the code on a person's page.

    When all went well nobody was shown a code: the id of the profile or connection does as well.
    """
    is_id = code.startswith(("pro_", "con_"))
    look = connection_doctor.find_of if is_id else connection_doctor.find
    found = look(current_runtime(), code)
    if found is None:
        raise click.ClickException("no such code, or it is older than 30 days")
    click.echo(f"{found.code}  {found.at:%Y-%m-%d %H:%M:%SZ}  {found.provider}")
    click.echo(f"outcome    {found.reason or 'connected'}")
    for item in found.findings:
        spent = f"{item.milliseconds} ms" if item.milliseconds else ""
        click.echo(f"{item.step:<10} {item.state:<12} {item.host} {spent}".rstrip())
    for step in found.steps:
        click.echo(f"    {'  '.join(step.details())}")


@command("sync-status", epilog="Example: flask sync-status")
@with_appcontext
def sync_status() -> None:
    """Show every connection: how fresh it is, what is next, and why it is not well."""
    for line in status.lines(current_runtime()):
        click.echo(line)


def _runtime_with_its_keys() -> Runtime:
    """Give the runtime. With another's keys it would only write what nobody finds again."""
    runtime = current_runtime()
    health.ensure_canary(runtime)
    state = health.keys(runtime)
    if state != "ok":
        raise click.ClickException(doctor.advice("keys", state))
    return runtime


@command("clock", epilog="Example: flask clock")
@with_appcontext
def clock() -> None:
    """Queue what is due, until stopped."""
    runtime = _runtime_with_its_keys()
    applications.ensure_local(runtime)
    housekeeping.ensure(runtime)
    subscriptions.ensure(runtime)
    worker.tick_until_stopped(app_ctx.app, runtime)


@command("worker", epilog="Example: flask worker --processes 2")
@click.option("--burst", is_flag=True, help="Stop when the queue is empty.")
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many workers to keep up.",
)
@with_appcontext
def worker_command(burst: bool, processes: int) -> None:
    """Run tasks, until stopped."""
    if burst and processes > 1:
        raise click.UsageError("--burst is for one process: the others would be kept up.")
    runtime = _runtime_with_its_keys()
    if processes == 1:
        worker.work(app_ctx.app, runtime, burst=burst)
        return
    one = [sys.executable, "-m", "flask", "--app", "wsgi", "worker"]
    names = (f"worker-{number}" for number in range(1, processes + 1))
    Supervisor([Child(name, one, os.environ) for name in names]).run()


@keys_group.command("new", with_appcontext=False, epilog="Example: flask keys new")
def keys_new() -> None:
    """Print a new set of keys as environment lines. Nothing is stored."""
    name = "k" + secrets.token_hex(3)
    for line in ("SECRET_KEY=", "DIGEST_KEY=", f"KEY_RING={name}:"):
        click.echo(line + base64.urlsafe_b64encode(new_key()).decode().rstrip("="))


@keys_group.command("rotate", cls=Told, epilog="Example: flask keys rotate")
def keys_rotate() -> None:
    """Wrap everything under the first key of KEY_RING. Safe while the service is up."""
    runtime = current_runtime()
    try:
        moved = keys.rotate(runtime)
    except SealBroken as error:
        raise click.ClickException(f"{error}: put the old key back into KEY_RING") from error
    left = sum(
        count for name, count in keys.status(runtime).items() if name != runtime.vault.current
    )
    click.echo(f"{moved} values wrapped anew, {left} left under older keys")
    if left:
        sys.exit(1)


@keys_group.command("status", cls=Told, epilog="Example: flask keys status")
def keys_status() -> None:
    """Count the values under each key."""
    runtime = current_runtime()
    for name, count in keys.status(runtime).items():
        mark = "  (current)" if name == runtime.vault.current else ""
        click.echo(f"{name}  {count}{mark}")
