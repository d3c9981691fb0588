"""Fetching items by id: what is wrong with one of them holds up none of the others.

An item that is damaged over there can spoil every answer that it is in: a fault, a status, a
body that is too long or no XML. It is looked for by halves, and left out once the mailbox has
shown that it is well without it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from lxml import etree

from broker.errors import PermissionMissing, ProtocolError, ProviderError, ProviderUnavailable
from broker.providers._ews.faults import PROVIDER, TOO_MUCH
from broker.providers._ews.folders import GetFolder
from broker.providers._ews.get_item import GetItem
from broker.providers._ews.meanings import MEANINGS, Meaning
from broker.providers._ews.session import Session
from broker.transport_failures import TOO_LARGE

log = logging.getLogger(__name__)

MAX_TRIES = 3
MOST_DAMAGED, DAMAGED_SHARE = 10, 0.1
"""How many items of one reading may be damaged, and besides what share of those that are not:
where it is more, the server is not well."""

_UNREADABLE = frozenset({TOO_LARGE, "not well-formed", TOO_MUCH})


@dataclass(slots=True)
class Fetched:
    """What became of some ids: events, ids that are gone, and those that nothing is made of."""

    items: dict[str, etree._Element] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)


class Fetcher:
    """Fetches the items of one reading of a calendar."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._read = self._damaged = 0

    def fetch(self, ids: tuple[str, ...]) -> Fetched:
        """Read items without the damaged ones. Raises what is wrong with the mailbox."""
        fetched = Fetched()
        waiting = [ids]
        while waiting:
            some = waiting.pop()
            try:
                waiting += [(one,) for one in self._some(some, fetched)]
            except (ProtocolError, ProviderUnavailable) as error:
                if not _may_be_of_one(error):
                    raise
                if len(some) == 1:
                    self._leave_out(some[0], error, fetched)
                else:
                    middle = len(some) // 2
                    waiting += [some[middle:], some[:middle]]
        return fetched

    def _some(self, ids: tuple[str, ...], fetched: Fetched) -> list[str]:
        """Read items, and give those that failed; what the server stopped before is asked again."""
        failed: list[str] = []
        tries = 0
        while ids:
            batch = self._session.call(GetItem(ids))
            self._read += len(batch.items)
            fetched.items |= batch.items
            fetched.gone |= batch.gone
            fetched.skipped |= batch.missing
            failed += batch.failed
            tries = tries + 1 if len(batch.left) == len(ids) else 0
            if tries == MAX_TRIES:
                raise ProviderUnavailable(PROVIDER, "GetItem", 200, detail="batch stopped")
            ids = batch.left
        return failed

    def _leave_out(self, remote_id: str, error: ProviderError, fetched: Fetched) -> None:
        """Leave an item out that fails alone, and again while its mailbox is well."""
        # What cannot be read was answered: to ask for it again would bring the same.
        answered = error.detail in _UNREADABLE
        many = self._damaged >= MOST_DAMAGED + self._read * DAMAGED_SHARE
        if many or not (answered and self._read or self._is_well()):
            raise error
        if not answered and self._succeeds(remote_id, fetched):
            return
        self._damaged += 1
        fetched.skipped.add(remote_id)
        log.warning("item left out", extra={"provider": PROVIDER, "detail": error.detail})

    def _succeeds(self, remote_id: str, fetched: Fetched) -> bool:
        try:
            self._some((remote_id,), fetched)
        except (ProtocolError, ProviderUnavailable) as error:
            if not _may_be_of_one(error):
                raise
            return False
        return True

    def _is_well(self) -> bool:
        try:
            return self._session.call(GetFolder())[0] is not None
        except (PermissionMissing, ProtocolError, ProviderUnavailable):
            return False


def _may_be_of_one(error: ProviderError) -> bool:
    """Tell whether an answer may have failed for one of the things that were asked for."""
    if error.detail in _UNREADABLE or MEANINGS.get(error.detail) is Meaning.FAILED:
        return True
    # No fault, only the page of a web server whose application fell over it.
    return error.status == 500 and not error.detail
