"""What takes long to make and never changes: made once per process, for every test."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from joserfc.jwk import RSAKey
from sqlalchemy import Dialect, Engine
from werkzeug.routing import Rule

from broker import trust

# Reading all of the usual authorities takes 24 ms, for each broker that speaks TLS.
USUAL_AUTHORITIES = trust.DEFAULT_CA_BUNDLE_PATH


def first_authorities(count: int) -> str:
    """Give the first of the usual certificate authorities, in PEM."""
    end = "-----END CERTIFICATE-----\n"
    return end.join(Path(USUAL_AUTHORITIES).read_text().split(end)[:count]) + end


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


class CompiledRule(Rule):
    """A route whose address builder is compiled once for all apps that have it.

    A builder is made of the route's text alone, and finds converters in the rule that it is
    called for; to compile two of them for each route is most of what it takes to make an app.
    """

    _builders: dict[tuple[object, ...], Callable[..., tuple[str, str]]] = {}

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        key = (*self._trace, repr(self.defaults), append_unknown)
        if key not in self._builders:
            self._builders[key] = super()._compile_builder(append_unknown)
        return self._builders[key]


_dialects: dict[str, Dialect] = {}
_statements: dict[Any, Any] = {}


def share_statements(engine: Engine) -> None:
    """Let an engine that has been connected use what was compiled for those before it.

    SQLite's only: elsewhere a dialect knows things of one server.
    """
    if engine.dialect.name == "sqlite":
        engine.dialect = _dialects.setdefault("sqlite", engine.dialect)
        engine.update_execution_options(compiled_cache=_statements)
