"""Imports point down only, as broker/__init__.py draws it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BROKER = ROOT / "broker"
CORE = frozenset(
    """settings environment errors domain logins clock ids crypto http wire trust trace challenges
    certificates laps line transport_failures retry_after addresses logs pulse queues""".split()
)
RANKS = {"models": 1, "sync": 2, "oauth_server": 2, "providers": 2, "services": 3}
EDGE = 4
APART = (("oauth_server", "providers"), ("sync", "oauth_server"), ("sync", "providers"))


def files() -> list[Path]:
    """Give every module of the product."""
    return sorted(path for path in BROKER.rglob("*.py"))


def layer_of(module: str) -> str:
    """Give the first name below `broker`."""
    return module.split(".")[1] if "." in module else ""


def imported(path: Path) -> Iterator[tuple[str, ast.stmt]]:
    """Yield every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((name.name, node) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            module = node.module or ""
            yield module, node
            # `from broker.services import tasks` names a module too.
            yield from ((f"{module}.{name.name}", node) for name in node.names)


def own_layer(path: Path) -> str:
    """Give the layer of a file."""
    return path.relative_to(BROKER).parts[0].removesuffix(".py")


def rank(layer: str) -> int:
    """Give how high a layer stands: what is named nowhere else is an edge, on top."""
    return 0 if layer in CORE else RANKS.get(layer, EDGE)


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    layer = own_layer(path)

    for module, node in imported(path):
        if not module.startswith("broker.") or layer == "__init__":
            continue
        other = layer_of(module)
        beside = rank(other) == rank(layer) and (other == layer or rank(layer) in (0, EDGE))
        assert beside or rank(other) < rank(layer), f"{module} in line {node.lineno}"


@pytest.mark.parametrize(("one", "other"), APART)
def test_neighbours_know_nothing_of_each_other(one: str, other: str) -> None:
    for left, right in ((one, other), (other, one)):
        for path in (BROKER / left).rglob("*.py"):
            found = [module for module, _ in imported(path) if layer_of(module) == right]
            assert not any(module.startswith("broker.") for module in found), path


def test_models_and_core_know_no_framework_of_the_web() -> None:
    for path in files():
        if own_layer(path) in {"sync", "providers", *CORE}:
            found = {module.split(".")[0] for module, _ in imported(path)}
            assert found.isdisjoint({"flask", "rq"} - ({"rq"} if path.stem == "queues" else set()))


def test_the_product_never_imports_sandbox_or_tests() -> None:
    for path in [*files(), ROOT / "wsgi.py"]:
        found = {module.split(".")[0] for module, _ in imported(path)}
        assert found.isdisjoint({"sandbox", "tests", "benchmarks", "app"} - _own(path)), path


def _own(path: Path) -> set[str]:
    """wsgi.py is there to import the factory."""
    return {"app"} if path.name == "wsgi.py" else set()


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_imported_inside_a_function(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = [
        node.lineno
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]

    # Alembic is heavy and one command's, and every process loads the commands.
    assert inside == [] or path.name == "migrating.py"


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    long = [
        f"{node.name}: {length}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := lines_of(node)) > 40
    ]

    assert len(text.splitlines()) <= 300
    assert long == []


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function without its docstring."""
    said = ast.get_docstring(function, clean=False)
    whole = (function.end_lineno or 0) - function.lineno + 1
    return whole - (said.count("\n") + 1 if said is not None else 0)
