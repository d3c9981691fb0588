"""Who asks: app-specific passwords by Basic authentication."""

from __future__ import annotations

import hashlib
import hmac

from flask import Response, g, request

from .context import faults, state
from .model import Person
from .wire import DavError

_CHALLENGES = ('X-MobileMe-AuthToken realm="MMCalDav"', 'Basic realm="MMCalDav"')
_REFUSING = ("revoked", "main_password_changed", "calendar_off")


def identify() -> None:
    """Note in `g` whom the request names (`person`) and what it brings (`credential`)."""
    g.person, g.credential, g.authorization = None, "none", ""
    header = request.headers.get("Authorization", "")
    if not header:
        return
    g.authorization = hashlib.sha256(header.encode("latin-1", "replace")).hexdigest()[:16]
    g.credential = "wrong"
    given = request.authorization
    if given is None or given.type != "basic" or given.username is None:
        return
    g.person = state().find_person(given.username)
    if g.person is not None:
        g.credential = kind_of(g.person, given.password or "")


def kind_of(person: Person, password: str) -> str:
    """Tell which kind of password a person brings: `app`, `main` or `wrong`."""
    if any(_same(password, live) for live in person.passwords):
        return "app"
    return "main" if _same(password, person.main_password) else "wrong"


def admitted() -> Person:
    """Return who asks. Raises DavError 403 without User-Agent, 401 when the login is refused."""
    if not request.headers.get("User-Agent"):
        raise DavError(403)
    person: Person | None = g.person
    if person is None or g.credential != "app" or not person.calendar_on:
        raise DavError(401)
    if faults().take(person.email, *_REFUSING):
        raise DavError(401)
    return person


def challenge(answer: Response) -> None:
    """Add what iCloud asks for: both schemes, on one line or on two."""
    if request.path.count("/") > 1:
        for scheme in _CHALLENGES:
            answer.headers.add("WWW-Authenticate", scheme)
    else:
        answer.headers["WWW-Authenticate"] = ", ".join(_CHALLENGES)


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())
