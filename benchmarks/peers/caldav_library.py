"""python-caldav reads every calendar of an account; runs in an environment of its own.

`python caldav_library.py URL USER PASSWORD` prints the seconds and the number of events.
"""

from __future__ import annotations

import sys
import time

import caldav


def main(url: str, username: str, password: str) -> None:
    """Find the calendars and load their events, as its documentation does."""
    began, count = time.monotonic(), 0
    with caldav.DAVClient(url=url, username=username, password=password) as client:
        for calendar in client.principal().calendars():
            found = calendar.objects_by_sync_token(load_objects=True)
            count += sum(1 for one in found if one.icalendar_instance is not None)
    print(time.monotonic() - began, count)


if __name__ == "__main__":
    main(*sys.argv[1:4])
