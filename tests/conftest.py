"""Fixtures that any test may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.made_once import CompiledRule
from tests.world import World

Flask.url_rule_class = CompiledRule


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A broker with the sandbox's Google beside it, both new."""
    made = World(tmp_path)
    yield made
    made.close()
