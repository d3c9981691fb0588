"""The embedded Redis survives what a laptop does to it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from broker import embedded_redis
from broker.embedded_redis import EmbeddedRedis, ping, usable_socket_path
from broker.errors import ConfigError
from tests.local.processes import first_number, is_running, script
from tests.processes.eventually import eventually

pytestmark = pytest.mark.processes

# An owner in a process of its own; with "orphan" the server does not end with it, as on systems
# without PR_SET_PDEATHSIG.
OWNER = """
import signal, sys
from pathlib import Path
from broker import supervisor
from broker.embedded_redis import EmbeddedRedis
if "orphan" in sys.argv:
    supervisor._TRAMPOLINE = "import os, sys; os.execvp(sys.argv[2], sys.argv[2:])"
folder = Path(sys.argv[1])
server = EmbeddedRedis(folder / "valkey", folder / "redis.sock", output=folder / "redis.log")
server.start()
print(server.pid, flush=True)
signal.pause()
"""


def embedded(folder: Path, *, adopt: bool = False) -> EmbeddedRedis:
    return EmbeddedRedis(
        folder / "valkey", folder / "redis.sock", output=folder / "redis.log", adopt=adopt
    )


def client(server: EmbeddedRedis) -> Redis:
    return Redis.from_url(server.url, decode_responses=True)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder; whatever server still holds it afterwards is ended."""
    yield tmp_path
    if (tmp_path / "valkey").exists():
        embedded(tmp_path, adopt=True).close()


def test_restart_keeps_the_keys(folder: Path) -> None:
    with embedded(folder) as server, client(server) as redis:
        redis.set("kept", "yes")

    with embedded(folder) as server, client(server) as redis:
        assert "yes" == redis.get("kept")


def test_killed_server_is_started_again_with_its_keys(folder: Path) -> None:
    with embedded(folder) as server, client(server) as redis:
        redis.set("kept", "yes")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)

        eventually(server.ensure)

        assert "yes" == redis.get("kept")
        assert not server.ensure()


def test_server_is_for_this_user_only_and_not_on_the_network(folder: Path) -> None:
    with embedded(folder) as server, client(server) as redis:
        assert 0o700 == server.socket_path.stat().st_mode & 0o777
        assert "0" == redis.config_get("port")["port"]
        assert "noeviction" == redis.config_get("maxmemory-policy")["maxmemory-policy"]


def test_second_owner_attaches_and_leaves_the_server_alone(folder: Path) -> None:
    with embedded(folder) as first, client(first) as redis:
        with embedded(folder) as second, client(second) as other:
            redis.set("shared", "yes")

            assert second.pid is None
            assert "yes" == other.get("shared")

        assert ping(first.socket_path)


def test_second_owner_takes_over_when_the_first_goes(folder: Path) -> None:
    first, second = embedded(folder), embedded(folder)
    first.start()
    second.start()
    first.close()

    assert second.ensure()

    assert second.pid is not None
    second.close()


def test_server_ends_with_its_killed_owner(folder: Path) -> None:
    with script(OWNER, str(folder), stdout=subprocess.PIPE) as owner:
        pid = first_number(owner)

        owner.kill()
        owner.wait()

        eventually(lambda: not is_running(pid))
        assert not is_running(pid)


def test_start_after_both_were_killed(folder: Path) -> None:
    with script(OWNER, str(folder), stdout=subprocess.PIPE) as owner:
        pid = first_number(owner)
        with client(embedded(folder)) as redis:
            redis.set("kept", "yes")
        owner.kill()
        os.kill(pid, signal.SIGKILL)
        owner.wait()

    with embedded(folder) as server, client(server) as redis:
        assert "yes" == redis.get("kept")


def test_orphan_is_attached_to_and_adopted(folder: Path) -> None:
    with script(OWNER, str(folder), "orphan", stdout=subprocess.PIPE) as owner:
        pid = first_number(owner)
        owner.kill()
        owner.wait()

    with embedded(folder, adopt=True) as server:
        assert server.pid is None
        assert ping(server.socket_path)

    assert not is_running(pid)


def test_missing_package_names_the_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    with pytest.raises(ConfigError, match=r"pip install -r requirements-local\.txt"):
        embedded(folder).start()


def test_long_path_gets_a_short_socket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    long = folder / ("x" * embedded_redis.LONGEST_SOCKET_PATH) / "redis.sock"

    short = usable_socket_path(long)

    assert short == usable_socket_path(long)
    assert short != usable_socket_path(long.with_name("other.sock"))
    assert 0o700 == short.parent.stat().st_mode & 0o777
    assert folder / "redis.sock" == usable_socket_path(folder / "redis.sock")


def test_foreign_folder_for_the_socket_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    long = folder / ("x" * embedded_redis.LONGEST_SOCKET_PATH) / "redis.sock"
    usable_socket_path(long).parent.chmod(0o755)

    with pytest.raises(ConfigError, match="not ours alone"):
        usable_socket_path(long)
