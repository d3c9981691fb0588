"""Change keys that come with what is to be written."""

from __future__ import annotations

from ..ids import changed_of
from ..model import Item
from ..soap import Refused


def check_key(key: str | None, item: Item, *, is_compared: bool = True) -> None:
    """Check that a change key, if there is one, is of an item as it is. Raises Refused."""
    if key is None:
        return
    try:
        known = changed_of(key)
    except ValueError:
        raise Refused("ErrorInvalidChangeKey") from None
    if is_compared and known != item.changed:
        raise Refused("ErrorIrresolvableConflict")
