"""Partial answers: the `fields` parameter.

A mask without `nextPageToken` or `nextSyncToken` truncates a sync silently, here as there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from .errors import ApiError
from .model import Resource

_PART = re.compile(r"[\w*#@.\-]+|[(),/]")


@dataclass
class Mask:
    """The fields wanted of an object; without children the whole value is wanted."""

    children: dict[str, Mask] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Mask:
        """Read a mask such as `items(id,start),nextPageToken`. Raises ApiError 400."""
        parts = _PART.findall(text)
        if "".join(parts) != text.replace(" ", ""):
            raise _bad(text)
        try:
            mask, rest = _list(parts)
        except (IndexError, RecursionError) as problem:
            raise _bad(text) from problem
        if rest:
            raise _bad(text)
        return mask

    def apply(self, value: Any) -> Any:
        """Return the value with only the wanted fields; lists are masked item by item."""
        if not self.children:
            return value
        if isinstance(value, list):
            return [self.apply(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "*" in self.children:
            return {key: self.children["*"].apply(item) for key, item in value.items()}
        return self._pick(value)

    def _pick(self, value: Resource) -> Resource:
        return {
            name: child.apply(value[name]) if child.children else value[name]
            for name, child in self.children.items()
            if name in value
        }


def _list(parts: list[str]) -> tuple[Mask, list[str]]:
    mask = Mask()
    while True:
        parts = _one(mask, parts)
        if not parts or parts[0] != ",":
            return mask, parts
        parts = parts[1:]


def _one(mask: Mask, parts: list[str]) -> list[str]:
    name, parts = parts[0], parts[1:]
    if name in "(),/":
        raise IndexError(name)
    child = mask.children.setdefault(name, Mask())
    if parts and parts[0] == "/":
        return _one(child, parts[1:])
    if parts and parts[0] == "(":
        inner, parts = _list(parts[1:])
        child.children.update(inner.children)
        if parts[0] != ")":
            raise IndexError(parts[0])
        return parts[1:]
    return parts


def _bad(text: str) -> ApiError:
    return ApiError(
        400,
        "invalidParameter",
        f"Invalid field selection {text}",
        location=("parameter", "fields"),
    )
