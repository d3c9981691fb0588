"""What surrounds every request: host check, security headers, request id, error pages."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask, Request, Response, g, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest
from werkzeug.routing import BaseConverter

from broker.ids import new_uuid
from broker.logs import request_id
from broker.services.runtime import Runtime
from broker.web import pages
from broker.web.layout import legal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# What is not JSON may be opened by a browser, and lead it on.
_FOR_BROWSERS = {
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# What JSON answers call by its standard name has words of its own on pages.
_WORDED = {
    "temporarily_unavailable": "temporarily_down",
    "too_many_requests": "too_many_begun",
    "server_error": "unexpected",
}
_WITHOUT_COOKIES = ("/v1/", "/oauth/token", "/hooks/", "/health", "/for-it/")
_TRANSPORT_SECURITY = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


class Name(BaseConverter):
    """A part of a path that names something of ours.

    Every id, handle and page token is made of these characters; what has others is no page, and
    never comes near a database: PostgreSQL refuses a NUL.
    """

    regex = "[A-Za-z0-9_.~=-]+"


class Site(Flask):
    """A Flask app without coroutines, which need not be looked for.

    Flask asks each view and each hook in each request whether it is one.
    """

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def install(app: Flask, runtime: Runtime) -> None:
    """Put the frame around every request of *app*."""
    settings = runtime.settings
    expected = urlsplit(settings.public_url).netloc
    everywhere = _EVERYWHERE | (_TRANSPORT_SECURITY if settings.secure else {})

    def before() -> None:
        request_id.set(new_uuid())
        # A probe asks under any name; everyone else under ours, or links would lead elsewhere.
        if request.host != expected and not settings.local and request.path != "/health":
            raise BadRequest

    def after(response: Response) -> Response:
        response.headers.extend(everywhere)
        if response.mimetype != "application/json":
            response.headers.extend(_FOR_BROWSERS)
        if response.mimetype == "text/html":
            response.headers["Content-Security-Policy"] = _policy()
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    app.session_interface = _CookiesOnPages()
    app.before_request(before)
    app.after_request(after)
    app.jinja_env.globals["csp_nonce"] = csp_nonce


class _CookiesOnPages(SecureCookieSessionInterface):
    """Keeps the cookie to pages: what applications and providers call reads and sets none."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if request.path.startswith(_WITHOUT_COOKIES):
            return None
        return super().open_session(app, request)


def always_https(application: WSGIApplication) -> WSGIApplication:
    """Let addresses that we write begin with https, also where TLS ends before us unannounced.

    Clients follow the address of a next page with their token.
    """

    def inner(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.url_scheme"] = "https"
        return application(environ, start_response)

    return inner


def csp_nonce() -> str:
    """Give this answer's nonce for its one style rule."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return str(g.csp_nonce)


def error_page(code: str, status: int) -> ResponseReturnValue:
    """Show the page of an error that no view has dealt with."""
    facts = {"reference": request_id.get() or ""}
    # Whatever takes a form also shows it, or leads to where it is shown.
    here = request.full_path.removesuffix("?") if request.method == "GET" else request.path
    url = here if status == 429 or status >= 500 else None
    code = _WORDED.get(code, code)
    return pages.problem(code, status=status, retry_url=url, facts=facts, legal=legal())


def _policy() -> str:
    """Write the policy of a page (CSP level 3).

    Forms lead to ourselves, and on by redirect only in an attempt to connect, which says where.
    """
    actions = " ".join(["'self'", *g.get("form_targets", [])])
    return (
        "default-src 'none'; "
        f"style-src 'self' 'nonce-{csp_nonce()}'; "
        "script-src 'self'; img-src 'self' https: data:; "
        f"form-action {actions}; frame-ancestors 'none'; base-uri 'none'"
    )
