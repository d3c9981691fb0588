"""What a request is about: the app's parts, who asks, and from which of the hosts."""

from __future__ import annotations

import re
from typing import cast
from urllib.parse import SplitResult, urlsplit

from flask import current_app, request

from sandbox.stand_in.faults import Faults

from .model import Person
from .state import ICloudState

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_PARTITION = re.compile(r"p(\d{1,3})-caldav\.icloud\.com", re.ASCII)
_MOVED_BY = 15


def state() -> ICloudState:
    """Return the state of the app that answers."""
    return cast(ICloudState, current_app.extensions["icloud"])


def faults() -> Faults:
    """Return the switches of the app that answers."""
    return cast(Faults, current_app.extensions["faults"])


def partition_url(person: Person) -> str:
    """Return where the person's home is, always with a port and without a last slash.

    On this machine it is the other loopback name, so that it is another origin than the entry.
    """
    lost = faults().find(person.email, "lost_home") is not None
    here = urlsplit(request.host_url)
    if configured := current_app.config["PARTITION_URL"]:
        own = urlsplit(configured)
        there = here if lost else own
        return f"{there.scheme}://{_named(there)}:{_port(there)}{own.path.rstrip('/')}"
    if here.hostname in LOOPBACK:
        name = "127.0.0.1" if lost else "localhost"
        return f"{here.scheme}://{name}:{_port(here)}{request.script_root}"
    number = person.partition + (_MOVED_BY if lost else 0)
    return f"https://p{number}-caldav.icloud.com:443{request.script_root}"


def is_entry(person: Person) -> bool:
    """Whether the request came to another host than the person's partition."""
    there, here = urlsplit(partition_url(person)), urlsplit(request.host_url)
    return (there.hostname, there.port) != (here.hostname, _port(here))


def is_left_behind(person: Person) -> bool:
    """Whether the request came to a partition that the home has left; counts the fault."""
    if not is_entry(person):
        return False
    here = urlsplit(request.host_url)
    if _PARTITION.fullmatch(here.hostname or ""):
        faults().take(person.email, "lost_home")
        return True
    configured = urlsplit(current_app.config["PARTITION_URL"] or "")
    old = configured.hostname or ("localhost" if here.hostname in LOOPBACK else None)
    same_port = not configured.hostname or _port(configured) == _port(here)
    left = here.hostname == old and same_port
    return left and faults().take(person.email, "lost_home") is not None


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _named(parts: SplitResult) -> str:
    host = parts.hostname or ""
    return f"[{host}]" if ":" in host else host
