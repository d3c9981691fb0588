"""Examining a deployment from outside in, for its operator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from redis.exceptions import RedisError

from broker.errors import BrokerError
from broker.http import Call
from broker.providers.base import OAuthProvider
from broker.services import health, host_authorities, keys
from broker.services.runtime import Runtime

AUTHORITY_ENDS_SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one part, in words that say what to do when it is not well."""

    part: str
    well: bool
    text: str


def examine(runtime: Runtime) -> list[Finding]:
    """Check public address, proxies, providers, processes, Redis, database, and what is in it."""
    findings = [_public_url(runtime), _mode(runtime)]
    if findings[0].well:
        findings += _proxies(runtime)
    findings += _providers(runtime)
    parts = health.check(runtime)
    for part, state in parts.items():
        findings.append(
            Finding(part, state == "ok", state if state == "ok" else advice(part, state))
        )
    if parts["redis"] == "ok":
        findings.append(_redis_policy(runtime))
    if parts["database"] == "ok":
        findings += [_key_use(runtime), *_authorities(runtime)]
    return findings


def _public_url(runtime: Runtime) -> Finding:
    """Ask ourselves from outside: this goes through DNS, TLS and every proxy."""
    settings = runtime.settings
    part = "public address"
    try:
        url = f"{settings.public_url}/.well-known/oauth-authorization-server"
        answer = runtime.http.call(Call("broker", "doctor", "GET", url))
        issuer = answer.json("broker", "doctor").get("issuer")
    except (BrokerError, AttributeError):
        return Finding(part, False, f"{settings.public_url} does not answer: check DNS, TLS, proxy")
    if issuer != settings.public_url:
        return Finding(part, False, f"{settings.public_url} is answered by another server")
    return Finding(part, True, settings.public_url)


def _mode(runtime: Runtime) -> Finding:
    settings = runtime.settings
    if settings.local:
        return Finding("mode", True, "local: for this machine only")
    return Finding("mode", True, "production")


def _proxies(runtime: Runtime) -> list[Finding]:
    """Compare the proxies that we went through with the settings, in and out."""
    settings = runtime.settings
    found = []
    if settings.egress_proxy_url:
        host = urlsplit(settings.egress_proxy_url).hostname
        found.append(Finding("egress proxy", True, f"calls go out through {host}"))
    try:
        call = Call("broker", "doctor", "GET", f"{settings.public_url}/health")
        seen = runtime.http.call(call).json("broker", "doctor").get("forwarded")
    except (BrokerError, AttributeError):
        seen = None
    if not isinstance(seen, int):
        text = "the public address does not tell how many proxies it has; is it this version?"
        return [*found, Finding("trusted proxies", False, text)]
    trusted = settings.trusted_proxies
    text = f"{trusted}, as many as there are"
    if seen > trusted:
        text = f"{trusted}, but there are {seen}: everybody has the same address; "
    elif seen < trusted:
        text = f"{trusted}, but there are {seen}: anybody can pretend to have any address; "
    advice = "" if seen == trusted else f"set TRUSTED_PROXIES={seen}"
    return [*found, Finding("trusted proxies", seen == trusted, text + advice)]


def _providers(runtime: Runtime) -> list[Finding]:
    findings = []
    for slug, provider in runtime.providers.items():
        text = "offered"
        if isinstance(provider, OAuthProvider):
            callback = f"{runtime.settings.public_url}/connect/{slug}/callback"
            text = f"offered; register this redirect URI there: {callback}"
        findings.append(Finding(slug, True, text))
    if "google" not in runtime.providers:
        callback = f"{runtime.settings.public_url}/connect/google/callback"
        text = (
            f"not offered: to offer it, register this redirect URI there: {callback}, and set "
            "GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET"
        )
        findings.append(Finding("google", True, text))
    return findings


def _redis_policy(runtime: Runtime) -> Finding:
    """A Redis that evicts keys loses queued work; the clock would bring it back, late."""
    part = "redis policy"
    try:
        found = runtime.redis.config_get("maxmemory-policy")
        policy = str(found.get("maxmemory-policy", ""))
    except (RedisError, OSError):
        return Finding(part, True, "not shown by this server; it should be noeviction")
    text = policy if policy == "noeviction" else f"{policy}: set maxmemory-policy to noeviction"
    return Finding(part, policy == "noeviction", text)


def _key_use(runtime: Runtime) -> Finding:
    used = keys.status(runtime)
    missing = [name for name in used if name not in runtime.vault.key_names]
    if missing:
        text = f"values under keys that KEY_RING lacks: {', '.join(missing)}"
        return Finding("key ring", False, text)
    old = sum(count for name, count in used.items() if name != runtime.vault.current)
    text = "all values under the current key" if not old else f"{old} values under older keys"
    return Finding("key ring", True, text + ("" if not old else ": run `flask keys rotate`"))


def _authorities(runtime: Runtime) -> list[Finding]:
    """Tell which hosts' own authorities have run out, or soon will."""
    found, now = [], runtime.clock.now()
    for one in host_authorities.listed(runtime):
        until = one.authority.expires_at
        well = until - now > AUTHORITY_ENDS_SOON
        text = f"{one.host} until {until:%Y-%m-%d}"
        if not well:
            ends = "ran out on" if until <= now else "runs out on"
            text = (
                f"the one of {one.host} {ends} {until:%Y-%m-%d}: get its successor from their IT "
                f"department and run `flask authority-add {one.host} FILE`"
            )
        found.append(Finding("authority", well, text))
    return found


def advice(part: str, state: str) -> str:
    """Give what an operator has to do about a part that is in this state."""
    by_state = {
        health.DIGEST_STATE: "DIGEST_KEY is not the one that this database was made with: put it "
        "back, or every token, login and calendar in it is unknown",
        health.UNKNOWN: "not known: see to the database first",
    }
    by_part = {
        "database": "not answering: check DATABASE_URL and run `flask db upgrade`",
        "redis": "not answering: check REDIS_URL, and for rediss:// REDIS_CERTIFICATE_CHECK; "
        "without it nothing is synced, nor lost",
        "keys": "KEY_RING does not open this database: bring back the keys it was made with",
        "worker": "no worker seen lately: start `flask worker`",
        "clock": "no clock seen lately: start `flask clock`",
    }
    return by_state.get(state) or by_part.get(part, "not well")
