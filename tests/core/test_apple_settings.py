"""Where iCloud is, read from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.errors import ConfigError
from broker.local_environment import Layout, broker_environment, keep_keys
from broker.settings import Settings


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Give a whole local environment, with *more* in it."""
    layout = Layout.from_env({"VAR_DIR": str(folder)})
    keys = keep_keys(folder / "secrets.json")
    return broker_environment(layout, more, redis_url="unix:///tmp/x", keys=keys)


def production(folder: Path, **more: str) -> dict[str, str]:
    """Give a whole environment of a deployment, with *more* in it."""
    made = environment(folder, **more) | {"PUBLIC_URL": "https://x.example", "CALBROKER_LOCAL": ""}
    made["POLL_SECONDS"] = "300"
    own = ("APPLE_", "GOOGLE_", "DETOURS", "EXTRA_CA_FILE")
    return {name: made[name] for name in made if not name.startswith(own)} | more


def test_make_run_uses_the_stand_in(tmp_path: Path) -> None:
    apple = Settings.from_env(environment(tmp_path)).apple

    assert "http://127.0.0.1:5050/icloud/" == apple.caldav_url
    assert apple.check_password_shape
    assert apple.trusts("http://localhost:5050/icloud/")


def test_a_deployment_uses_apple(tmp_path: Path) -> None:
    apple = Settings.from_env(production(tmp_path)).apple

    assert "https://caldav.icloud.com" == apple.caldav_url
    assert not apple.trusts("http://localhost:5050/icloud/")


def test_shape_check_can_be_switched_off(tmp_path: Path) -> None:
    made = Settings.from_env(production(tmp_path, APPLE_PASSWORD_SHAPE="0")).apple

    assert not made.check_password_shape


@pytest.mark.parametrize(
    "url",
    [
        "http://caldav.icloud.com",
        "http://127.0.0.1:5050/icloud/",
        "caldav.icloud.com",
        "https://",
        "https://ada@caldav.icloud.com",
        "https://caldav.icloud.com:x",
        "ftp://caldav.icloud.com",
    ],
)
def test_wrong_addresses_are_named(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="APPLE_CALDAV_URL"):
        Settings.from_env(production(tmp_path, APPLE_CALDAV_URL=url))
