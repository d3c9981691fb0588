"""Scopes: what exists, what people read beside the box, what each opens."""

from __future__ import annotations

PREFIX = "https://www.googleapis.com/auth/"

EMAIL = PREFIX + "userinfo.email"
PROFILE = PREFIX + "userinfo.profile"
SIGN_IN = ("openid", EMAIL, PROFILE)

_ALIASES = {"email": EMAIL, "profile": PROFILE}

LABELS = {
    "calendar": "See, edit, share, and permanently delete all the calendars you can access",
    "calendar.readonly": "See and download any calendar you can access",
    "calendar.events": "View and edit events on all your calendars",
    "calendar.events.readonly": "View events on all your calendars",
    "calendar.events.owned": "See, create, change, and delete events on calendars you own",
    "calendar.events.owned.readonly": "See the events on calendars you own",
    "calendar.events.freebusy": "See the availability on calendars you have access to",
    "calendar.events.public.readonly": "See the events on public calendars",
    "calendar.freebusy": "View your availability in your calendars",
    "calendar.calendarlist": "See, add, and remove calendars you're subscribed to",
    "calendar.calendarlist.readonly": "See the list of calendars you're subscribed to",
    "calendar.calendars": "See and change the properties of calendars, and create secondary ones",
    "calendar.calendars.readonly": "See the title, description and time zone of your calendars",
    "calendar.app.created": "Make secondary calendars, and see and change events on them",
}

_WRITE = ("calendar", "calendar.events", "calendar.events.owned", "calendar.app.created")
_READ = (
    *_WRITE,
    "calendar.readonly",
    "calendar.events.readonly",
    "calendar.events.owned.readonly",
    "calendar.events.freebusy",
    "calendar.events.public.readonly",
)
_LIST = (
    "calendar",
    "calendar.readonly",
    "calendar.calendarlist",
    "calendar.calendarlist.readonly",
)

METHODS: dict[str, tuple[str, ...]] = {
    "calendarList.list": _LIST,
    "calendarList.watch": _LIST,
    "calendarList.get": (*_LIST, "calendar.app.created"),
    "calendars.get": (
        "calendar",
        "calendar.readonly",
        "calendar.calendars",
        "calendar.calendars.readonly",
        "calendar.app.created",
    ),
    "calendars.insert": ("calendar", "calendar.calendars", "calendar.app.created"),
    "events.list": _READ,
    "events.get": _READ,
    "events.instances": _READ,
    "events.watch": _READ,
    "events.insert": _WRITE,
    "events.update": _WRITE,
    "events.patch": _WRITE,
    "events.delete": _WRITE,
    "events.import": _WRITE,
    "events.move": ("calendar", "calendar.events", "calendar.events.owned"),
    "freebusy.query": (
        "calendar",
        "calendar.readonly",
        "calendar.events.freebusy",
        "calendar.freebusy",
    ),
    "channels.stop": (*_READ, *_LIST),
}


def full_name(scope: str) -> str:
    """Return the scope as the token endpoint spells it: `email` becomes its URL."""
    return _ALIASES.get(scope, scope)


def parse(value: str) -> list[str]:
    """Split a scope parameter into full names, without repeats, in order."""
    return list(dict.fromkeys(full_name(part) for part in value.split()))


def unknown(scopes: list[str]) -> list[str]:
    """Return the scopes that nobody offers."""
    return [s for s in scopes if s not in SIGN_IN and s.removeprefix(PREFIX) not in LABELS]


def label(scope: str) -> str:
    """Return the sentence that the consent page shows."""
    return LABELS[scope.removeprefix(PREFIX)]


def opening(method: str, scopes: list[str]) -> set[str]:
    """Return the short names among `scopes` that open `method`; empty means refused."""
    return {s.removeprefix(PREFIX) for s in scopes} & set(METHODS[method])
