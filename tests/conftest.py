"""Fixtures that any test may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import settings
from spnego._ntlm_raw.crypto import lmowfv1

from broker import trust
from tests.made_once import CompiledRule, first_authorities
from tests.world import World

Flask.url_rule_class = CompiledRule
# The same examples on every machine, however slow it is.
settings.load_profile("ci")


@pytest.fixture(autouse=True, scope="session")
def passwords_hashed_once() -> Iterator[None]:
    """NTLM's old hash, which pyspnego makes in Python for both sides of every login."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spnego._ntlm.lmowfv1", cache(lmowfv1))
        yield


@pytest.fixture(autouse=True, scope="session")
def few_usual_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Some of the usual authorities stand for all, whom no test meets."""
    few = tmp_path_factory.mktemp("authorities") / "few.pem"
    few.write_text(first_authorities(3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trust, "DEFAULT_CA_BUNDLE_PATH", str(few))
        yield


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A broker with the sandbox's Google beside it, both new."""
    made = World(tmp_path)
    yield made
    made.close()
