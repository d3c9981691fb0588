"""Whether a partner application's colour may be used on a button."""

from __future__ import annotations

import re
from dataclasses import dataclass

# The card's two colours in static/style.css; a test holds the two files together.
CARDS = ("#ffffff", "#1b212b")
INKS = ("#ffffff", "#10151d")


@dataclass(frozen=True, slots=True)
class Accent:
    """A button colour, and the colour of the text on it."""

    color: str
    ink: str


def accent(color: str) -> Accent | None:
    """Give the application's colour when it can be seen, with a text colour; otherwise None.

    It must stand out from the card in both modes (3:1, WCAG 2.2 success criterion 1.4.11) and
    carry readable text (4.5:1, criterion 1.4.3).
    """
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        return None
    if any(contrast(color, card) < 3 for card in CARDS):
        return None
    ink = max(INKS, key=lambda candidate: contrast(color, candidate))
    return Accent(color.lower(), ink) if contrast(color, ink) >= 4.5 else None


def contrast(one: str, other: str) -> float:
    """Give the contrast ratio of two `#rrggbb` colours, 1 to 21.

    See WCAG 2.2, "contrast ratio" and "relative luminance".
    """
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
