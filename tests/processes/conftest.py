"""Stacks for the tests of this folder: one for each module, because starting takes seconds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.stack import UNLIMITED, Stack


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A broker in processes on SQLite. A short folder, because sockets have short paths."""
    with tempfile.TemporaryDirectory(prefix="calbroker-") as folder:
        with Stack(Path(folder), **UNLIMITED) as started:
            yield started
