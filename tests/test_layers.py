"""Imports point down only, as broker/__init__.py draws it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BROKER = ROOT / "broker"
CORE = frozenset(
    """settings environment errors domain clock ids crypto http wire trust retry_after logs pulse
    queues addresses""".split()
)
EDGES = frozenset("web jobs cli cli_applications worker local".split())
RANKS = {"models": 1, "sync": 2, "oauth_server": 2, "providers": 2, "services": 3}
# What only runs everything on one machine; it stands beside the edges and starts them.
LOCAL = frozenset("local local_environment log_digest supervisor embedded_redis".split())
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
    """Give how high a layer stands."""
    if layer in CORE:
        return 0
    return RANKS.get(layer, 4)


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    layer = own_layer(path)

    for module, node in imported(path):
        if not module.startswith("broker.") or layer == "__init__":
            continue
        other = layer_of(module)
        if other == layer or other not in CORE | RANKS.keys() | EDGES:
            continue
        down = rank(other) < rank(layer) or rank(layer) in (0, 4) and rank(other) <= rank(layer)
        assert down, f"{module} in line {node.lineno}"


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
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]

    if own_layer(path) in LOCAL or path.name == "migrating.py":
        # What only the local mode needs is not installed in production; Alembic is heavy, and
        # one command's.
        return
    assert inside == []


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    """style.md 5.1, with the room that the expansion engine was given."""
    text = path.read_text(encoding="utf-8")
    long = [
        f"{node.name}: {length}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > 60
    ]

    assert len(text.splitlines()) <= 310
    assert long == []
