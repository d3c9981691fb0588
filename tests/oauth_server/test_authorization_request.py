"""Authorization requests: what is shown, what is redirected, what is refused."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import update
from werkzeug.datastructures import MultiDict

from broker.clock import FixedClock
from broker.crypto import Vault
from broker.models import Application, transaction
from broker.oauth_server.authorization import AuthorizationError, AuthorizationRequest, BadClient
from broker.oauth_server.server import OAuthServer
from tests.oauth_server.partner import (
    CALLBACK,
    ISSUER,
    Partner,
    add_redirect_uri,
    describe_profile,
    make_settings,
)

CHALLENGE = "a" * 43


def error_of(partner: Partner, **changes: str | None) -> dict[str, str]:
    """Send a request that is refused; gives what the application is told."""
    with pytest.raises(AuthorizationError) as caught:
        partner.parse(**changes)
    uri = caught.value.uri
    assert uri.startswith(CALLBACK + "?")
    told = {
        name: values[0]
        for name, values in parse_qs(urlsplit(uri).query, keep_blank_values=True).items()
    }
    assert told.pop("iss") == ISSUER
    assert told["error_description"].isascii()
    assert told["error"] == caught.value.error
    return told


def page_of(partner: Partner, args: MultiDict[str, str]) -> str:
    """Send a request that must not be redirected; gives the code for the page."""
    with partner.app.app_context(), pytest.raises(BadClient) as caught:
        partner.server.parse_authorization(args)
    return caught.value.code


def register(partner: Partner, uri: str) -> None:
    with partner.app.app_context(), transaction() as session:
        add_redirect_uri(session, partner.name, uri)


def test_good_request_is_understood(acme: Partner) -> None:
    request = acme.parse(
        scope="read_events  create_event read_events",
        code_challenge=CHALLENGE,
        code_challenge_method="S256",
        provider_name="google",
        locale="de",
        avoid_linking="True",
    )

    assert request == AuthorizationRequest(
        application_id="app_acme",
        client_id="client-acme",
        redirect_uri=CALLBACK,
        scope="read_events create_event",
        state="a state",
        code_challenge=CHALLENGE,
        provider_name="google",
        locale="de",
        avoid_linking=True,
    )


def test_least_request_is_understood(acme: Partner) -> None:
    request = acme.parse(state=None, scope="free_busy")

    assert request == AuthorizationRequest("app_acme", "client-acme", CALLBACK, "free_busy")


def test_empty_parameters_count_as_absent_except_state(acme: Partner) -> None:
    """pycronofy sends `state=&provider_name=`."""
    request = acme.parse(state="", provider_name="", locale="", avoid_linking="", link_token="")

    assert request == AuthorizationRequest(
        "app_acme", "client-acme", CALLBACK, "read_write", state=""
    )


@pytest.mark.parametrize(
    ("text", "meaning"),
    [("true", True), ("True", True), ("1", True), ("False", False), ("0", False), ("x", False)],
)
def test_avoid_linking_is_read_as_sdks_write_it(acme: Partner, text: str, meaning: bool) -> None:
    assert acme.parse(avoid_linking=text).avoid_linking is meaning


def test_unknown_parameters_are_ignored(acme: Partner) -> None:
    args = acme.query(prompt="consent", access_mode="x")
    args.add("prompt", "none")

    with acme.app.app_context():
        assert acme.server.parse_authorization(args).client_id == "client-acme"


@pytest.mark.parametrize("hint", ["x" * 65, "ü"])
def test_hints_that_cannot_be_any_are_dropped(acme: Partner, hint: str) -> None:
    request = acme.parse(provider_name=hint, locale=hint)

    assert (None, None) == (request.provider_name, request.locale)


@pytest.mark.parametrize("client_id", [None, "", "nobody", "app_acme", "client-acme\x00", "ü"])
def test_unknown_client_is_never_redirected(acme: Partner, client_id: str | None) -> None:
    """RFC 6749 section 4.1.2.1, security promise A2."""
    assert "unknown_client" == page_of(acme, acme.query(client_id=client_id))


@pytest.mark.parametrize("uri", [None, ""])
def test_missing_redirect_uri_is_never_guessed(acme: Partner, uri: str | None) -> None:
    assert "redirect_uri_missing" == page_of(acme, acme.query(redirect_uri=uri))


def test_callback_url_is_no_redirect_uri_here(acme: Partner) -> None:
    args = acme.query(redirect_uri=None, callback_url=CALLBACK)

    assert "redirect_uri_missing" == page_of(acme, args)


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_repeated_identity_is_never_redirected(acme: Partner, name: str) -> None:
    args = acme.query()
    args.add(name, args[name])

    assert "repeated_parameter" == page_of(acme, args)


@pytest.mark.parametrize(
    "uri",
    [
        "https://acme.example/callback/",
        "https://acme.example/callback?",
        "https://acme.example/callback?next=x",
        "https://acme.example/callback#",
        "https://acme.example/callback#fragment",
        "https://acme.example/Callback",
        "https://acme.example/callback/../callback",
        "https://acme.example/%63allback",
        "https://acme.example/callback/%2e%2e/callback",
        "https://ACME.example/callback",
        "https://acme.example:443/callback",
        "https://acme.example.evil.example/callback",
        "https://acme.example@evil.example/callback",
        "https://acme.example:x@evil.example/callback",
        "https://evil.example\\@acme.example/callback",
        "https://acme.example\\callback",
        "https:/\\acme.example/callback",
        "https:///acme.example/callback",
        "//acme.example/callback",
        "http://acme.example/callback",
        "HTTPS://acme.example/callback",
        " https://acme.example/callback",
        "https://acme.example/callback ",
        "https://acme.example/callback\n",
        "https://acme.example/callback\x00",
        "https://acme.example/call\tback",
        "https://аcme.example/callback",
        "https://xn--cme-5cd.example/callback",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://acme.example/callback" + "x" * 3000,
        'https://acme.example/callback"x',
        "http://localhost/callback",
        "http://127.0.0.1/callback",
    ],
)
def test_redirect_uri_is_compared_exactly(acme: Partner, uri: str) -> None:
    """RFC 9700 section 4.1.3, security promise A1."""
    assert "redirect_uri_mismatch" == page_of(acme, acme.query(redirect_uri=uri))


@pytest.mark.parametrize(
    "uri", ["https://a.example/cb#x", "https://user@a.example/cb", "https://a.example\\cb", "x:y"]
)
def test_ambiguous_redirect_uri_is_refused_even_when_registered(acme: Partner, uri: str) -> None:
    register(acme, uri)

    assert "redirect_uri_mismatch" == page_of(acme, acme.query(redirect_uri=uri))


@pytest.mark.parametrize(
    ("registered", "asked"),
    [
        ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb"),
        ("http://127.0.0.1:8000/cb", "http://127.0.0.1/cb"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:9000"),
        ("http://[::1]:8000/cb?a=b", "http://[::1]:9/cb?a=b"),
        ("http://localhost:8000/cb", "http://localhost:8000/cb"),
    ],
)
def test_loopback_may_vary_in_port(acme: Partner, registered: str, asked: str) -> None:
    """RFC 8252 section 7.3: a native application learns its port when it starts."""
    register(acme, registered)

    assert acme.parse(redirect_uri=asked).redirect_uri == asked


@pytest.mark.parametrize(
    "asked",
    [
        "http://127.0.0.1:8000/other",
        "http://127.0.0.1:8000/cb/",
        "http://127.0.0.1:8000/cb?a=b",
        "http://127.0.0.1:x/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:123456/cb",
        "http://127.0.0.1:8000@evil.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.1:8000.evil.example/cb",
        "http://127.0.0.2:8000/cb",
        "http://127.1:8000/cb",
        "http://[::1]:8000/cb",
        "http://localhost:8000/cb",
        "https://127.0.0.1:8000/cb",
    ],
)
def test_loopback_varies_in_nothing_else(acme: Partner, asked: str) -> None:
    register(acme, "http://127.0.0.1:8000/cb")

    assert "redirect_uri_mismatch" == page_of(acme, acme.query(redirect_uri=asked))


def test_localhost_may_not_vary(acme: Partner) -> None:
    register(acme, "http://localhost:8000/cb")

    args = acme.query(redirect_uri="http://localhost:9000/cb")

    assert "redirect_uri_mismatch" == page_of(acme, args)


@pytest.fixture
def sandboxed(acme: Partner) -> Partner:
    """An application that may be sent anywhere on this machine."""
    with acme.app.app_context(), transaction() as session:
        session.execute(update(Application).values(any_loopback_redirect=True))
    return acme


@pytest.fixture
def local_server(tmp_path: Path, vault: Vault, clock: FixedClock) -> OAuthServer:
    return OAuthServer(
        make_settings(tmp_path, local=True),
        vault,
        clock,
        describe_profile=describe_profile,
        on_grants_revoked=lambda session, account_ids: None,
    )


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:5050/partner/callback",
        "http://127.0.0.1:1/x?y=z",
        "http://[::1]",
        "http://localhost",
    ],
)
def test_sandbox_application_may_be_anywhere_on_this_machine(
    sandboxed: Partner, local_server: OAuthServer, uri: str
) -> None:
    with sandboxed.app.app_context():
        request = local_server.parse_authorization(sandboxed.query(redirect_uri=uri))

    assert uri == request.redirect_uri


@pytest.mark.parametrize(
    "uri",
    [
        "https://localhost/x",
        "http://localhost.evil.example/",
        "http://localhost:80@evil.example/",
        "http://user@localhost/",
        "http://localhost/#x",
        "http://localhost\\@evil.example/",
        "http://localhost:5050evil.example/",
        "http://evil.example/http://localhost/",
        "http://192.168.0.1/",
    ],
)
def test_sandbox_application_may_be_nowhere_else(
    sandboxed: Partner, local_server: OAuthServer, uri: str
) -> None:
    with sandboxed.app.app_context(), pytest.raises(BadClient):
        local_server.parse_authorization(sandboxed.query(redirect_uri=uri))


def test_sandbox_application_is_nobody_outside_local_mode(sandboxed: Partner) -> None:
    """Also where a database was one of local mode before: everybody knows its secret."""
    args = sandboxed.query(redirect_uri="http://localhost:5050/partner/callback")

    refused = sandboxed.refresh("whatever")

    assert "unknown_client" == page_of(sandboxed, args)
    assert (401, "invalid_client") == (refused.status_code, refused.get_json()["error"])


@pytest.mark.parametrize("response_type", ["token", "code token", "id_token", "grün", 'a"b\\c'])
def test_other_response_types_are_unsupported(acme: Partner, response_type: str) -> None:
    told = error_of(acme, response_type=response_type)

    assert "unsupported_response_type" == told["error"]
    assert "a state" == told["state"]


@pytest.mark.parametrize("response_type", [None, ""])
def test_missing_response_type_is_an_invalid_request(
    acme: Partner, response_type: str | None
) -> None:
    assert "invalid_request" == error_of(acme, response_type=response_type)["error"]


@pytest.mark.parametrize(
    "scope",
    [
        None,
        "",
        " ",
        "nope",
        "read_write nope",
        "READ_WRITE",
        "read_write,free_busy",
        "create_calendar",
        "read_write create_calendar",
        "service_account/accounts/manage",
        "grün",
        "read_write " * 200,
    ],
)
def test_scope_must_be_known_and_registered(acme: Partner, scope: str | None) -> None:
    """Security promise A9; Authlib alone would narrow the list in silence."""
    told = error_of(acme, scope=scope)

    expected = "invalid_request" if scope and len(scope) > 1024 else "invalid_scope"
    assert expected == told["error"]


def test_part_of_a_registered_shorthand_may_be_asked_for(acme: Partner) -> None:
    assert "read_events" == acme.parse(scope="read_events").scope


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": CHALLENGE},
        {"code_challenge": CHALLENGE, "code_challenge_method": "plain"},
        {"code_challenge": CHALLENGE, "code_challenge_method": "s256"},
        {"code_challenge": CHALLENGE, "code_challenge_method": ""},
        {"code_challenge": None, "code_challenge_method": "S256"},
        {"code_challenge": "", "code_challenge_method": "S256"},
        {"code_challenge": "a" * 42, "code_challenge_method": "S256"},
        {"code_challenge": "a" * 129, "code_challenge_method": "S256"},
        {"code_challenge": "a" * 42 + "=", "code_challenge_method": "S256"},
        {"code_challenge": "a" * 43 + "\n", "code_challenge_method": "S256"},
        {"code_challenge": "ü" * 43, "code_challenge_method": "S256"},
    ],
)
def test_challenge_must_be_s256_and_well_formed(
    partner: Partner, changes: dict[str, str | None]
) -> None:
    """RFC 7636 section 4.3; without a method it would be `plain`."""
    given = {"code_challenge_method": None} | changes

    assert "invalid_request" == error_of(partner, **given)["error"]


@pytest.mark.parametrize("challenge", [None, ""])
def test_public_client_must_send_a_challenge(mobile: Partner, challenge: str | None) -> None:
    """RFC 9700 section 2.1.1; somebody may have taken it out of the request."""
    told = error_of(mobile, code_challenge=challenge, code_challenge_method=challenge)

    assert "invalid_request" == told["error"]


@pytest.mark.parametrize(
    "name",
    ["response_type", "scope", "code_challenge", "link_token", "provider_name", "avoid_linking"],
)
def test_repeated_parameters_are_refused(acme: Partner, name: str) -> None:
    """RFC 6749 section 3.1."""
    args = acme.query(code_challenge=CHALLENGE, code_challenge_method="S256")
    for _ in range(3 - len(args.getlist(name))):
        args.add(name, args.get(name, "x"))

    with acme.app.app_context(), pytest.raises(AuthorizationError) as caught:
        acme.server.parse_authorization(args)

    assert "invalid_request" == caught.value.error
    assert "state=a%20state" in caught.value.uri


def test_repeated_state_is_refused_and_not_sent_back(acme: Partner) -> None:
    args = acme.query()
    args.add("state", "another")

    with acme.app.app_context(), pytest.raises(AuthorizationError) as caught:
        acme.server.parse_authorization(args)

    assert "invalid_request" == caught.value.error
    assert "state=" not in caught.value.uri


@pytest.mark.parametrize("name", ["request", "request_uri"])
def test_request_objects_are_not_supported(acme: Partner, name: str) -> None:
    """RFC 9101 section 7."""
    assert f"{name}_not_supported" == error_of(acme, **{name: "https://evil.example/x"})["error"]


@pytest.mark.parametrize("changes", [{"state": "x" * 5000}, {"scope": "x" * 1100}])
def test_overlong_parameters_are_refused(acme: Partner, changes: dict[str, str]) -> None:
    assert "invalid_request" == error_of(acme, **changes)["error"]


def test_link_tokens_are_refused_rather_than_ignored(acme: Partner) -> None:
    """Ignored, they would make a separate account, and nobody would notice."""
    told = error_of(acme, link_token="lnk_7QvXs2mBtL0wKz9r")

    assert ("invalid_request", "'link_token' is not supported yet.") == (
        told["error"],
        told["error_description"],
    )


def test_errors_send_an_empty_state_back(acme: Partner) -> None:
    assert "" == error_of(acme, scope="nope", state="")["state"]
    assert "state" not in error_of(acme, scope="nope", state=None)


@pytest.mark.parametrize(
    "state", ["a b+c&d=e%20", "ü€𝄞", "x&code=evil&iss=https://evil.example", ""]
)
def test_success_brings_code_state_and_issuer(acme: Partner, state: str) -> None:
    """RFC 6749 section 4.1.2 and RFC 9207 section 2: the state comes back unaltered."""
    uri = acme.server.success_uri(acme.parse(state=state), "the-code")

    query = parse_qs(urlsplit(uri).query, keep_blank_values=True)
    assert {"code": ["the-code"], "state": [state], "iss": [ISSUER]} == query


def test_success_without_state_brings_none(acme: Partner) -> None:
    uri = acme.server.success_uri(acme.parse(state=None), "c")

    assert f"{CALLBACK}?code=c&iss=https%3A%2F%2Fbroker.example" == uri


@pytest.mark.parametrize(
    ("registered", "joined"),
    [("?a=b", "?a=b&code=c&iss="), ("?", "?code=c&iss="), ("?a=b&", "?a=b&code=c&iss=")],
)
def test_parameters_join_a_query_that_is_there(acme: Partner, registered: str, joined: str) -> None:
    register(acme, CALLBACK + registered)

    request = acme.parse(redirect_uri=CALLBACK + registered, state=None)

    assert acme.server.success_uri(request, "c").startswith(CALLBACK + joined)


def test_refusal_brings_error_state_and_issuer(acme: Partner) -> None:
    uri = acme.server.error_uri(acme.parse(), "access_denied", "The person said no.")

    assert (
        f"{CALLBACK}?error=access_denied&error_description=The%20person%20said%20no."
        "&state=a%20state&iss=https%3A%2F%2Fbroker.example" == uri
    )


def test_refusal_may_come_without_words(acme: Partner) -> None:
    uri = acme.server.error_uri(acme.parse(state=None), "server_error", "")

    assert f"{CALLBACK}?error=server_error&iss=https%3A%2F%2Fbroker.example" == uri


def test_made_up_errors_are_not_sent(acme: Partner) -> None:
    with pytest.raises(ValueError, match="not an authorization error"):
        acme.server.error_uri(acme.parse(), "oops", "")


def test_a_refusal_does_not_print_the_state(acme: Partner) -> None:
    """Addresses hold the state; errors end up in logs."""
    with pytest.raises(AuthorizationError) as caught:
        acme.parse(scope="nope", state="marked-state")

    assert "marked-state" not in f"{caught.value!r} {caught.value}"
    assert "marked-state" not in repr(acme.parse(state="marked-state"))
