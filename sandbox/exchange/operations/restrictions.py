"""Restrictions of FindItem and FindFolder: what must hold for a row."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from ..fields import element_of
from ..render import extended_key
from ..soap import Element, Refused, T

Values = Callable[[str], str]
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "IsEqualTo": operator.eq,
    "IsNotEqualTo": operator.ne,
    "IsGreaterThan": operator.gt,
    "IsGreaterThanOrEqualTo": operator.ge,
    "IsLessThan": operator.lt,
    "IsLessThanOrEqualTo": operator.le,
}


@dataclass(frozen=True)
class Restriction:
    """A condition, to be asked with the values of a row: text by element name or extended key."""

    condition: Element

    @classmethod
    def read(cls, operation: Element) -> Restriction | None:
        """Return the operation's restriction, None when it has none."""
        found = operation.find("{*}Restriction")
        return cls(found[0]) if found is not None and len(found) else None

    def matches(self, values: Values) -> bool:
        """Whether it holds for a row. Raises Refused for what no server takes."""
        return _holds(self.condition, values)


def _holds(condition: Element, values: Values) -> bool:
    name = etree.QName(condition).localname
    if name == "And":
        return all(_holds(child, values) for child in condition)
    if name == "Or":
        return any(_holds(child, values) for child in condition)
    if name == "Not":
        return not _holds(condition[0], values)
    value = values(path_name(condition[0]))
    if name == "Exists":
        return bool(value)
    if name == "Contains":
        return _contains(condition, value)
    compare = _COMPARISONS.get(name)
    if compare is None:
        raise Refused("ErrorUnsupportedPathForQuery")
    wanted = condition.find(f"{T}FieldURIOrConstant/{T}Constant")
    if wanted is None:
        raise Refused("ErrorUnsupportedPathForQuery")
    return bool(value) and compare(value, wanted.get("Value", ""))


def path_name(path: Element) -> str:
    """Return the element or extended property that a path names. Raises Refused."""
    if path.tag == f"{T}ExtendedFieldURI":
        return extended_key(path)
    try:
        return element_of(path.get("FieldURI", ""))
    except ValueError:
        raise Refused("ErrorUnsupportedPathForQuery") from None


def _contains(condition: Element, value: str) -> bool:
    constant = condition.find(f"{T}Constant")
    wanted = constant.get("Value", "") if constant is not None else ""
    if "IgnoreCase" in condition.get("ContainmentComparison", ""):
        wanted, value = wanted.lower(), value.lower()
    mode = condition.get("ContainmentMode", "FullString")
    if mode == "FullString":
        return value == wanted
    if mode in ("Prefixed", "PrefixOnWords"):
        return value.startswith(wanted)
    return wanted in value
