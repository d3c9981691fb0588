"""An answer that is not one envelope."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Streamed:
    """Many envelopes, one after another, while the connection lasts."""

    body: Iterator[bytes]
