"""What clients send to our endpoints: forms (RFC 6749) and, from most SDKs, JSON."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Payload, OAuth2Request
from flask import Request
from werkzeug.datastructures import MultiDict

BODY_LIMIT_BYTES = 32 * 1024
VALUE_LIMIT = 4096
FIELD_LIMIT = 64

# Every field that is read at any endpoint. SDKs send along whatever their caller had at hand.
_READ = frozenset(
    {
        "callback_url",
        "client_id",
        "client_secret",
        "code",
        "code_verifier",
        "grant_type",
        "redirect_uri",
        "refresh_token",
        "scope",
        "sub",
        "token",
    }
)

# Authlib wants to see https. Settings have made sure of it for what people reach; behind a
# proxy, and in local mode, the hop to us is plain.
_SECURE_URI = "https://broker.invalid/"


class _Repeated(ValueError):
    """A JSON object names a field twice."""


class Payload(OAuth2Payload):
    """The parameters of one request: *data* one value each, *datalist* all that were sent."""

    def __init__(self, data: dict[str, str], datalist: dict[str, list[str]] | None = None) -> None:
        self._data = data
        self._datalist = datalist or {}

    @property
    def data(self) -> dict[str, str]:
        return self._data

    @property
    def datalist(self) -> dict[str, list[str]]:
        return self._datalist


class BodyRequest(OAuth2Request):
    """A POST whose fields are in the body, as a form or as JSON.

    Raises InvalidRequestError when the body cannot be read as fields.
    """

    def __init__(self, request: Request) -> None:
        super().__init__(request.method, _SECURE_URI)
        # Not handed over above, where they are counted: that is a walk through everything.
        self.headers = request.headers
        self._fields = body_fields(request)
        if callback_url := self._fields.get("callback_url"):
            # Enterprise Connect's name for it; applications use either.
            self._fields.setdefault("redirect_uri", callback_url)
        self.payload = Payload(self._fields)

    @property
    def form(self) -> dict[str, str]:
        return self._fields


class QueryRequest(OAuth2Request):
    """An authorization request, whose parameters are in the query."""

    def __init__(self, args: MultiDict[str, str]) -> None:
        super().__init__("GET", _SECURE_URI)
        given = {name: value for name, value in args.items() if value}
        self.payload = Payload(given, {name: args.getlist(name) for name in args})


def body_fields(request: Request) -> dict[str, str]:
    """Read the fields of a request's body; parameters of the query do not count.

    Fields that nobody reads are ignored, whatever they hold. Raises InvalidRequestError for what
    is malformed, repeated, too long or not a string, and werkzeug's RequestEntityTooLarge.
    """
    request.max_content_length = BODY_LIMIT_BYTES
    body = request.get_data(cache=False)
    if not body.strip():
        return {}
    if request.mimetype == "application/json":
        fields = _json_fields(body)
    elif request.mimetype == "application/x-www-form-urlencoded":
        fields = _form_fields(body)
    else:
        raise InvalidRequestError("The body must be a form or JSON.")
    if any(not _is_clean(value) for value in fields.values()):
        raise InvalidRequestError("A field is too long or holds characters that it must not.")
    return fields


def _form_fields(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FIELD_LIMIT,
        )
    except ValueError as error:
        raise InvalidRequestError("The form cannot be read.") from error
    if len({name for name, _ in pairs}) != len(pairs):
        raise InvalidRequestError("A field is repeated.")
    return {name: value for name, value in pairs if value and name in _READ}


def _json_fields(body: bytes) -> dict[str, str]:
    try:
        content = _DECODER.decode(body.decode("utf-8"))
    except _Repeated as error:
        raise InvalidRequestError("A field is repeated.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError("The JSON cannot be read.") from error
    if content == []:  # PHP's way to write an empty object
        return {}
    if not isinstance(content, dict) or len(content) > FIELD_LIMIT:
        raise InvalidRequestError("The body must be a JSON object.")
    read = ((name, value) for name, value in content.items() if name in _READ)
    return {name: text for name, value in read if (text := _text(value))}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _Repeated
    return fields


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    raise InvalidRequestError("A field is not a string.")


def _is_clean(value: str) -> bool:
    """Refuse what the database could not store: NUL, and halves of surrogate pairs."""
    if len(value) > VALUE_LIMIT or "\x00" in value:
        return False
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)
