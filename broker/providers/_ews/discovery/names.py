"""Under which names a password may be offered: each once, and then never again.

Every refusal counts in the company's directory, and a few of them lock the person out of
their mail and their computer. So a refused name is spent for the whole attempt, whatever host
refused it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from broker.errors import LoginRejected


class Names:
    """The names that are left, best first. *tried* are those that a server refused.

    *on_refusal* is told of each refusal.
    """

    def __init__(self, names: Iterable[str], on_refusal: Callable[[], None] = lambda: None) -> None:
        self._on_refusal = on_refusal
        self._left = list(dict.fromkeys(name for name in names if name))
        self.tried: list[str] = []

    @property
    def current(self) -> str:
        """The name to log in with."""
        return self._left[0]

    def refuse(self) -> None:
        """Note that a server refused the current name. Raises LoginRejected after the last."""
        self._on_refusal()
        self.tried.append(self._left.pop(0))
        if not self._left:
            raise LoginRejected("exchange_login_rejected")
