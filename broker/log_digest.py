"""The warnings of many log files as a few lines on a terminal."""

from __future__ import annotations

import json
import time
from pathlib import Path

QUIET_S = 30.0
_LOUD = frozenset({"warning", "error", "critical"})
_LOUD_TEXT = ("[ERROR]", "[CRITICAL]", "Traceback (most recent call last)")
_COMMON = frozenset({"at", "level", "logger", "event", "where", "request"})


class LogDigest:
    """Follows log files from their present end and tells what is worth a look.

    The same line of the same process is told at most every QUIET_S.
    """

    def __init__(self, files: dict[str, Path]) -> None:
        self._files = files
        self._read = {name: _size(path) for name, path in files.items()}
        self._told: dict[str, float] = {}

    def news(self) -> list[str]:
        """Give one line for each warning and error since the last time."""
        now = time.monotonic()
        lines = []
        for name in self._files:
            for text in self._new_lines(name):
                line = summary(text)
                key = f"{name}: {line}"
                if line and now - self._told.get(key, -QUIET_S) >= QUIET_S:
                    self._told[key] = now
                    lines.append(key)
        return lines

    def _new_lines(self, name: str) -> list[str]:
        path, begin = self._files[name], self._read[name]
        if _size(path) <= begin:
            return []
        with path.open("rb") as file:
            file.seek(begin)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read[name] = begin + len(whole)
        return whole.decode(errors="replace").splitlines()


def summary(line: str) -> str:
    """Give the short form of a line that is a warning or worse, or nothing."""
    if not line.startswith("{"):
        return line.strip() if any(mark in line for mark in _LOUD_TEXT) else ""
    try:
        record = json.loads(line)
    except ValueError:
        return ""
    if record.get("level") not in _LOUD:
        return ""
    fields = [f"{key}={value}" for key, value in record.items() if key not in _COMMON]
    return " ".join([f"{record['level']}: {record.get('event', '')}", *fields])


def last_lines(path: Path, count: int = 12) -> list[str]:
    """Give the end of a file, for the message that a process does not start."""
    text = path.read_text(errors="replace") if path.exists() else ""
    return text.splitlines()[-count:]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
