"""Fixtures of the sandbox's own tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.exchange_client import Company, company


@pytest.fixture
def corp(tmp_path: Path) -> Iterator[Company]:
    """A company's Exchange, new and listening."""
    with company(tmp_path) as made:
        yield made
