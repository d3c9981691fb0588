"""Bodies of items: kept as they were written, sent as they are asked for."""

from __future__ import annotations

import html
import re
from functools import lru_cache
from xml.sax.saxutils import escape

from lxml import etree

from .soap import TYPES

_TAGS = re.compile(r"<(?:style|head)\b.*?</(?:style|head)>|<[^>]+>", re.DOTALL | re.IGNORECASE)
_BREAKS = re.compile(r"<br\s*/?>|</p>|</div>", re.IGNORECASE)


@lru_cache(maxsize=4096)
def converted(kept: str, wanted: str) -> str:
    """Write a body as text or HTML, whatever it is kept as."""
    if not kept:
        return f'<t:Body BodyType="{"Text" if wanted == "Text" else "HTML"}"/>'
    root = etree.fromstring(f'<t:R xmlns:t="{TYPES}">{kept}</t:R>')[0]
    has, text = root.get("BodyType", "HTML"), root.text or ""
    if wanted == "Text" and has == "HTML":
        text = html.unescape(_TAGS.sub("", _BREAKS.sub("\r\n", text))).strip()
        return f'<t:Body BodyType="Text">{escape(text)}</t:Body>'
    if wanted == "HTML" and has == "Text":
        inside = html.escape(text).replace("\n", "<br>\r\n")
        page = f"<html><head></head>\r\n<body>{inside}</body>\r\n</html>"
        return f'<t:Body BodyType="HTML">{escape(page)}</t:Body>'
    return kept
