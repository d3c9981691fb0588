"""What is installed is what was pinned, by hash (security.md G1)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FILES = ("requirements.txt", "requirements-local.txt", "requirements-dev.txt")
_PIN = re.compile(r"([a-z0-9-]+)==([\w.]+)(?: ; .+)?((?: --hash=sha256:[0-9a-f]{64})+)")


def pinned(name: str) -> dict[str, tuple[str, str]]:
    """Read a file; gives version and hashes by package, and fails on any other line."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", "")
    lines = [re.sub(r"\s+", " ", line).strip() for line in text.splitlines()]
    found = [(line, _PIN.fullmatch(line)) for line in lines if line and line[0] != "#"]
    assert [line for line, pin in found if pin is None] == []
    return {pin[1]: (pin[2], pin[3]) for _line, pin in found if pin is not None}


def asked(listed: list[str | dict[str, str]]) -> set[str]:
    """Give the names of what pyproject.toml lists."""
    return {re.split(r"[\[<>=]", item)[0] for item in listed if isinstance(item, str)}


@pytest.mark.parametrize("name", FILES)
def test_every_package_is_pinned_with_its_hashes(name: str) -> None:
    assert len(pinned(name)) > 20


def test_a_line_without_hash_or_version_would_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.test_requirements.ROOT", tmp_path)
    for line in ("flask", "flask>=3", "flask==3.1.0", "--index-url https://evil.example"):
        (tmp_path / "requirements.txt").write_text(f"{line}\n")
        with pytest.raises(AssertionError):
            pinned("requirements.txt")


def test_what_runs_is_what_was_tested() -> None:
    run, local, dev = (pinned(name) for name in FILES)

    assert run.items() <= local.items() <= dev.items()


def test_the_files_were_made_from_the_project() -> None:
    run, local, dev = (pinned(name).keys() for name in FILES)
    groups = PROJECT["dependency-groups"]

    assert asked(PROJECT["project"]["dependencies"]) <= run
    assert asked(groups["local"]) <= local
    assert asked(groups["dev"]) <= dev


def test_packages_are_installed_by_hash_and_audited() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert "--require-hashes --no-deps" in makefile
    assert re.search(r"pip-audit --strict .*-r requirements.txt -r requirements-dev.txt", makefile)
