"""The operator's commands, each as it is typed."""

from __future__ import annotations

import gc
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis
from sqlalchemy import text

from app import create_app
from broker.cli import keys_group, unconfigured
from broker.cli_applications import Told
from broker.errors import ConfigError
from broker.ids import new_key
from broker.models import db, transaction
from broker.services import health
from broker.settings import Settings
from tests.world import ADA, World, make_settings

ROOT = Path(__file__).parent.parent


def run(world: World, *words: str) -> Result:
    """Type a command."""
    return world.app.test_cli_runner().invoke(args=list(words))


def made(world: World) -> tuple[str, str]:
    """Register an application; gives client id and secret."""
    result = run(world, "app-create", "App", "--redirect-uri", "https://app.example/cb")
    assert result.exit_code == 0, result.output
    found = re.search(r"client_id\s+(\S+)\s+client_secret\s+(\S+)", result.output)
    assert found is not None
    return found[1], found[2]


def test_an_application_is_made_and_its_secret_shown_once(world: World) -> None:
    client_id, secret = made(world)

    listed = run(world, "app-list").output

    assert client_id in listed
    assert "Acme Scheduling" in listed
    assert "    redirect  https://app.example/cb" in listed
    assert secret not in listed


@pytest.mark.parametrize(
    "words", [("--processes", "0"), ("--processes", "-1"), ("--burst", "--processes", "2")]
)
def test_workers_that_would_do_nothing_or_never_end_are_refused(
    world: World, words: tuple[str, ...]
) -> None:
    assert run(world, "worker", *words).exit_code == 2


def test_a_public_application_has_no_secret(world: World) -> None:
    result = run(world, "app-create", "App", "--public", "--redirect-uri", "http://127.0.0.1/cb")

    assert result.exit_code == 0
    assert "none: a public client" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--redirect-uri", "http://app.example/"), "redirect_uri"),
        (("--redirect-uri", "https://app.example/", "--scope", "nonsense"), "nonsense"),
        ((), "--redirect-uri"),
    ],
)
def test_what_cannot_be_registered_is_said(world: World, words: tuple[str, ...], said: str) -> None:
    result = run(world, "app-create", "App", *words)

    assert result.exit_code != 0
    assert said in result.output
    assert "Traceback" not in result.output


def test_secrets_are_added_and_retired(world: World) -> None:
    client_id, first = made(world)

    added = run(world, "secret-add", client_id).output
    too_many = run(world, "secret-add", client_id)
    listed = run(world, "app-list").output
    oldest, newest = re.findall(r"secret +(sec_\w+)", listed[listed.index(client_id) :])[:2]
    retired = run(world, "secret-retire", client_id, oldest)

    assert f"secret_id      {newest}\nclient_secret  " in added
    assert first not in added
    assert too_many.exit_code == 1
    assert "retire one first" in too_many.output
    assert retired.output.strip() == "retired"
    assert run(world, "secret-retire", client_id, oldest).exit_code == 1
    assert run(world, "secret-add", "cli_unknown").exit_code == 1


def test_every_command_explains_itself_with_an_example() -> None:
    app = unconfigured(ConfigError([]))
    ours = [name for name in app.cli.commands if name not in ("db", "keys")]

    for words in (*([name] for name in ours), *(["keys", name] for name in keys_group.commands)):
        said = app.test_cli_runner().invoke(args=[*words, "--help"]).output
        assert f"Example: flask {' '.join(words)}" in said


def test_no_worker_at_all_is_not_a_number_of_workers(world: World) -> None:
    result = run(world, "worker", "--processes", "0")

    assert result.exit_code == 2
    assert "--processes" in result.output


@pytest.mark.parametrize("words", ["app-list", "keys status", "sync-status", "secret-add cli_x"])
def test_a_database_without_tables_is_told_in_a_sentence(world: World, words: str) -> None:
    with world.app.app_context():
        db.drop_all()

    result = run(world, *words.split())

    assert result.exit_code == 1
    assert "flask db upgrade" in result.output
    assert "Traceback" not in result.output


