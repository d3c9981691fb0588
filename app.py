"""Calbroker's application factory: the only place where the parts are wired.

`python app.py` runs everything on this machine; see broker/local.py.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from flask import Flask
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from redis import Redis
from werkzeug.middleware.proxy_fix import ProxyFix

from broker import local, models
from broker.addresses import AddressPolicy
from broker.cli import register_commands
from broker.clock import Clock, SystemClock
from broker.crypto import Vault
from broker.http import Http
from broker.oauth_server.server import OAuthServer
from broker.providers import configured
from broker.queues import RqQueue, TaskQueue
from broker.services import disconnect, profiles
from broker.services.host_authorities import HostAuthorities
from broker.services.limits import Limits
from broker.services.runtime import Runtime
from broker.settings import Settings
from broker.web import api, connect, errors, frame, health, hooks, it_links, oauth, translations

ROOT = Path(__file__).parent
BODY_CAP_BYTES = 1024 * 1024
CLIENT_FAILURES = 20
CLIENT_FAILURES_PER = timedelta(minutes=5)


def create_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    http: Http | None = None,
    redis: Redis | None = None,
    queue: TaskQueue | None = None,
) -> Flask:
    """Wire a broker for these settings; what is given replaces the real part."""
    app = frame.Site("calbroker", root_path=str(ROOT))
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=_engine_options(settings),
        MAX_CONTENT_LENGTH=BODY_CAP_BYTES,
        MAX_FORM_MEMORY_SIZE=BODY_CAP_BYTES,
        SESSION_COOKIE_NAME="__Host-calbroker" if settings.secure else "calbroker",
        SESSION_COOKIE_SECURE=settings.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        # Pages send no referrer, which the strict check would demand; the token stays required.
        WTF_CSRF_SSL_STRICT=False,
    )
    runtime = _runtime(settings, clock or SystemClock(), http, redis, queue)
    app.extensions["calbroker"] = runtime
    authorities = HostAuthorities(runtime.vault, runtime.clock, app.app_context)
    runtime.http.trust.authorities = authorities
    app.url_map.converters["default"] = frame.Name
    # A redirect would cost some clients their body or their Authorization header.
    app.url_map.merge_slashes = False
    models.install(app, runtime.clock)
    _register(app, runtime)
    # Flask's own way of putting something around an app is to assign over a method.
    if settings.secure:
        app.wsgi_app = frame.always_https(app.wsgi_app)  # type: ignore[method-assign, assignment]
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=count
        )
    return app


def _engine_options(settings: Settings) -> dict[str, object]:
    # Errors end in logs, and parameters may be what somebody typed. The connection used last
    # has the warmest caches.
    options: dict[str, object] = {"hide_parameters": True, "pool_use_lifo": True}
    if settings.database_url.startswith("sqlite"):
        return options
    # Transactions begin where models/engines says so. No prepared statements: one that a
    # migration makes invalid would fail until its connection ends, and some poolers lose them.
    wanted = {"connect_timeout": 5, "autocommit": True, "prepare_threshold": None}
    return options | {"pool_pre_ping": True, "pool_size": 10, "connect_args": wanted}


def _runtime(
    settings: Settings,
    clock: Clock,
    http: Http | None,
    redis: Redis | None,
    queue: TaskQueue | None,
) -> Runtime:
    vault = Vault(settings.key_ring, settings.digest_key)
    redis = redis or _redis(settings)
    http = http or Http(
        clock,
        policy=AddressPolicy(settings.allowed_hosts, detours=settings.detours),
        proxy_url=settings.egress_proxy_url,
        ca_file=str(settings.extra_ca_file) if settings.extra_ca_file else None,
    )
    limits = Limits(settings, vault, clock, redis)
    server = OAuthServer(
        settings,
        vault,
        clock,
        describe_profile=lambda profile: profiles.linking_profile(runtime, profile),
        on_grants_revoked=lambda session, account_ids: disconnect.note_grants_revoked(
            clock, settings.retention_days, session, account_ids
        ),
        spend=limits.spend,
        throttle=limits.throttle(limit=CLIENT_FAILURES, per=CLIENT_FAILURES_PER),
    )
    runtime = Runtime(
        settings=settings,
        clock=clock,
        vault=vault,
        http=http,
        queue=queue or RqQueue(redis),
        redis=redis,
        limits=limits,
        providers=configured(http, clock, settings),
        oauth=server,
    )
    return runtime


def _redis(settings: Settings) -> Redis:
    if settings.redis_certificate_checked or not settings.redis_url.startswith("rediss:"):
        return Redis.from_url(settings.redis_url)
    return Redis.from_url(settings.redis_url, ssl_cert_reqs="none", ssl_check_hostname=False)


def _register(app: Flask, runtime: Runtime) -> None:
    csrf = CSRFProtect(app)
    blueprints = [
        connect.blueprint(),
        it_links.blueprint(),
        oauth.blueprint(runtime.oauth),
        api.blueprint(),
        hooks.blueprint(),
        health.blueprint(),
    ]
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    # Applications and providers bring tokens and secrets of their own, never our cookie.
    for blueprint in blueprints[2:]:
        csrf.exempt(blueprint)
    translations.install(app)
    frame.install(app, runtime)
    errors.register(app, page=frame.error_page)
    app.register_error_handler(CSRFError, lambda _error: frame.error_page("page_expired", 400))
    register_commands(app)


if __name__ == "__main__":
    sys.exit(local.main(arguments=sys.argv[1:]))
