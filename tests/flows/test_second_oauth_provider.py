"""Another OAuth provider costs its module and its line in the registry: the pages ask it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker.clock import Clock
from broker.http import Http
from broker.providers import REGISTRY
from broker.providers.google import Google
from broker.settings import Settings
from tests.world import World, form_targets

ALMANAC = "https://sign-in.almanac.test"


class Almanac(Google):
    """A service that speaks as Google does, elsewhere."""

    slug = "almanac"
    label = "Almanac"
    provider_name = "almanac"


def almanac(http: Http, clock: Clock, settings: Settings) -> Almanac:
    assert settings.google is not None
    endpoints = {**settings.google.endpoints, "authorize": f"{ALMANAC}/consent"}
    own = replace(settings.google, client_id="client-at-almanac", endpoints=endpoints)
    return Almanac(http, clock, own)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setitem(REGISTRY, "almanac", almanac)
    made = World(tmp_path)
    yield made
    made.close()


def test_its_page_leads_to_it_and_names_us_as_it_knows_us(world: World) -> None:
    browser = world.browser()

    page = world.open(browser, provider_name="almanac")
    leaving = world.press(browser, page)

    assert "https:" in form_targets(page)
    assert leaving.headers["Location"].startswith(f"{ALMANAC}/consent?")
    assert "client-at-almanac" in page.text
    assert world.own["client_id"] not in page.text
