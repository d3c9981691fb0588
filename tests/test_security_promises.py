"""docs/security.md names real tests, and the tests name real promises."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROWS = re.findall(
    r"^\| ([A-G]\d+) \| .+ \| `(.+)` \|$",
    (ROOT / "docs" / "security.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)
KEPT_FOR_LATER = {"B6", "E2", "F1"}


def docstrings(path: Path) -> Iterator[str]:
    """Yield what a module and its functions say of themselves."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def named(path: Path) -> set[str]:
    """Give the promises that the docstrings of a file name."""
    return {name for text in docstrings(path) for name in re.findall(r"\b[A-G]\d{1,2}\b", text)}


@pytest.mark.parametrize(("promise", "file"), ROWS)
def test_promise_is_attacked_where_it_says(promise: str, file: str) -> None:
    assert promise in named(ROOT / file)


def test_tests_name_promises_that_were_made() -> None:
    attacked = {name for path in (ROOT / "tests").rglob("test_*.py") for name in named(path)}

    assert attacked <= {promise for promise, _ in ROWS} | KEPT_FOR_LATER
