"""Where `make run` keeps things, and the environment that it gives to each process.

What is set already wins: with DATABASE_URL, REDIS_URL or GOOGLE_CLIENT_ID in the environment,
`make run` uses that database, server or Google project in place of its own.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.errors import ConfigError
from broker.settings import GOOGLE_ENDPOINTS

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
LOCAL_POLL_S = 15
COMPANY = "corp.calbroker.test"
"""The mail domain of the sandbox's Exchange."""
HOSTER = "outsider.test"
"""The domain of the hoster that Autodiscover leads to in one of its scenarios."""
_SANDBOX_GOOGLE = {
    "authorize": "/google/o/oauth2/v2/auth",
    "token": "/google/token",
    "revoke": "/google/revoke",
    "jwks": "/google/oauth2/v3/certs",
    "calendar": "/google/calendar/v3",
}
# The "bad ports" of the Fetch standard above those that only root may use.
BLOCKED_BY_BROWSERS = frozenset(
    (1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566)
    + (6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080)
)
_FOR_BROWSERS = frozenset({"PORT", "SANDBOX_PORT"})
_SECRETS = ("SECRET_KEY", "DIGEST_KEY", "KEY_RING")


@dataclass(frozen=True, slots=True)
class Layout:
    """The ports and the folder of one installation on this machine."""

    var: Path
    port: int
    sandbox_port: int
    radicale_port: int
    exchange_port: int

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Layout:
        """Read the ports and VAR_DIR. Raises ConfigError."""
        problems: list[str] = []
        names = {"PORT": 5000, "SANDBOX_PORT": 5050, "RADICALE_PORT": 5051, "EXCHANGE_PORT": 5053}
        ports = {name: _port(env, name, default, problems) for name, default in names.items()}
        if not problems and len(set(ports.values())) < len(ports):
            problems.append(f"{', '.join(ports)} must be different numbers")
        if problems:
            raise ConfigError(problems)
        return cls((ROOT / (env.get("VAR_DIR") or "var")).resolve(), *ports.values())

    def make_folder(self) -> None:
        """Make the folder that everything is kept in. Raises ConfigError."""
        try:
            self.var.mkdir(mode=0o700, parents=True, exist_ok=True)
            why = "" if os.access(self.var, os.W_OK) else "it is not ours to write to"
        except OSError as error:
            why = error.strerror or type(error).__name__
        if why:
            raise ConfigError([f"nothing can be kept in {self.var}: {why}; set VAR_DIR"])

    @property
    def ports(self) -> dict[str, int]:
        """Give each port under the variable that changes it."""
        return {
            "PORT": self.port,
            "SANDBOX_PORT": self.sandbox_port,
            "RADICALE_PORT": self.radicale_port,
            "EXCHANGE_PORT": self.exchange_port,
        }

    @property
    def broker_url(self) -> str:
        """Where people and applications find the broker."""
        return f"http://{HOST}:{self.port}"

    @property
    def sandbox_url(self) -> str:
        """Where the partner application and the stand-ins are."""
        return f"http://{HOST}:{self.sandbox_port}"

    def log(self, name: str) -> Path:
        """Give the file that a process writes to."""
        return self.var / "log" / f"{name}.log"


def broker_environment(
    layout: Layout, env: Mapping[str, str], *, redis_url: str, keys: Mapping[str, str]
) -> dict[str, str]:
    """Give the environment of the broker's own processes."""
    defaults = {
        "CALBROKER_LOCAL": "1",
        "PUBLIC_URL": layout.broker_url,
        "DATABASE_URL": f"sqlite:///{layout.var / 'calbroker.db'}",
        "REDIS_URL": redis_url,
        "ALLOWED_HOSTS": f"{HOST} localhost",
        "DETOURS": " ".join(f"{name}={HOST}:{layout.exchange_port}" for name in (COMPANY, HOSTER)),
        "EXTRA_CA_FILE": str(layout.var / "sandbox-ca.pem"),
        "POLL_SECONDS": str(LOCAL_POLL_S),
        "APPLE_CALDAV_URL": f"{layout.sandbox_url}/icloud/",
        "EXCHANGE_PUSH": "1",
        **keys,
    }
    if not env.get("GOOGLE_CLIENT_ID"):
        defaults |= _sandbox_google(layout)
    # A variable that is set to nothing counts as not set, as it does for the settings.
    return defaults | {name: value for name, value in env.items() if value or name not in defaults}


def sandbox_environment(layout: Layout, env: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of the stand-ins, who get no key of the broker."""
    ours = {
        "BROKER_URL": layout.broker_url,
        "SANDBOX_URL": layout.sandbox_url,
        "VAR_DIR": str(layout.var),
        "EXCHANGE_PORT": str(layout.exchange_port),
    }
    return {name: value for name, value in env.items() if name not in _SECRETS} | ours


def keep_keys(path: Path) -> dict[str, str]:
    """Give the keys kept in *path*; the first time they are made, for this user only.

    Raises ConfigError when the file is damaged: new keys could not open what the old sealed.
    """
    if not path.exists():
        _write_private(path, json.dumps({name: _new_key(name) for name in _SECRETS}, indent=2))
    try:
        kept = json.loads(path.read_text())
        return {name: str(kept[name]) for name in _SECRETS}
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            [f"{path} is damaged: restore it, or begin anew by removing {path.parent}"]
        ) from error


def another_port(port: int) -> int:
    """Give a port to try in place of one that cannot be had."""
    higher = range(max(port, 4900) + 100, 65536, 100)
    return next((found for found in higher if found not in BLOCKED_BY_BROWSERS), 5500)


def _port(env: Mapping[str, str], name: str, default: int, problems: list[str]) -> int:
    text = env.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 0 < int(text) < 65536):
        problems.append(f"{name} must be a port number, not {text!r}")
        return default
    port = int(text)
    if port in BLOCKED_BY_BROWSERS and name in _FOR_BROWSERS:
        problems.append(
            f"browsers refuse to open port {port}: choose another, as in "
            f"`{name}={another_port(port)} make run`"
        )
    return port


def _sandbox_google(layout: Layout) -> dict[str, str]:
    urls = {
        f"GOOGLE_{name.upper()}_URL": layout.sandbox_url + _SANDBOX_GOOGLE[name]
        for name in GOOGLE_ENDPOINTS
    }
    return urls | {
        "GOOGLE_CLIENT_ID": "sandbox-google.apps.googleusercontent.com",
        "GOOGLE_CLIENT_SECRET": "sandbox-google-secret",
    }


def _new_key(name: str) -> str:
    key = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
    return f"local1:{key}" if name == "KEY_RING" else key


def _write_private(path: Path, text: str) -> None:
    """Write a file that is there as a whole or not at all, readable by this user only."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
