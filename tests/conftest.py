"""Fixtures that any test may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A broker with the sandbox's Google beside it, both new."""
    made = World(tmp_path)
    yield made
    made.close()
