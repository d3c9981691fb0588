"""Settings: read from the environment once, every problem listed at once."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from broker.errors import ConfigError

GOOGLE_ENDPOINTS = {
    "authorize": "https://accounts.google.com/o/oauth2/v2/auth",
    "token": "https://oauth2.googleapis.com/token",
    "revoke": "https://oauth2.googleapis.com/revoke",
    "jwks": "https://www.googleapis.com/oauth2/v3/certs",
    "calendar": "https://www.googleapis.com/calendar/v3",
}
_USUAL_PORTS = {"https": 443, "http": 80}
ICLOUD = "https://caldav.icloud.com"
ICLOUD_HOSTS = re.compile(r"(?:p[0-9]{1,3}-)?caldav\.icloud\.com")
CHINA_HOSTS = re.compile(r"(?:p[0-9]{1,3}-)?caldav\.icloud\.com\.cn")
_MAKE_KEYS = "run `flask keys new` and copy what it prints"


@dataclass(frozen=True, slots=True)
class GoogleSettings:
    """Our client at Google and where Google is. *endpoints* has the keys of GOOGLE_ENDPOINTS."""

    client_id: str
    client_secret: str = field(repr=False)
    endpoints: Mapping[str, str] = field(default_factory=lambda: dict(GOOGLE_ENDPOINTS))


@dataclass(frozen=True, slots=True)
class AppleSettings:
    """Where iCloud is, and which hosts may be told an app-specific password.

    *hosts* is matched against the whole host name. China's hosts are among them only when
    *caldav_url* names them, because another company runs them. *check_password_shape* keeps
    ordinary Apple passwords from being sent.
    """

    caldav_url: str = ICLOUD
    hosts: re.Pattern[str] = ICLOUD_HOSTS
    check_password_shape: bool = True

    def trusts(self, url: str) -> bool:
        """Tell whether *url* may be told the password: host, scheme and port are exactly ours."""
        try:
            ours, theirs = urlsplit(self.caldav_url), urlsplit(url)
            ports = ours.port, theirs.port
        except ValueError:
            return False
        host = theirs.hostname or ""
        if theirs.username is not None or "\\" in url or not host:
            return False
        if theirs.scheme == "https" and ports[1] in {None, 443}:
            rule = CHINA_HOSTS if CHINA_HOSTS.fullmatch(ours.hostname or "") else self.hosts
            if rule.fullmatch(host):
                return True
        if is_loopback(ours.hostname):
            return theirs.scheme == ours.scheme and is_loopback(host)
        return (theirs.scheme, host, ports[1]) == (ours.scheme, ours.hostname, ports[0])


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that differs between deployments.

    *key_ring* maps names to 256-bit keys, the current one first. *google* is None when Google
    is not configured, and then it is not offered. *allowed_hosts* are host names and address
    ranges inside the operator's network that typed-in addresses may reach all the same.
    *trusted_proxies* counts the proxies in front of us that set X-Forwarded-*.
    """

    public_url: str
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    secret_key: bytes = field(repr=False)
    digest_key: bytes = field(repr=False)
    key_ring: Mapping[str, bytes] = field(repr=False)
    local: bool = False
    google: GoogleSettings | None = None
    apple: AppleSettings = AppleSettings()
    allowed_hosts: tuple[str, ...] = ()
    egress_proxy_url: str | None = field(default=None, repr=False)
    extra_ca_file: Path | None = None
    trusted_proxies: int = 0
    privacy_url: str = ""
    terms_url: str = ""
    support_url: str = ""
    poll_seconds: int = 300
    retention_days: int = 30
    requests_per_second: int = 50
    requests_per_minute: int = 500

    @property
    def secure(self) -> bool:
        """Tell whether people reach us over https."""
        return self.public_url.startswith("https://")

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read the settings from *env*.

        Raises ConfigError, which lists every problem with the way to mend it.
        """
        reader = _Reader(env)
        local = env.get("CALBROKER_LOCAL", "") == "1"
        public_url = reader.url("PUBLIC_URL", local=local)
        settings = cls(
            public_url=public_url,
            database_url=database_url(reader.required("DATABASE_URL", "the database to use")),
            redis_url=reader.required("REDIS_URL", "the Redis server to use"),
            secret_key=reader.key("SECRET_KEY"),
            digest_key=reader.key("DIGEST_KEY"),
            key_ring=reader.ring("KEY_RING"),
            local=local,
            google=reader.google(),
            apple=reader.apple(local=local),
            allowed_hosts=tuple(env.get("ALLOWED_HOSTS", "").replace(",", " ").split()),
            egress_proxy_url=env.get("EGRESS_PROXY_URL") or None,
            extra_ca_file=reader.file("EXTRA_CA_FILE"),
            trusted_proxies=reader.number("TRUSTED_PROXIES", 0, least=0),
            privacy_url=env.get("PRIVACY_URL", ""),
            terms_url=env.get("TERMS_URL", ""),
            support_url=env.get("SUPPORT_URL", ""),
            poll_seconds=reader.number("POLL_SECONDS", 300, least=1 if local else 60),
            retention_days=reader.number("RETENTION_DAYS", 30, least=0),
            requests_per_second=reader.number("REQUESTS_PER_SECOND", 50, least=1),
            requests_per_minute=reader.number("REQUESTS_PER_MINUTE", 500, least=1),
        )
        if reader.problems:
            raise ConfigError(reader.problems)
        return settings


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


class _Reader:
    """Reads one environment and collects what is wrong with it."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.problems: list[str] = []

    def required(self, name: str, meaning: str) -> str:
        value = self.env.get(name, "").strip()
        if not value:
            self.problems.append(f"{name} is not set: {meaning}")
        return value

    def url(self, name: str, *, local: bool) -> str:
        value = self.required(name, "the address under which people and applications reach us")
        if not value:
            return value
        try:
            parts = urlsplit(value)
            usual = parts.port == _USUAL_PORTS.get(parts.scheme)
        except ValueError:
            self.problems.append(f"{name} is not an address")
            return value
        bare = parts.hostname and parts.username is None and not parts.path.strip("/")
        if local and not is_loopback(parts.hostname):
            self.problems.append(
                f"CALBROKER_LOCAL=1 with {name}={value}: local mode has a well-known application "
                "secret and works on this machine only; unset CALBROKER_LOCAL"
            )
        elif not local and parts.scheme != "https":
            self.problems.append(f"{name} must begin with https:// (only local mode may use http)")
        elif not bare or parts.query or parts.fragment:
            self.problems.append(f"{name} must be scheme and host only, without a path")
        # As browsers write it in the Host header, which is compared with it.
        host = parts.netloc.lower()
        return f"{parts.scheme}://{host.rpartition(':')[0] if usual else host}"

    def key(self, name: str) -> bytes:
        value = self.env.get(name, "").strip()
        if not value:
            self.problems.append(f"{name} is not set: {_MAKE_KEYS}")
            return b""
        return self._decoded(name, value)

    def ring(self, name: str) -> dict[str, bytes]:
        ring: dict[str, bytes] = {}
        for entry in self.env.get(name, "").replace(",", " ").split():
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

    def number(self, name: str, default: int, *, least: int) -> int:
        text = self.env.get(name, "").strip()
        if not text:
            return default
        if not text.isdecimal() or int(text) < least:
            self.problems.append(f"{name} must be a whole number, {least} or more")
            return default
        return int(text)

    def file(self, name: str) -> Path | None:
        text = self.env.get(name, "").strip()
        if not text:
            return None
        path = Path(text)
        if not path.is_file():
            self.problems.append(f"{name} names no file: {text}")
        return path

    def google(self) -> GoogleSettings | None:
        client_id = self.env.get("GOOGLE_CLIENT_ID", "").strip()
        client_secret = self.env.get("GOOGLE_CLIENT_SECRET", "").strip()
        if bool(client_id) != bool(client_secret):
            self.problems.append("GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET go together: set both")
        if not client_id or not client_secret:
            return None
        endpoints = {
            name: self.env.get(f"GOOGLE_{name.upper()}_URL", "").strip() or url
            for name, url in GOOGLE_ENDPOINTS.items()
        }
        return GoogleSettings(client_id, client_secret, endpoints)

    def apple(self, *, local: bool) -> AppleSettings:
        checks = self.env.get("APPLE_PASSWORD_SHAPE", "").strip() != "0"
        url = self.env.get("APPLE_CALDAV_URL", "").strip() or ICLOUD
        try:
            parts = urlsplit(url)
            fits = parts.port is None or parts.port > 0
        except ValueError:
            parts, fits = urlsplit(""), False
        here = local and is_loopback(parts.hostname)
        if not fits or not parts.hostname or parts.username is not None:
            self.problems.append("APPLE_CALDAV_URL is not an address")
        elif parts.scheme != "https" and not here:
            self.problems.append("APPLE_CALDAV_URL must begin with https://")
        return AppleSettings(url, check_password_shape=checks)
