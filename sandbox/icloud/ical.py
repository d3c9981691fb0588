"""Reading iCalendar text (RFC 5545 section 3.1), strictly, and writing lines of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

_NAME = re.compile(r"[A-Za-z0-9-]+")
_PARAM = re.compile(r';([A-Za-z0-9-]+)=((?:"[^"\x00-\x08]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)')
_FOLD = re.compile(r"\r?\n[ \t]")
_FOLD_OCTETS = 75


@dataclass(frozen=True)
class Line:
    """A content line; names are upper case, the value is as it stands."""

    name: str
    params: dict[str, str]
    value: str


@dataclass
class Component:
    """A component with its lines and the components in it."""

    name: str
    lines: list[Line] = field(default_factory=list)
    children: list[Component] = field(default_factory=list)

    def line(self, name: str) -> Line | None:
        """Return the first line of a name, None when there is none."""
        return next((line for line in self.lines if line.name == name), None)

    def value(self, name: str) -> str:
        """Return the value of the first line of a name, empty when there is none."""
        found = self.line(name)
        return found.value if found else ""

    def all(self, *names: str) -> Iterator[Line]:
        """Yield the lines of these names."""
        return (line for line in self.lines if line.name in names)


@lru_cache(maxsize=4096)
def parse(text: str) -> Component:
    """Read one VCALENDAR; the result is shared and must not be changed.

    Raises ValueError when the text is not one.
    """
    root = Component("")
    stack = [root]
    for raw in _FOLD.sub("", text).splitlines():
        if not raw:
            continue
        line = _line(raw)
        if line.name == "BEGIN":
            fresh = Component(line.value.upper())
            stack[-1].children.append(fresh)
            stack.append(fresh)
        elif line.name == "END":
            if stack.pop().name != line.value.upper() or not stack:
                raise ValueError(f"END:{line.value} without its BEGIN")
        elif len(stack) == 1:
            raise ValueError("a line outside the calendar")
        else:
            stack[-1].lines.append(line)
    if len(stack) != 1:
        raise ValueError(f"{stack[-1].name} does not end")
    if [child.name for child in root.children] != ["VCALENDAR"]:
        raise ValueError("not one VCALENDAR")
    return root.children[0]


def _line(raw: str) -> Line:
    name = _NAME.match(raw)
    if name is None:
        raise ValueError("a line without a name")
    at, params = name.end(), {}
    while found := _PARAM.match(raw, at):
        params[found[1].upper()] = found[2].strip('"')
        at = found.end()
    if raw[at : at + 1] != ":":
        raise ValueError(f"{name[0]} has no value")
    return Line(name[0].upper(), params, raw[at + 1 :])


def events(calendar: Component) -> list[Component]:
    """Return the components that are events or tasks."""
    return [child for child in calendar.children if child.name in ("VEVENT", "VTODO")]


def written(text: str) -> str:
    """Write a text the way of the standard: CRLF, folded at 75 octets."""
    lines = _FOLD.sub("", text).splitlines()
    return "\r\n".join(folded(line) for line in lines if line) + "\r\n"


def folded(line: str) -> str:
    """Fold a line without splitting a character."""
    if len(line) < _FOLD_OCTETS // 4:
        return line
    pieces, size = [""], 0
    for character in line:
        width = len(character.encode())
        if size + width > _FOLD_OCTETS:
            pieces.append("")
            size = 1
        pieces[-1] += character
        size += width
    return "\r\n ".join(pieces)


def escaped(text: str) -> str:
    """Write a text value (RFC 5545 section 3.3.11)."""
    text = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return text.replace("\r\n", "\\n").replace("\n", "\\n")


def unescaped(value: str) -> str:
    """Read a text value."""
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], value)


def with_lines(text: str, changes: dict[str, str]) -> str:
    """Replace lines of the event itself (not of its overrides) by name, and add missing ones.

    *changes* maps a name to the whole line, unfolded; everything else stays as it is.
    """
    lines = _FOLD.sub("", text).splitlines()
    begin, end = _master(lines)
    body, left = [], dict(changes)
    depth = 0
    for line in lines[begin + 1 : end]:
        depth += line.startswith("BEGIN:")
        name = re.split("[;:]", line, maxsplit=1)[0].upper()
        if depth == 0 and name in changes:
            if name in left:
                body.append(left.pop(name))
        else:
            body.append(line)
        depth -= line.startswith("END:")
    body = [*left.values(), *body]
    return written("\n".join([*lines[: begin + 1], *body, *lines[end:]]))


def with_component(text: str, component: str) -> str:
    """Add a component at the end."""
    return written(text.rstrip().removesuffix("END:VCALENDAR") + component + "\nEND:VCALENDAR")


def _master(lines: list[str]) -> tuple[int, int]:
    begins = [n for n, line in enumerate(lines) if line == "BEGIN:VEVENT"]
    ends = [n for n, line in enumerate(lines) if line == "END:VEVENT"]
    for begin, end in zip(begins, ends, strict=True):
        if not any(line.startswith("RECURRENCE-ID") for line in lines[begin:end]):
            return begin, end
    return begins[0], ends[0]
