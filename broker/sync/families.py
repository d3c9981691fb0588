"""Families: a series with its exceptions, which are planned and written as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from broker.sync.plan import Keyed, Known, Plan

FAMILIES_AT_ONCE = 100
_MEMBERS_AT_ONCE = 1_000


@dataclass(slots=True)
class Family:
    """A series with its exceptions, or a single event: what changes and what was held.

    *members* and *gone* are event keys. *waits* says that an earlier change has still to show in
    its occurrences.
    """

    members: list[bytes] = field(default_factory=list)
    upserts: list[Keyed] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    waits: bool = False


def families_of(known: Mapping[bytes, Known], plan: Plan) -> dict[bytes, Family]:
    """Gather the families that a plan touches, with all that is held of them, by master's key."""
    families: dict[bytes, Family] = {}
    for item in plan.upserts.values():
        families.setdefault(item.family, Family()).upserts.append(item)
    for key in plan.deletes:
        families.setdefault(known[key].series_key or key, Family()).gone.append(key)
    for key, row in known.items():
        family = families.get(row.series_key or key)
        if family is not None:
            family.members.append(key)
    return families


def batches(families: Mapping[bytes, Family]) -> Iterator[dict[bytes, Family]]:
    """Cut families into portions whose rows are read together."""
    batch: dict[bytes, Family] = {}
    members = 0
    for name, family in families.items():
        batch[name] = family
        members += len(family.members) + len(family.upserts)
        if len(batch) >= FAMILIES_AT_ONCE or members >= _MEMBERS_AT_ONCE:
            yield batch
            batch, members = {}, 0
    if batch:
        yield batch
