"""What the partner application remembers: one JSON file, by browser session."""

from __future__ import annotations

import json
import os
import secrets
import threading
from pathlib import Path
from typing import Any

MOST_ATTEMPTS = 10
MOST_VISITORS = 500


class Store:
    """Attempts to connect, and the tokens that came of them. Safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        """Open the file; a missing one is made."""
        self._path = path
        self._lock = threading.Lock()
        self._data: dict[str, Any] = {"secret_key": secrets.token_urlsafe(32), "visitors": {}}
        if path.exists():
            self._data = json.loads(path.read_text())
        else:
            self._write()

    @property
    def secret_key(self) -> str:
        """The key that signs this application's cookies."""
        return str(self._data["secret_key"])

    def begin(self, visitor: str, state: str, attempt: dict[str, str]) -> None:
        """Remember an attempt until its callback; the oldest of many is forgotten."""
        with self._lock:
            attempts = self._visitor(visitor)["attempts"]
            attempts[state] = attempt
            while len(attempts) > MOST_ATTEMPTS:
                del attempts[next(iter(attempts))]
            self._write()

    def finish(self, visitor: str, state: str) -> dict[str, str] | None:
        """Give an attempt and forget it; None when it is not this browser's or was used."""
        with self._lock:
            found: dict[str, str] | None = self._visitor(visitor)["attempts"].pop(state, None)
            self._write()
            return found

    def accounts(self, visitor: str) -> dict[str, dict[str, Any]]:
        """Give the tokens of every account that this browser connected, by account."""
        with self._lock:
            return dict(self._visitor(visitor)["accounts"])

    def tokens(self, visitor: str) -> dict[str, Any] | None:
        """Give the tokens of the account that this browser looks at."""
        with self._lock:
            found = self._visitor(visitor)
            tokens = found["accounts"].get(found["current"])
            return dict(tokens) if tokens else None

    def choose(self, visitor: str, account: str) -> None:
        """Look at another account; one that is not there changes nothing."""
        with self._lock:
            found = self._visitor(visitor)
            if account in found["accounts"]:
                found["current"] = account
                self._write()

    def keep_tokens(self, visitor: str, tokens: dict[str, Any]) -> None:
        """Replace the tokens of their account, and look at it."""
        with self._lock:
            found = self._visitor(visitor)
            found["current"] = tokens["sub"]
            found["accounts"][found["current"]] = tokens
            self._write()

    def forget(self, visitor: str) -> None:
        """Forget the account that this browser looks at, and look at another one."""
        with self._lock:
            found = self._visitor(visitor)
            found["accounts"].pop(found["current"], None)
            found["current"] = next(iter(found["accounts"]), "")
            self._write()

    def _visitor(self, visitor: str) -> dict[str, Any]:
        visitors: dict[str, Any] = self._data["visitors"]
        nothing: dict[str, Any] = {"attempts": {}, "accounts": {}, "current": ""}
        found: dict[str, Any] = visitors.setdefault(visitor, nothing)
        if "accounts" not in found:
            # Written by an older version, which held one account's tokens only.
            old = found.pop("tokens", None) or {}
            found |= {"accounts": {old["sub"]: old} if old else {}, "current": old.get("sub", "")}
        while len(visitors) > MOST_VISITORS:
            del visitors[next(iter(visitors))]
        return found

    def _write(self) -> None:
        draft = self._path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(self._data, file, indent=1)
        draft.replace(self._path)
