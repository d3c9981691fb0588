"""PROPFIND: what a path is, and with Depth 1 what is in it."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response, request
from lxml import etree

from .context import faults, state
from .places import SPECIAL, Place
from .properties import object_rows, row, wanted
from .wire import DAV, DavError, Row, multistatus


def answer(place: Place, root: etree._Element | None) -> Response:
    """Answer a PROPFIND. Raises DavError for a Depth that iCloud does not take."""
    depth = request.headers.get("Depth", "infinity").strip().lower()
    if depth not in ("0", "1"):
        raise DavError(403, f"{DAV}propfind-finite-depth")
    if root is not None and root.tag != f"{DAV}propfind":
        raise DavError(400)
    if place.kind == "principal" and depth != "0":
        raise DavError(400)
    names = wanted(root)
    if place.kind == "object":
        return multistatus([object_rows(place, names)(place.stored())])
    rows = [row(place, names)]
    if depth == "1" and not faults().take(place.person.email, "empty_listing"):
        rows += _members(place, names)
    return multistatus(rows)


def _members(place: Place, names: list[str] | None) -> Iterator[Row]:
    person = place.person
    if place.kind == "home":
        for segment in person.home:
            found = state().entry(person, segment)
            if found is not None:
                # Whose is somebody else's is named on the partition.
                child = Place("calendar", person, segment, *found)
                yield row(child, names, absolute=found[0].access != "owner")
        for segment in SPECIAL:
            yield row(Place("special", person, segment), names)
    elif place.kind == "calendar":
        _, calendar = place.within()
        write = object_rows(place, names)
        yield from map(write, calendar.objects.values())
