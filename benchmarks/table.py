"""Rows and how they are printed."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Cost


@dataclass(frozen=True)
class Row:
    """One measured operation. *target* is the most that is allowed, in the same unit.

    *value* is the median of several rounds and *least* the best of them. *ratio* is ours divided
    by the peer's; *good* replaces the comparison with the target.
    """

    operation: str
    value: float
    target: float | None
    unit: str = "CPU-ms"
    least: float | None = None
    ratio: float | None = None
    peer: str = ""
    good: bool | None = None

    @property
    def is_met(self) -> bool:
        """Tell whether the target is met."""
        if self.good is not None:
            return self.good
        return self.target is None or self.value <= self.target

    def cells(self) -> tuple[str, ...]:
        """Give the texts of the row."""
        return (
            self.operation,
            f"{_number(self.value)} {self.unit}",
            "" if self.least is None else _number(self.least),
            "" if self.target is None else f"<= {_number(self.target)}",
            "" if self.ratio is None else f"{self.ratio:.2f}",
            self.peer,
            "" if self.is_met else "MISSED",
        )


def weighed(
    operation: str, cost: Cost, target: float, *, beside: Cost | None = None, peer: str = ""
) -> Row:
    """Make the row of a request, *beside* what a peer's cost in the same rounds."""
    ratio = cost.ratio(beside) if beside else None
    return Row(operation, cost.median, target, least=cost.least, ratio=ratio, peer=peer)


def show(rows: Sequence[Row]) -> str:
    """Lay the rows out as one table."""
    header = ("operation", "measured", "least", "target", "ratio", "peer", "")
    cells = [header, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(header))]
    lines = ["  ".join(t.ljust(w) for t, w in zip(line, widths, strict=True)) for line in cells]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join(line.rstrip() for line in [lines[0], rule, *lines[1:]])


def machine() -> str:
    """Say what this was measured on, and how busy it is with other things."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return (
        f"{model}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 20 else f"{value:.2f}"
