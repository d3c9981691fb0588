"""The OAuth endpoints that applications call from their servers.

Everything here answers in JSON and is never cached, errors included; what fails for reasons of
ours is answered by `errors`, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from broker.oauth_server.server import OAuthServer, answer

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def blueprint(server: OAuthServer) -> Blueprint:
    """Make the blueprint; its POST endpoints must be exempt from CSRF protection."""
    routes = Blueprint("oauth", __name__)

    def metadata() -> Response:
        return answer(200, server.metadata())

    _add(routes, "/oauth/token", server.token_response, "POST")
    _add(routes, "/oauth/token/revoke", server.revocation_response, "POST")
    _add(routes, "/oauth/revoke", server.revocation_response, "POST")
    _add(routes, "/oauth/introspect", server.introspection_response, "POST")
    _add(routes, "/.well-known/oauth-authorization-server", metadata, "GET", "HEAD")
    routes.register_error_handler(HTTPException, _refused)
    return routes


def _add(routes: Blueprint, path: str, respond: Callable[[], Response], *methods: str) -> None:
    """Route *path*, with or without a final slash.

    Every method is routed, because an unrouted one gets an HTML page.
    """

    def view() -> Response:
        if request.method in methods:
            return respond()
        return _error(405, "invalid_request", "Method not allowed.", ("Allow", ", ".join(methods)))

    routes.add_url_rule(
        path,
        endpoint=path.strip("/.").replace("/", "_"),
        view_func=view,
        methods=_METHODS,
        strict_slashes=False,
        provide_automatic_options=False,
    )


def _refused(error: HTTPException) -> Response:
    return _error(error.code or 400, "invalid_request", error.name)


def _error(status: int, code: str, description: str, *headers: tuple[str, str]) -> Response:
    return answer(status, {"error": code, "error_description": description}, headers)
