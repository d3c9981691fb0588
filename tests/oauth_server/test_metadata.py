"""The metadata document tells the truth (RFC 8414)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from flask.testing import FlaskClient

from broker.oauth_server import metadata, scopes
from tests.oauth_server.partner import ISSUER, Partner, error_of, make_settings

PATH = "/.well-known/oauth-authorization-server"


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    answer = client.get(PATH)
    assert answer.content_type == "application/json; charset=utf-8"
    assert isinstance(answer.json, dict)
    return answer.json


def test_document_is_valid(document: dict[str, Any]) -> None:
    AuthorizationServerMetadata(document).validate()

    assert ISSUER == document["issuer"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert f"{ISSUER}/privacy" == document["op_policy_uri"]
    assert "op_tos_uri" not in document


@pytest.mark.parametrize("name", ["token", "revocation", "introspection"])
def test_named_endpoints_are_there(document: dict[str, Any], acme: Partner, name: str) -> None:
    answer = acme.post(document[f"{name}_endpoint"].removeprefix(ISSUER))

    assert error_of(answer) == (400, "invalid_request")


def test_only_what_is_named_works(document: dict[str, Any], acme: Partner) -> None:
    assert ["code"] == document["response_types_supported"]
    assert ["S256"] == document["code_challenge_methods_supported"]
    for grant_type in ("client_credentials", "password", "implicit"):
        assert grant_type not in document["grant_types_supported"]
        answer = acme.post("/oauth/token", grant_type=grant_type)
        assert error_of(answer) == (400, "unsupported_grant_type")


def test_public_clients_are_welcome_where_it_says_so(
    document: dict[str, Any], mobile: Partner
) -> None:
    for name, path in (
        ("token", "/oauth/token"),
        ("revocation", "/oauth/token/revoke"),
        ("introspection", "/oauth/introspect"),
    ):
        named = "none" in document[f"{name}_endpoint_auth_methods_supported"]
        assert named == (mobile.post(path, token="x").status_code != 401)


def test_every_named_scope_is_known(document: dict[str, Any]) -> None:
    assert all(scopes.is_known(scope) for scope in document["scopes_supported"])


def test_pages_are_named_as_far_as_they_exist(tmp_path: Path) -> None:
    with_terms = metadata.document(make_settings(tmp_path, terms_url=f"{ISSUER}/terms"))
    with_none = metadata.document(make_settings(tmp_path, privacy_url=""))

    assert f"{ISSUER}/terms" == with_terms["op_tos_uri"]
    assert not {"op_tos_uri", "op_policy_uri"} & with_none.keys()
