"""The two kinds of refusal: Calendar API errors and OAuth errors."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Flask, Response


class ApiError(Exception):
    """A Calendar API refusal in Google's envelope."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        domain: str = "global",
        location: tuple[str, str] | None = None,
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        """Take the HTTP status, reason and text; `location` is (locationType, location)."""
        super().__init__(f"{status} {reason}")
        self.status = status
        self.headers = headers or {}
        item: dict[str, Any] = {"domain": domain, "reason": reason, "message": message}
        if location:
            item["locationType"], item["location"] = location
        self.body = {
            "error": {"errors": [item], "code": status, "message": message, **(extra or {})}
        }


class OAuthError(Exception):
    """A refusal of the token or revoke endpoint."""

    def __init__(self, status: int, error: str, description: str | None = None) -> None:
        """Take the HTTP status, the code of RFC 6749 and the text."""
        super().__init__(error)
        self.status = status
        self.body = {"error": error}
        if description:
            self.body["error_description"] = description


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Encode compactly; a page of 2,500 events takes milliseconds."""
    answer = Response(msgspec.json.encode(body), status, content_type="application/json")
    answer.headers["Content-Type"] = "application/json; charset=UTF-8"
    answer.headers.update(headers or {})
    return answer


def invalid(message: str, parameter: str | None = None) -> ApiError:
    """Build the plain 400 `invalid`."""
    return ApiError(
        400, "invalid", message, location=("parameter", parameter) if parameter else None
    )


def not_found() -> ApiError:
    """Build the 404 for what does not exist or may not be seen."""
    return ApiError(404, "notFound", "Not Found")


def bad_credentials() -> ApiError:
    """Build the 401 for an unknown, expired or revoked bearer token."""
    return ApiError(
        401,
        "authError",
        "Invalid Credentials",
        location=("header", "Authorization"),
        headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"'},
    )


def register(app: Flask) -> None:
    """Answer both kinds as JSON, whichever blueprint raised them."""

    @app.errorhandler(ApiError)
    def refuse(error: ApiError) -> Response:
        return json_response(error.body, error.status, error.headers)

    @app.errorhandler(OAuthError)
    def refuse_token(error: OAuthError) -> Response:
        return json_response(error.body, error.status, {"Cache-Control": "no-store"})
