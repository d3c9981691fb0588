"""Applications: what may be registered, and secrets that are shown once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.errors import InvalidFields, NotFound
from broker.services import applications
from broker.services.runtime import Runtime
from tests.world import World

GOOD = "https://app.example/cb"


@pytest.fixture
def runtime(world: World) -> Iterator[Runtime]:
    with world.app.app_context():
        yield world.runtime


def make(runtime: Runtime, **changes: Any) -> tuple[str, str | None]:
    """Register an application; gives its client id and secret."""
    fields: dict[str, Any] = {"name": "App", "redirect_uris": [GOOD], "scope": "read_account"}
    application, secret = applications.create(runtime, **fields | changes)
    return application.client_id, secret


def test_a_confidential_application_gets_a_secret_and_a_public_one_none(runtime: Runtime) -> None:
    client_id, secret = make(runtime)
    public_id, none = make(runtime, public=True)

    assert client_id != public_id
    assert secret is not None and len(secret) > 40
    assert none is None


def test_every_problem_is_told_at_once(runtime: Runtime) -> None:
    with pytest.raises(InvalidFields) as caught:
        make(runtime, name=" ", scope="read_minds", redirect_uris=["http://app.example/"], url="x")

    assert set(caught.value.problems) == {"name", "scope", "redirect_uri", "url"}


def test_a_name_is_as_long_as_its_column_at_most(runtime: Runtime) -> None:
    assert make(runtime, name="é" * 200)[0]
    with pytest.raises(InvalidFields, match="name"):
        make(runtime, name="é" * 201)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "app.example", "https://", "http://["])
def test_the_address_for_people_has_to_be_one_that_pages_can_link_to(
    runtime: Runtime, url: str
) -> None:
    with pytest.raises(InvalidFields, match="url"):
        make(runtime, url=url)


@pytest.mark.parametrize("scope", ["", "  ", "nonsense", "read_account nonsense"])
def test_a_scope_that_nobody_knows_is_refused(runtime: Runtime, scope: str) -> None:
    with pytest.raises(InvalidFields):
        make(runtime, scope=scope)


@pytest.mark.parametrize(
    "uri",
    [
        GOOD,
        "https://app.example",
        "https://app.example:8443/cb?a=b",
        "http://127.0.0.1/cb",
        "http://127.0.0.1:9000/cb",
        "http://[::1]:9000/cb",
        "http://localhost:3000/cb",
    ],
)
def test_good_redirect_uris(uri: str) -> None:
    """A1."""
    assert applications.is_good_redirect(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "app.example/cb",
        "http://app.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "https://app.example/cb#fragment",
        "https://user@app.example/cb",
        "https://user:password@app.example/cb",
        "https://*.app.example/cb",
        "https://app.example/*",
        "https://app.example\\@evil.example/",
        "https://app.example/a b",
        "https://app.example/\tcb",
        "https://äpp.example/cb",
        "https:///cb",
        "https://[broken/cb",
        "javascript:alert(1)",
        "myapp://cb",
        "ftp://app.example/",
        "HTTPS://app.example/cb",
        "https://app.example/{tenant}",
        "https://app.example:99999/cb",
        f"https://app.example/{'a' * 2048}",
    ],
)
def test_bad_redirect_uris(uri: str) -> None:
    """A1: nor is anything registered that no request could match."""
    assert not applications.is_good_redirect(uri)


def test_two_secrets_live_side_by_side_and_no_more(runtime: Runtime, world: World) -> None:
    client_id, first = make(runtime)

    _, second = applications.add_secret(runtime, client_id)

    assert second != first
    with pytest.raises(InvalidFields):
        applications.add_secret(runtime, client_id)


def test_a_retired_secret_stops_working_and_makes_room(runtime: Runtime, world: World) -> None:
    client_id, first = make(runtime, redirect_uris=["http://127.0.0.1:6000/cb"])
    _, second = applications.add_secret(runtime, client_id)
    application = next(a for a in applications.all_applications() if a.client_id == client_id)
    oldest = applications.live_secrets(application.id)[0]

    applications.retire_secret(runtime, client_id, oldest.id)

    def status(secret: str | None) -> int:
        fields = {"client_id": client_id, "client_secret": str(secret), "code": "x"}
        return world.token(grant_type="authorization_code", **fields).status_code

    assert (status(first), status(second)) == (401, 400)
    assert applications.add_secret(runtime, client_id)
    with pytest.raises(NotFound):
        applications.retire_secret(runtime, client_id, oldest.id)


def test_a_secret_is_retired_only_through_its_own_application(runtime: Runtime) -> None:
    """A10."""
    client_id, _ = make(runtime)
    other_id, _ = make(runtime)
    application = next(a for a in applications.all_applications() if a.client_id == client_id)
    (secret,) = applications.live_secrets(application.id)

    with pytest.raises(NotFound):
        applications.retire_secret(runtime, other_id, secret.id)


def test_redirect_uris_are_added_once_and_checked(runtime: Runtime, world: World) -> None:
    client_id, _ = make(runtime)

    applications.add_redirect(runtime, client_id, "https://app.example/other")
    applications.add_redirect(runtime, client_id, "https://app.example/other")

    assert len(world.rows("SELECT uri FROM redirect_uris")) == 2
    with pytest.raises(InvalidFields):
        applications.add_redirect(runtime, client_id, "http://app.example/")
    with pytest.raises(NotFound):
        applications.add_redirect(runtime, "cli_unknown", GOOD)


def test_the_local_application_exists_in_local_mode_only(world: World, tmp_path: Path) -> None:
    with world.app.app_context():
        applications.ensure_local(world.runtime)
        applications.ensure_local(world.runtime)

    assert world.rows("SELECT client_id FROM applications") == [("sandbox-app",)]
    (tmp_path / "public").mkdir()
    public = World(tmp_path / "public", public_url="https://broker.example", local=False)
    with public.app.app_context():
        applications.ensure_local(public.runtime)
    assert "sandbox-app" not in str(public.rows("SELECT client_id FROM applications"))
    public.close()