def test_a_redis_that_is_away_is_told_in_a_sentence() -> None:
    def ask() -> None:
        Redis.from_url("unix:///nobody/listens/here.sock").ping()

    result = CliRunner().invoke(Told("worker", callback=ask))

    assert result.exit_code == 1
    assert result.output.startswith("Error: Redis does not answer: check REDIS_URL")


def test_features_are_added_and_removed(world: World) -> None:
    client_id, _ = made(world)

    added = run(world, "feature-add", client_id, "geo")
    listed = run(world, "app-list").output
    removed = run(world, "feature-remove", client_id, "geo")
    unknown = run(world, "feature-add", client_id, "flying")

    assert (added.output, removed.output) == ("added\n", "removed\n")
    # The other is the sandbox's, which has every feature.
    assert listed.count("feature   geo") == 2
    assert run(world, "app-list").output.count("feature   geo") == 1
    assert unknown.exit_code == 1
    assert "flying is none of: geo" in unknown.output
    assert run(world, "feature-add", "cli_x", "geo").exit_code == 1


@pytest.mark.parametrize("words", ["upgrade", "current", "revision none"])
def test_a_database_that_is_away_is_told_at_a_release(tmp_path: Path, words: str) -> None:
    nowhere = f"sqlite:///{tmp_path / 'no such folder' / 'broker.db'}"
    app = create_app(make_settings(tmp_path, database_url=nowhere))

    result = app.test_cli_runner().invoke(args=["db", *words.split()])

    assert result.exit_code == 1
    assert "check DATABASE_URL" in result.output
    assert "Traceback" not in result.output


def test_redirect_uris_are_added(world: World) -> None:
    client_id, _ = made(world)

    assert run(world, "redirect-add", client_id, "https://app.example/b").exit_code == 0
    refused = run(world, "redirect-add", client_id, "http://app.example/")
    assert refused.exit_code == 1
    assert "https" in refused.output


def test_the_state_of_every_connection_is_shown_by_ids_only(world: World) -> None:
    world.connected(ADA)
    world.work()

    output = run(world, "sync-status").output

    assert re.search(r"con_\w+  google  ok  last success 0 s ago", output)
    assert output.count("cal_") >= 3
    assert ADA not in output
    assert run(world, "sync-status").exit_code == 0


def test_keys_are_made_without_any_settings() -> None:
    """The command that the list of problems points to must work while they exist."""
    app = unconfigured(ConfigError(["SECRET_KEY is not set"]))

    result = app.test_cli_runner().invoke(args=["keys", "new"])

    assert result.exit_code == 0
    env = dict(line.split("=", 1) for line in result.output.split())
    more = {
        "PUBLIC_URL": "https://b.example",
        "DATABASE_URL": "sqlite://",
        "REDIS_URL": "redis://r",
    }
    assert Settings.from_env(env | more).secure


def test_keys_are_counted_and_rotated(world: World) -> None:
    world.connected(ADA)
    world.work()

    counted = run(world, "keys", "status")
    rotated = run(world, "keys", "rotate")

    assert re.search(r"k1  \d+  \(current\)", counted.output)
    assert rotated.output.strip() == "0 values wrapped anew, 0 left under older keys"


def test_a_rotation_without_the_old_key_says_what_to_do(world: World, tmp_path: Path) -> None:
    world.connected(ADA)
    other = World(tmp_path, key_ring={"k2": new_key()}, digest_key=world.settings.digest_key)

    result = run(other, "keys", "rotate")
    other.close()

    assert result.exit_code == 1
    assert "put the old key back" in result.output
    assert "Traceback" not in result.output


