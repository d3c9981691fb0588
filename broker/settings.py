"""Settings: read from the environment once, every problem listed at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from broker.environment import Reader, is_loopback
from broker.errors import ConfigError

GOOGLE_ENDPOINTS = {
    "authorize": "https://accounts.google.com/o/oauth2/v2/auth",
    "token": "https://oauth2.googleapis.com/token",
    "revoke": "https://oauth2.googleapis.com/revoke",
    "jwks": "https://www.googleapis.com/oauth2/v3/certs",
    "calendar": "https://www.googleapis.com/calendar/v3",
}
ICLOUD = "https://caldav.icloud.com"
ICLOUD_HOSTS = re.compile(r"(?:p[0-9]{1,3}-)?caldav\.icloud\.com")
CHINA_HOSTS = re.compile(r"(?:p[0-9]{1,3}-)?caldav\.icloud\.com\.cn")
_DAY_S = 24 * 60 * 60
_MILLION = 1_000_000
# A thread and a connection each.
_MOST_STREAMS = 1_000


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
    *detours* says where hosts are in place of DNS, in local mode. *extra_ca_file* names
    authorities to trust beside the usual ones. *redis_certificate_checked* matters for
    `rediss://`; Redis sees ids and counts alone. *trusted_proxies* counts the proxies in front
    of us that set X-Forwarded-*. *exchange_push* says that companies' servers can reach us;
    *listen_streams* is how many answers that stay open each clock may listen to.
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
    detours: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    outgoing_addresses: tuple[str, ...] = ()
    egress_proxy_url: str | None = field(default=None, repr=False)
    extra_ca_file: Path | None = None
    redis_certificate_checked: bool = True
    trusted_proxies: int = 0
    privacy_url: str = ""
    terms_url: str = ""
    support_url: str = ""
    exchange_push: bool = False
    listen_streams: int = 0
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
        reader = Reader(env)
        local = reader.switch("CALBROKER_LOCAL", default=False)
        settings = cls(
            public_url=reader.public_url("PUBLIC_URL", local=local),
            database_url=reader.database("DATABASE_URL"),
            redis_url=reader.redis("REDIS_URL"),
            secret_key=reader.key("SECRET_KEY"),
            digest_key=reader.key("DIGEST_KEY"),
            key_ring=reader.ring("KEY_RING"),
            local=local,
            google=_google(reader, local=local),
            apple=_apple(reader, local=local),
            allowed_hosts=reader.hosts("ALLOWED_HOSTS"),
            detours=reader.detours("DETOURS", local=local),
            outgoing_addresses=reader.ranges("OUTGOING_ADDRESSES"),
            egress_proxy_url=reader.proxy("EGRESS_PROXY_URL"),
            extra_ca_file=reader.certificates("EXTRA_CA_FILE", local=local),
            redis_certificate_checked=reader.switch("REDIS_CERTIFICATE_CHECK", default=True),
            trusted_proxies=reader.number("TRUSTED_PROXIES", 0, least=0, most=10),
            privacy_url=reader.link("PRIVACY_URL"),
            terms_url=reader.link("TERMS_URL"),
            support_url=reader.link("SUPPORT_URL", mail=True),
            exchange_push=reader.switch("EXCHANGE_PUSH", default=False),
            listen_streams=reader.number("LISTEN_STREAMS", 0, least=0, most=_MOST_STREAMS),
            poll_seconds=reader.number("POLL_SECONDS", 300, least=1 if local else 60, most=_DAY_S),
            retention_days=reader.number("RETENTION_DAYS", 30, least=0, most=3650),
            requests_per_second=reader.number("REQUESTS_PER_SECOND", 50, least=1, most=_MILLION),
            requests_per_minute=reader.number("REQUESTS_PER_MINUTE", 500, least=1, most=_MILLION),
        )
        if reader.problems:
            raise ConfigError(reader.problems)
        return settings


def _google(reader: Reader, *, local: bool) -> GoogleSettings | None:
    client_id, client_secret = reader.text("GOOGLE_CLIENT_ID"), reader.text("GOOGLE_CLIENT_SECRET")
    if bool(client_id) != bool(client_secret):
        reader.problems.append("GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET go together: set both")
    if not client_id or not client_secret:
        return None
    endpoints = {
        name: reader.remote(f"GOOGLE_{name.upper()}_URL", url, local=local)
        for name, url in GOOGLE_ENDPOINTS.items()
    }
    return GoogleSettings(client_id, client_secret, endpoints)


def _apple(reader: Reader, *, local: bool) -> AppleSettings:
    checks = reader.switch("APPLE_PASSWORD_SHAPE", default=True)
    url = reader.remote("APPLE_CALDAV_URL", ICLOUD, local=local)
    return AppleSettings(url, check_password_shape=checks)
