"""The shape of Apple's app-specific passwords (https://support.apple.com/102654).

Sixteen letters in four groups, `abcd-efgh-ijkl-mnop`. Whatever has another shape may be the
person's real Apple password, which no third party should be told: it is never sent.
"""

from __future__ import annotations

import re
import unicodedata

_DASHES = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_SHAPE = re.compile(r"[a-z]{4}(?:-[a-z]{4}){3}")
_BARE = re.compile(r"[a-z]{16}")
_LONGEST = 200


def normalise(text: str) -> str | None:
    """Give the password as Apple shows it; None when it is not shaped like one.

    Forgives what phones and notes do to it: blanks, other dashes, capitals, left-out dashes.
    """
    if len(text) > _LONGEST:
        return None
    # Dashes first: compatibility forms of some of them are no ASCII hyphen.
    text = unicodedata.normalize("NFKC", _DASHES.sub("-", text))
    visible = (char for char in text if not _is_blank(char))
    text = _DASHES.sub("-", "".join(visible)).lower()
    if _BARE.fullmatch(text):
        text = "-".join(text[at : at + 4] for at in range(0, 16, 4))
    return text if _SHAPE.fullmatch(text) else None


def _is_blank(char: str) -> bool:
    """Tell whether a character shows nothing: spaces, controls, zero-width marks, BOM."""
    return char.isspace() or unicodedata.category(char) in {"Cc", "Cf", "Zs", "Zl", "Zp"}