def test_the_doctor_examines_every_part(world: World) -> None:
    with world.app.app_context():
        health.ensure_canary(world.runtime)

    result = run(world, "doctor")

    assert result.output.count("ok  ") + result.output.count("BAD ") == len(
        result.output.strip().splitlines()
    )
    assert result.exit_code == (1 if "BAD " in result.output else 0)
    assert "sandbox-google-secret" not in result.output


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"digest_key": new_key()}, "DIGEST_KEY"), ({"key_ring": {"k1": new_key()}}, "KEY_RING")],
)
def test_another_databases_keys_are_named_and_nothing_starts(
    world: World, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    """Otherwise every token is unknown and every calendar is found for the first time."""
    with world.app.app_context():
        health.ensure_canary(world.runtime)
    own = {name: getattr(world.settings, name) for name in ("digest_key", "key_ring")}
    other = World(tmp_path, **own | changed)

    for words in (("clock",), ("worker", "--burst"), ("doctor",)):
        result = run(other, *words)

        assert (result.exit_code, said in result.output) == (1, True), result.output
        assert "Traceback" not in result.output
    with other.app.app_context():
        health.ensure_canary(other.runtime)
        assert health.check(other.runtime)["keys"] != "ok"
    other.close()
    with world.app.app_context():
        assert health.check(world.runtime)["keys"] == "ok"


def test_a_database_from_before_the_digest_canary_gets_one(world: World) -> None:
    with world.app.app_context():
        health.ensure_canary(world.runtime)
        with transaction() as session:
            session.execute(text("DELETE FROM key_canaries WHERE name = 'digest'"))
        assert health.check(world.runtime)["keys"] == "ok"

        health.ensure_canary(world.runtime)

    assert world.count("key_canaries") == 2


def flask(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the real command in an environment of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *words],
        cwd=ROOT,
        env={**kept, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_without_settings_flask_makes_keys_and_gives_help() -> None:
    keys, listed = flask("keys", "new"), flask("--help")

    assert keys.returncode == 0, keys.stderr
    assert keys.stdout.count("=") == 3
    assert listed.returncode == 0
    assert "app-create" in listed.stdout


def test_without_settings_the_real_command_says_what_is_missing() -> None:
    upgraded = flask("db", "upgrade")

    assert upgraded.returncode == 1
    for name in ("PUBLIC_URL", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "KEY_RING"):
        assert f"  - {name} is not set" in upgraded.stderr
    assert "Traceback" not in upgraded.stderr


@pytest.mark.parametrize("words", ["run --port 6999", "run --debug --port 6999", "routes"])
def test_without_settings_flask_serves_nothing(words: str) -> None:
    refused = flask(*words.split())

    assert refused.returncode == 4
    assert "  - PUBLIC_URL is not set" in refused.stderr
    assert "make run" in refused.stderr
    assert "Serving" not in refused.stdout
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    "words",
    [
        "doctor",
        "app-list",
        "app-create App --redirect-uri https://app.example/cb",
        "secret-add cli_x",
        "secret-retire cli_x sec_x",
        "redirect-add cli_x https://app.example/cb",
        "feature-add cli_x geo",
        "feature-remove cli_x geo",
        "diagnosis ABC",
        "authority-add mail.example requirements.txt",
        "authority-list",
        "authority-remove mail.example",
        "server-list",
        "server-pin a.example https://a.example/EWS/Exchange.asmx",
        "server-block a.example https://a.example/EWS/Exchange.asmx",
        "server-forget a.example",
        "sync-status",
        "keys status",
        "keys rotate",
        "worker",
        "clock",
        "db upgrade",
        "db current",
    ],
)
def test_without_settings_every_command_says_so_and_fails(words: str) -> None:
    app = unconfigured(ConfigError(["REDIS_URL is not set: the server"]))

    result = app.test_cli_runner().invoke(args=words.split())

    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "  - REDIS_URL is not set: the server" in result.output


def test_gunicorn_gives_up_with_every_problem(tmp_path: Path) -> None:
    """It would start a worker that ends with another status again, for ever."""
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
    result = subprocess.run(
        [*gunicorn, "--bind", f"unix:{tmp_path}/socket", "wsgi:app"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert result.returncode != 0
    assert "Calbroker cannot start" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.count("  - ") >= 6


def test_gunicorn_keeps_the_garbage_collector_off_the_program() -> None:
    settings = runpy.run_path(str(ROOT / "gunicorn.conf.py"))

    try:
        settings["post_worker_init"](None)
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
