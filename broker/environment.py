"""Reading the environment: each variable is checked, and every problem collected in words."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

_USUAL_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)
_MAKE_KEYS = "run `flask keys new` and copy what it prints"
_DRIVERS = frozenset({"postgresql+psycopg", "sqlite"})
_DATABASES = "postgresql://user:password@host/name or sqlite:////path/to/file.db"
_REDIS = "redis://host:6379/0, rediss:// for TLS, or unix:///path/to/socket"


def database_url(url: str) -> str:
    """Name the driver in a database URL; Heroku's `postgres://` is accepted."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name or address literal is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


class Reader:
    """Reads one environment; *problems* says what is wrong with it and how to mend it.

    A problem names its variable and never repeats a value that may hold a password.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        """Give a value without blanks around it; empty when it is not set."""
        return self.env.get(name, "").strip()

    def required(self, name: str, meaning: str) -> str:
        """Give a value that has to be set; *meaning* says what it is for."""
        value = self.text(name)
        if not value:
            self.problems.append(f"{name} is not set: {meaning}")
        return value

    def switch(self, name: str, *, default: bool) -> bool:
        """Read 1 or 0."""
        value = self.text(name) or str(int(default))
        if value not in {"0", "1"}:
            self.problems.append(f"{name} must be 1 or 0")
        return value == "1"

    def public_url(self, name: str, *, local: bool) -> str:
        """Read our own address, written as browsers write it in the Host header."""
        value = self.required(name, "the address under which people and applications reach us")
        parts = _split(value)
        if parts is None:
            if value:
                self.problems.append(f"{name} must be an address such as https://broker.example")
            return value
        if local and not is_loopback(parts.hostname):
            self.problems.append(
                f"CALBROKER_LOCAL=1 with {name}={value}: local mode has a well-known application "
                "secret and works on this machine only; unset CALBROKER_LOCAL"
            )
        elif not local and parts.scheme != "https":
            self.problems.append(f"{name} must begin with https:// (only local mode may use http)")
        elif "@" in parts.netloc or parts.path.strip("/") or parts.query or parts.fragment:
            self.problems.append(f"{name} must be scheme and host only, without a path")
        port = "" if parts.port in {None, _USUAL_PORTS.get(parts.scheme)} else f":{parts.port}"
        host = parts.hostname or ""
        return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"

    def database(self, name: str) -> str:
        """Read the address of PostgreSQL, or of a file for SQLite."""
        value = self.required(name, f"the database to use, as {_DATABASES}")
        if not value:
            return value
        try:
            url = make_url(database_url(value))
        except (ArgumentError, ValueError):
            self.problems.append(f"{name} is not the address of a database: write {_DATABASES}")
            return value
        if url.host and not _is_host(url.host):
            self.problems.append(f"{name} names a server that cannot be: write {_DATABASES}")
        elif url.drivername not in _DRIVERS:
            self.problems.append(
                f"{name} names a kind of database that we do not use: {_DATABASES}"
            )
        elif url.drivername == "sqlite" and url.database not in {None, "", ":memory:"}:
            folder = Path(str(url.database)).parent
            if not folder.is_dir():
                self.problems.append(f"{name}: there is no folder {folder}; make it first")
        return database_url(value)

    def redis(self, name: str) -> str:
        """Read the address of a Redis server."""
        value = self.required(name, f"the Redis server to use, as {_REDIS}")
        known = value.startswith("unix:///") or _split(value, schemes=("redis", "rediss"))
        if value and not known:
            self.problems.append(f"{name} is not the address of a Redis server: write {_REDIS}")
        return value

    def link(self, name: str, *, mail: bool = False) -> str:
        """Read the address of a page of the operator; empty when there is none."""
        value = self.text(name)
        is_mail = mail and re.fullmatch(r"mailto:[^@\s]+@[^@\s]+", value)
        if value and not is_mail and _split(value, schemes=("https", "http")) is None:
            too = ", or mailto: and an address" if mail else ""
            self.problems.append(f"{name} must be the address of a web page, https://...{too}")
        return value

    def remote(self, name: str, default: str, *, local: bool) -> str:
        """Read where a provider is: https, or in local mode anything on this machine."""
        value = self.text(name) or default
        parts = _split(value)
        if parts is None or "@" in parts.netloc:
            self.problems.append(f"{name} is not an address such as {default}")
        elif parts.scheme != "https" and not (local and is_loopback(parts.hostname)):
            self.problems.append(f"{name} must begin with https://")
        return value

    def proxy(self, name: str) -> str | None:
        """Read the address of an outgoing proxy, which may hold a password."""
        value = self.text(name)
        if value and _split(value, schemes=("http", "https")) is None:
            self.problems.append(f"{name} must be an address such as http://proxy.internal:3128")
        return value or None

    def hosts(self, name: str) -> tuple[str, ...]:
        """Read host names and address ranges."""
        entries = tuple(self.text(name).replace(",", " ").split())
        for entry in entries:
            if not _is_range(entry) and not _HOST.fullmatch(entry):
                self.problems.append(
                    f"{name}: {entry} is neither a host name (dav.internal) nor a range of "
                    "addresses (10.0.0.0/8)"
                )
        return entries

    def ranges(self, name: str) -> tuple[str, ...]:
        """Read addresses and ranges of addresses, in the way that firewalls are told them."""
        entries = tuple(self.text(name).replace(",", " ").split())
        for entry in entries:
            if not _is_range(entry):
                self.problems.append(
                    f"{name}: {entry} is neither an address (203.0.113.7) nor a range of them "
                    "(203.0.113.0/28)"
                )
        return entries

    def key(self, name: str) -> bytes:
        """Read a key of 256 bits."""
        value = self.text(name)
        if not value:
            self.problems.append(f"{name} is not set: {_MAKE_KEYS}")
            return b""
        return self._decoded(name, value)

    def ring(self, name: str) -> dict[str, bytes]:
        """Read named keys, the current one first."""
        ring: dict[str, bytes] = {}
        for entry in self.text(name).replace(",", " ").split():
            key_name, _, value = entry.partition(":")
            if not key_name.isalnum() or not key_name.isascii() or len(key_name) > 16:
                self.problems.append(f"{name}: each entry is name:key, name of letters and digits")
                continue
            if key_name in ring:
                self.problems.append(f"{name} has two keys called {key_name}")
            ring[key_name] = self._decoded(f"{name} entry {key_name}", value)
        if not ring:
            self.problems.append(f"{name} is not set: {_MAKE_KEYS}")
        return ring

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """Read a whole number within bounds."""
        text = self.text(name) or str(default)
        # Beyond a few thousand digits Python itself refuses.
        if text.isdecimal() and len(text) < 20 and least <= int(text) <= most:
            return int(text)
        self.problems.append(f"{name} must be a whole number from {least} to {most}")
        return default

    def detours(self, name: str, *, local: bool) -> dict[str, tuple[str, int]]:
        """Read where hosts are, in place of DNS: `mail.example=127.0.0.1:5053`."""
        found = {}
        for entry in self.text(name).replace(",", " ").split():
            host, _, place = entry.partition("=")
            address, _, port = place.rpartition(":")
            is_port = port.isascii() and port.isdecimal() and 0 < int(port) < 65536
            if not _HOST.fullmatch(host) or not is_loopback(address) or not is_port:
                self.problems.append(f"{name}: write {entry} as mail.example=127.0.0.1:5053")
            else:
                found[host.lower()] = (address, int(port))
        if found and not local:
            self.problems.append(f"{name} is for local mode only: unset it")
        return found

    def certificates(self, name: str, *, local: bool = False) -> Path | None:
        """Read the place of a file with certificate authorities.

        In local mode it may come later: the sandbox makes it when it starts.
        """
        text = self.text(name)
        if not text:
            return None
        if local and text.isprintable() and not Path(text).exists():
            return Path(text)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(text)
        except ssl.SSLError:
            self.problems.append(f"{name} holds no certificates in PEM form: {text}")
        except (OSError, ValueError):
            self.problems.append(f"{name} names no file that we can read: {text}")
        return Path(text)

    def _decoded(self, name: str, value: str) -> bytes:
        try:
            key = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != 32:
            self.problems.append(f"{name} is not a 256-bit key: {_MAKE_KEYS}")
        elif len(set(key)) < 8:
            self.problems.append(f"{name} looks like an example, not a random key: {_MAKE_KEYS}")
        return key


def _split(value: str, *, schemes: tuple[str, ...] = ("https", "http")) -> SplitResult | None:
    """Take an address apart; None when it is none, or not of these schemes."""
    try:
        parts = urlsplit(value)
        well = parts.scheme in schemes and parts.port != 0
    except ValueError:
        return None
    return parts if well and _is_host(parts.hostname or "") and value.isprintable() else None


def _is_host(text: str) -> bool:
    return bool(_HOST.fullmatch(text)) or (":" in text and _is_range(text))


def _is_range(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
