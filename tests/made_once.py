"""What takes long to make and never changes: made once per process, for every test."""

from __future__ import annotations

from functools import cache
from types import CodeType
from typing import Any

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from joserfc.jwk import RSAKey


@cache
def signing_key() -> dict[str, Any]:
    """Make the key that the sandbox's Google signs with."""
    return dict(RSAKey.generate_key(2048, {"kid": "sandbox-key"}).as_dict(private=True))


class CompiledTemplates(BytecodeCache):
    """Keeps the code of every template, by its place and its text."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give the code of a template, if it is known."""
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a template."""
        if bucket.code is not None:
            self._kept[bucket.key, bucket.checksum] = bucket.code


TEMPLATES = CompiledTemplates()
