"""Reading multistatus answers while they arrive."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.providers._caldav_lists import Listing
from broker.providers._multistatus import (
    DAV,
    Resource,
    UnreadableXml,
    read_multistatus,
    read_responses,
)

_PROP = "<propstat><prop>{}</prop><status>HTTP/1.1 200 OK</status></propstat>"
DOCUMENT = (
    '<?xml version="1.0" encoding="utf-8"?>\n<multistatus xmlns="DAV:">'
    "<response><href>/c/ä%20b.ics</href>"
    + _PROP.format("<getetag>&quot;1&quot;</getetag>")
    + "</response>\n<response><href>/c/gone</href><status>HTTP/1.1 404 Not Found</status>"
    "</response><!-- nothing --><response><href>/c/two</href><href>/c/three</href>"
    + _PROP.format("<getetag><![CDATA[2]]></getetag>")
    + "</response><sync-token> t:1 </sync-token></multistatus>"
).encode()
FOUND = [("/c/ä%20b.ics", None, '"1"'), ("/c/gone", 404, None)] + [
    (f"/c/{name}", None, "2") for name in ("two", "three")
]

_WEIGH = """
import resource
from tests.providers.test_multistatus import long_listing
from broker.providers._caldav_lists import Listing
from broker.providers._multistatus import read_responses

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

listing = Listing("/c/")
read_responses(long_listing(1_000), "/c/", listing.take)
before = peak()
read_responses(long_listing(20_000), "/c/", listing.take)
print(len(listing.paths), (peak() - before) / 1024)
"""


def in_pieces(body: bytes, size: int) -> Iterator[bytes]:
    """Give a body as it may arrive."""
    return (body[at : at + size] for at in range(0, len(body), size))


def long_listing(count: int) -> Iterator[bytes]:
    """Give a listing of so many objects, each as large as iCloud's."""
    yield b'<?xml version="1.0" encoding="utf-8"?><multistatus xmlns="DAV:">'
    for number in range(count):
        href = f"/123456789/calendars/4D24A0F0-73B1-4B32-9C4C-0F9C8E6C1A11/{number:036}.ics"
        etag = _PROP.format(f'<getetag xmlns="DAV:">"C=123@U={number:036}"</getetag>')
        yield f'<response xmlns="DAV:"><href xmlns="DAV:">{href}</href>{etag}</response>'.encode()
    yield b"</multistatus>"


def seen(item: Resource) -> tuple[str, int | None, str | None]:
    """Say of a resource what these tests compare."""
    return item.href, item.status, item.text(f"{DAV}getetag")


@given(size=st.integers(1, len(DOCUMENT)))
def test_pieces_of_any_size_say_the_same(size: int) -> None:
    found: list[Resource] = []

    token = read_responses(in_pieces(DOCUMENT, size), "/c/", found.append)

    assert (FOUND, "t:1") == ([seen(item) for item in found], token)


def test_resources_are_taken_before_the_rest_has_come() -> None:
    taken: list[str] = []
    waiting: list[int] = []

    def arriving() -> Iterator[bytes]:
        for chunk in long_listing(10):
            waiting.append(len(taken))
            yield chunk

    read_responses(arriving(), "/c/", lambda item: taken.append(item.href))

    assert [0, *range(10), 10] == waiting


def test_long_listings_never_lie_in_memory_as_a_tree() -> None:
    """Kept are the paths, three megabytes of them; the tree of this one would be forty."""
    done = subprocess.run(
        [sys.executable, "-c", _WEIGH], capture_output=True, text=True, check=True, timeout=60
    )

    count, grown_mb = done.stdout.split()
    assert 20_000 == int(count)
    assert float(grown_mb) < 8


@given(cut=st.integers(0, len(DOCUMENT) - 1), size=st.integers(1, 400))
def test_what_is_cut_short_is_refused(cut: int, size: int) -> None:
    with pytest.raises(UnreadableXml):
        read_responses(in_pieces(DOCUMENT[:cut], size), "/c/", lambda item: None)


@given(body=st.binary(max_size=200), size=st.integers(1, 50))
def test_garbage_is_refused(body: bytes, size: int) -> None:
    with pytest.raises(UnreadableXml):
        read_responses(in_pieces(body, size), "/c/", lambda item: None)


@pytest.mark.parametrize("size", [1, 64, 10_000])
def test_nothing_is_taken_from_a_document_with_a_dtd(size: int) -> None:
    taken: list[Resource] = []
    dtd = b'<!DOCTYPE multistatus [<!ENTITY a "b">]>'
    body = DOCUMENT.replace(b"<multistatus", dtd + b"<multistatus", 1)

    with pytest.raises(UnreadableXml, match="DTD"):
        read_responses(in_pieces(body, size), "/c/", taken.append)

    assert [] == taken


def test_only_the_root_holds_responses() -> None:
    inner = b'<x xmlns="DAV:"><response><href>/inner</href></response></x>'
    body = DOCUMENT.replace(b"<getetag>", inner + b"<getetag>", 1)

    assert FOUND == [seen(item) for item in read_multistatus(body, "/c/").resources]
    with pytest.raises(UnreadableXml, match="not a multistatus"):
        read_multistatus(b'<a xmlns="DAV:"><multistatus>' + inner + b"</multistatus></a>", "/c/")


def test_digest_changes_with_an_etag_and_not_with_the_order() -> None:
    def listed(*entries: tuple[str, str]) -> Listing:
        listing = Listing("/c/")
        for href, etag in entries:
            body = f'<multistatus xmlns="DAV:"><response><href>{href}</href>'
            body += f"{_PROP.format(f'<getetag>{etag}</getetag>')}</response></multistatus>"
            read_responses([body.encode()], "/c/", listing.take)
        return listing

    one, two, newer = ("/c/1", "a"), ("/c/2", "b"), ("/c/2", "c")

    assert listed(one, two).digest == listed(two, one, two).digest
    assert 4 == len({listed(*some).digest for some in ((), (one,), (one, two), (one, newer))})
    assert ["/c/1", "/c/2"] == listed(("/c/", "x"), one, two).paths
    halves = listed(one)
    halves.add(listed(two))
    assert (listed(one, two).digest, ["/c/1", "/c/2"]) == (halves.digest, halves.paths)
