"""Reading and writing XML that comes from, and goes to, anybody."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from broker.providers._ews import markup
from broker.providers._ews.markup import (
    UnreadableXml,
    checked_id,
    element,
    item_id,
    parse,
    parse_chunks,
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a><b></a>",
        b"<a>cut",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<?xml version="1.0"?>\n<!DOCTYPE a SYSTEM "http://127.0.0.1/"><a/>',
        b"<a>&undefined;</a>",
        b"<a>\xff</a>",
        b"<a>" * 300 + b"</a>" * 300,
        "<a/>".encode("utf-16"),
        b"+ADw-a/+AD4-",
    ],
)
def test_what_is_no_document_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableXml):
        parse(body)


@pytest.mark.parametrize(
    "body",
    [
        b'<\x01!DOCTYPE a SYSTEM "http://127.0.0.1/"><a/>',
        b'<\x00!DOCTYPE a [<\x00!ENTITY x "y">]><a>&x;</a>',
        b'<&#1;!DOCTYPE a SYSTEM "x"><a/>',
        b'<\xef\xbf\xbf!DOCTYPE a SYSTEM "x"><a/>',
    ],
)
def test_no_declaration_comes_about_by_dropping_what_is_forbidden(body: bytes) -> None:
    with pytest.raises(UnreadableXml, match="declaration"):
        parse(body)


def test_no_parts_come_about_by_dropping_what_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markup, "MAX_PARTS", 8)
    with pytest.raises(UnreadableXml, match="too large"):
        parse(b"<r>" + b'<a b=\x01"" c=\x01"" d=\x01""/>' * 3 + b"</r>")


def test_a_declared_encoding_changes_nothing() -> None:
    with pytest.raises(UnreadableXml):
        parse(b'<?xml version="1.0" encoding="utf-7"?>+ADw-a/+AD4-')
    assert "ä" == parse('<?xml version="1.0" encoding="latin-1"?><a>ä</a>'.encode()).text


@pytest.mark.parametrize(
    "body",
    [
        b"<a>" + b"<b/>" * 9 + b"</a>",
        b"<r>" + b'<a b="" c="" d=""/>' * 3 + b"</r>",
        b"<r>" + b"<a b = '' c='' d =''/>" * 3 + b"</r>",
    ],
)
def test_too_many_parts_are_refused_before_they_are_read(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(markup, "MAX_PARTS", 8)
    with pytest.raises(UnreadableXml, match="too large"):
        parse(body)


def test_too_long_a_document_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markup, "MAX_BYTES", 8)
    with pytest.raises(UnreadableXml, match="too large"):
        parse(b"<a>123456</a>")


@pytest.mark.parametrize(
    "dirt",
    [
        b"\x0b", b"\x00", b"\x1f", b"&#x0B;", b"&#xb;", b"&#11;", b"&#0;", b"&#x0;", b"&#x1F;",
        b"&#31;", b"&#xD800;", b"&#xFFFE;", b"&#xffff;", b"\xef\xbf\xbe", b"\xef\xbf\xbf",
        b"&#00011;",
    ],
)  # fmt: skip
def test_characters_that_xml_forbids_are_dropped(dirt: bytes) -> None:
    assert "ab" == parse(b"\xef\xbb\xbf<a>a" + dirt + b"b</a>").text


def test_characters_that_xml_allows_stay() -> None:
    kept = "tab\tnew\nü &#xD;&#9;&#10;&#13;&#32;&#x20;&#xFFFD;&#x1F600;�"
    assert "tab\tnew\nü \r\t\n\r  �😀�" == parse(f"<a>{kept}</a>".encode()).text


PIECES = st.lists(
    st.sampled_from(
        [b"<", b">", b"<b>", b"</b>", b"<!--x-->", b"<![CDATA[", b"]]>", b"<!DOCTYPE a>", b"!DOC",
         b"&#", b"&#0;", b"&#xD;", b"&#00000011;", b"&amp;", b"&", b";", b"\x00" * 40, b"\x0b",
         b"\xef\xbf\xbf", b"\xef\xbf\xbd", "\u00e4\U0001f600".encode(), b"text", b"="]
    ),
    max_size=12,
).map(b"".join)  # fmt: skip


def read_in(body: bytes, cuts: list[int]) -> str:
    """Read a document that arrives in pieces; give it back as text, or why it is none."""
    places = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    try:
        root = parse_chunks(body[a:b] for a, b in pairwise(places))
    except UnreadableXml as error:
        return str(error)
    return etree.tostring(root, encoding="unicode")


@given(PIECES, st.lists(st.integers(0, 150), max_size=8))
def test_it_makes_no_difference_how_a_document_arrives(inside: bytes, cuts: list[int]) -> None:
    body = b'\xef\xbb\xbf<?xml version="1.0"?><a>' + inside + b"</a>"
    whole, parts = read_in(body, []), read_in(body, cuts)
    # Of two reasons the one that is met first counts.
    refusals = {"not well-formed", "has a declaration"}
    assert whole == parts or {whole, parts} <= refusals
    assert "DOCTYPE" not in whole + parts


@pytest.mark.parametrize(
    "begins",
    [
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>',
        b"<html><p>Sign in<br></html>",
        b"\x1f\x8b\x08",
        b"<a>" + b"<b>" * 300,
    ],
)
def test_what_is_hostile_is_refused_before_the_rest_of_it_comes(begins: bytes) -> None:
    def coming() -> Iterator[bytes]:
        yield begins
        yield b" " * 100
        pytest.fail("asked for more")

    with pytest.raises(UnreadableXml):
        parse_chunks(coming())


@given(st.text())
def test_whatever_is_written_comes_back(value: str) -> None:
    document = f'<r xmlns:t="x">{element("t:a", value)}</r>'
    found = etree.fromstring(document.encode("utf-8", "surrogatepass"))[0]

    kept = "".join(c for c in value if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))
    kept = "".join(c for c in kept if not "\ud800" <= c <= "\udfff")
    assert kept == (found.text or "")


@pytest.mark.parametrize("value", ["", 'a"', "<", "a b", "ä", "a" * 2_001, "a\n"])
def test_what_cannot_be_an_id_is_not_written(value: str) -> None:
    with pytest.raises(ValueError):
        checked_id(value)
    assert '<t:ItemId Id="AAMk+/=" ChangeKey="Dw=="/>' == item_id("AAMk+/=", "Dw==")
