"""Objects that hurt: there while their fault is on, gone with the next request after it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sandbox.stand_in.faults import Faults

from .files import event, wrap
from .model import Calendar, Person
from .state import ICloudState

_HUGE = 2 * 1024 * 1024
_DUP_UID = "0D0D0D0D-DDDD-4DDD-8DDD-0D0D0D0D0D0D"


def arrange(state: ICloudState, faults: Faults, person: Person) -> None:
    """Bring the person's first calendar in line with the faults that are on."""
    segment = next(iter(person.home), "")
    found = state.entry(person, segment)
    if found is None:
        return
    calendar = found[1]
    for fault, make in _MAKERS.items():
        name = f"poison-{fault}.ics"
        on = faults.take(person.email, fault) is not None
        if on != (name in calendar.objects):
            with state.transaction():
                if on:
                    _plant(state, calendar, fault, make)
                else:
                    _pull(state, calendar, fault)


def flap(state: ICloudState, faults: Faults, person: Person) -> None:
    """Give everything a new etag when the fault is on."""
    if not faults.take(person.email, "etag_flap"):
        return
    with state.transaction():
        for segment in person.home:
            found = state.entry(person, segment)
            if found is not None:
                state.bump(found[1], list(found[1].objects))


def _plant(
    state: ICloudState, calendar: Calendar, fault: str, make: Callable[[ICloudState, str], str]
) -> None:
    uid = _DUP_UID if fault == "dup_uid" else f"poison-{fault}"
    state.put_unread(calendar, f"poison-{fault}.ics", uid, make(state, uid))
    if fault == "dup_uid":
        state.put_unread(calendar, "poison-dup_uid-2.ics", uid, make(state, uid))


def _pull(state: ICloudState, calendar: Calendar, fault: str) -> None:
    for name in (f"poison-{fault}.ics", f"poison-{fault}-2.ics"):
        if name in calendar.objects:
            state.remove(calendar, name)


def _sound(state: ICloudState, uid: str, *lines: str) -> str:
    start = state.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
    span = (f"DTSTART:{start:%Y%m%dT%H%M%SZ}", f"DTEND:{start + timedelta(hours=1):%Y%m%dT%H%M%SZ}")
    return wrap(event(uid, *span, f"SUMMARY:{uid}", *lines))


def _huge(state: ICloudState, uid: str) -> str:
    sound = _sound(state, uid, "DESCRIPTION:HUGE")
    return sound.replace("HUGE", "many words\r\n " * (_HUGE // 13))


_MAKERS: dict[str, Callable[[ICloudState, str], str]] = {
    "dup_uid": _sound,
    "bad_ics": lambda state, uid: _sound(state, uid).replace(
        "DTSTART:", "no colon here\r\nDTSTART"
    ),
    "huge_ics": _huge,
    "secondly_rule": lambda state, uid: _sound(state, uid, "RRULE:FREQ=SECONDLY"),
}
