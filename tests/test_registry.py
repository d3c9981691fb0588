"""Providers: one line each in the registry, all alike from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.clock import FixedClock
from broker.http import Http
from broker.providers import REGISTRY, configured
from broker.providers.base import OAuthProvider, PasswordProvider, Provider, PushProvider
from broker.trace import Step
from broker.web.phrases import phrases_for
from tests.world import NOW, make_settings


@pytest.fixture
def providers(tmp_path: Path) -> dict[str, Provider]:
    clock = FixedClock(NOW)
    return configured(Http(clock), clock, make_settings(tmp_path))


def test_every_provider_is_what_it_says(providers: dict[str, Provider]) -> None:
    assert list(providers) == list(REGISTRY)
    for slug, provider in providers.items():
        assert provider.slug == slug
        assert provider.label
        assert provider.provider_name
        assert isinstance(provider, OAuthProvider) != isinstance(provider, PasswordProvider)
        assert phrases_for(slug)


def test_providers_with_push_and_issuers_name_them(providers: dict[str, Provider]) -> None:
    google = providers["google"]

    assert isinstance(google, PushProvider)
    assert isinstance(google, OAuthProvider)
    assert "https://accounts.google.com" in google.issuers
    assert not isinstance(providers["caldav"], PushProvider)


def test_names_that_applications_use_are_not_shared(providers: dict[str, Provider]) -> None:
    names = [provider.provider_name for provider in providers.values()]

    assert len(names) == len(set(names))


def test_what_is_not_configured_is_not_offered(tmp_path: Path) -> None:
    clock = FixedClock(NOW)

    found = configured(Http(clock), clock, make_settings(tmp_path, google=None))

    assert list(found) == [slug for slug in REGISTRY if slug != "google"]


def test_making_providers_asks_nobody(tmp_path: Path) -> None:
    steps: list[Step] = []
    clock = FixedClock(NOW)

    configured(Http(clock).traced(steps), clock, make_settings(tmp_path))

    assert steps == []
