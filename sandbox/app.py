"""The sandbox as one WSGI application: partner and switches at /, each provider at its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from flask import Flask, Response, abort, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from sandbox import exchange, google, home, icloud, partner
from sandbox.icloud.seed import PASSWORD
from sandbox.partner.broker import Broker
from sandbox.partner.store import Store
from sandbox.scenarios import Scenarios, StandIn

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# Pages load nothing from elsewhere and run one small script of ours.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Config:
    """Where the broker is, who the partner is there, and where state is kept."""

    folder: Path
    broker_url: str = "http://127.0.0.1:5000"
    client_id: str = "sandbox-app"
    client_secret: str = "sandbox-secret-for-local-use-only"
    exchange_port: int | None = None
    """Where Exchange listens with TLS; None keeps it from listening."""


def create_app(config: Config, *, http: requests.Session | None = None) -> WSGIApplication:
    """Put the sandbox together; *http* replaces the wire to the broker."""
    config.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    google_app = google.create_app(state_file=config.folder / "google.json")
    icloud_app = icloud.create_app(state_file=config.folder / "icloud.json")
    exchange_app = exchange.create_app(state_file=config.folder / "exchange.json")
    if config.exchange_port is not None:
        exchange.listen(exchange_app, config.folder.parent, port=config.exchange_port)
    site = create_site(config, google_app, icloud_app, exchange_app, http=http)
    mounted: dict[str, WSGIApplication] = {
        "/google": google_app.wsgi_app,
        "/icloud": icloud_app.wsgi_app,
        "/exchange": exchange_app.wsgi_app,
    }
    return DispatcherMiddleware(site.wsgi_app, mounted)


def create_site(
    config: Config,
    google_app: Flask,
    icloud_app: Flask | None = None,
    exchange_app: Flask | None = None,
    *,
    http: requests.Session | None = None,
) -> Flask:
    """Make what is at /: the partner application and the switches of the stand-ins given."""
    store = Store(config.folder / "partner.json")
    site = Flask("sandbox", root_path=str(Path(__file__).parent))
    site.config.update(
        SECRET_KEY=store.secret_key,
        # Cookies are shared between the ports of a host: the name keeps clear of the broker's.
        SESSION_COOKIE_NAME="acme_scheduling",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=64 * 1024,
        # A page elsewhere that points its own name at 127.0.0.1 gets nothing.
        TRUSTED_HOSTS=["127.0.0.1", "localhost"],
    )
    stand_ins = [_stand_in("google", "Google", google_app, "sandbox")]
    if icloud_app is not None:
        stand_ins.append(_stand_in("icloud", "iCloud", icloud_app, PASSWORD))
    if exchange_app is not None:
        stand_ins.append(_stand_in("exchange", "Exchange", exchange_app, "sandbox"))
    site.extensions |= {
        "scenarios": Scenarios(stand_ins),
        "partner_store": store,
        "partner_broker": Broker(config.broker_url, config.client_id, config.client_secret, http),
    }
    site.register_blueprint(partner.blueprint)
    site.register_blueprint(home.blueprint)
    site.before_request(_same_origin)
    site.after_request(_protect)
    site.add_url_rule("/health", "health", lambda: {"status": "ok"})
    return site


def _stand_in(name: str, label: str, app: Flask, password: str) -> StandIn:
    world, faults = app.extensions[name].world, app.extensions["faults"]
    return StandIn(name, label, faults, lambda: sorted(world.people), password, app)


def _same_origin() -> None:
    """Refuse forms that another site submits; programs send no Origin."""
    origin = request.headers.get("Origin")
    if request.method not in ("GET", "HEAD") and origin and origin != request.host_url[:-1]:
        abort(403)


def _protect(answer: Response) -> Response:
    answer.headers.setdefault("Content-Security-Policy", _POLICY)
    answer.headers["Referrer-Policy"] = "same-origin"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers.setdefault("Cache-Control", "no-store")
    return answer
