"""The world on disk: one JSON file, replaced whole shortly after each change and at exit."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

log = logging.getLogger(__name__)

_DEBOUNCE_S = 0.3


class Store(Protocol):
    """What is kept: a world of dataclasses behind a lock, and whom to tell of changes."""

    world: Any
    lock: threading.RLock
    on_change: list[Callable[[set[str]], None]]


class Snapshot:
    """Writes a store's world to a file in the background."""

    def __init__(self, store: Store, path: Path) -> None:
        """Listen to the store; the thread starts with the first change."""
        self._store = store
        self._path = path
        self._dirty = threading.Event()
        self._thread: threading.Thread | None = None
        self._writing = threading.Lock()
        store.on_change.append(self._changed)
        atexit.register(self.flush)

    def load(self) -> bool:
        """Read the file into the store; False when there is none that can be read.

        An unreadable file is set aside as `.broken`, never overwritten.
        """
        try:
            self._store.world = msgspec.json.decode(
                self._path.read_bytes(), type=type(self._store.world)
            )
        except FileNotFoundError:
            return False
        except msgspec.MsgspecError:
            log.warning("state file unreadable, set aside", extra={"file": self._path.name})
            os.replace(self._path, self._path.with_suffix(".broken"))
            return False
        return True

    def flush(self) -> None:
        """Write now if something changed since the last time."""
        with self._writing:
            if not self._dirty.is_set():
                return
            self._dirty.clear()
            with self._store.lock:
                content = msgspec.json.encode(self._store.world)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_suffix(f".{os.getpid()}.tmp")
            # Tokens are inside: nobody else on the machine needs to read them.
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            os.replace(fresh, self._path)

    def _changed(self, touched: set[str]) -> None:
        self._dirty.set()
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name=f"keeps-{self._path.stem}", daemon=True
            )
            self._thread.start()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            self._dirty.wait()
            pause.wait(_DEBOUNCE_S)
            with contextlib.suppress(OSError):
                self.flush()
