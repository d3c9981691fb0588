"""A real CalDAV server for this machine: Radicale, with a calendar user and their events.

`python -m sandbox.radicale --folder var/radicale --port 5051` runs it. Sign in at
http://127.0.0.1:5051/ as `ada` with the password `sandbox`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.radicale_events import CALENDARS, Calendar, plain_event

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

USER = "ada"
PASSWORD = "sandbox"
PORT = 5051

_CONFIG = """\
[server]
hosts = 127.0.0.1:{port}
delay_on_error = 0
[auth]
type = htpasswd
htpasswd_filename = {folder}/users
htpasswd_encryption = plain
delay = 0
[rights]
type = owner_only
[storage]
filesystem_folder = {folder}/storage
max_sync_token_age = 2592000
[web]
type = none
[logging]
level = warning
"""


def prepare(folder: Path, port: int = PORT, *, seeded: bool = True) -> Path:
    """Write configuration and, into an empty storage, the seed; give the configuration file."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "users").write_text(f"{USER}:{PASSWORD}\n", encoding="utf-8")
    config = folder / "config"
    config.write_text(_CONFIG.format(folder=folder, port=port), encoding="utf-8")
    if seeded and not _root(folder).exists():
        now = datetime.now(UTC)
        for calendar in CALENDARS:
            add_calendar(folder, USER, calendar, calendar.events(now))
    return config


def add_calendar(folder: Path, user: str, calendar: Calendar, objects: Mapping[str, str]) -> Path:
    """Write a calendar and its objects by file name, in the format of Radicale's storage.

    Uploading costs 20 to 90 ms an object; files cost nothing.
    """
    place = _root(folder) / user / calendar.slug
    place.mkdir(parents=True, exist_ok=True)
    properties = {
        "tag": "VCALENDAR",
        "D:displayname": calendar.name,
        "ICAL:calendar-color": calendar.color,
        "C:supported-calendar-component-set": "VEVENT,VTODO",
        "C:calendar-timezone": calendar.timezone,
    }
    text = json.dumps({name: value for name, value in properties.items() if value})
    (place / ".Radicale.props").write_text(text, encoding="utf-8")
    for name, content in objects.items():
        (place / name).write_bytes(content.encode())
    return place


def add_events(folder: Path, user: str, count: int, *, slug: str = "many") -> Path:
    """Give *user* a calendar with *count* plain events around now, for benchmarks."""
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=30)
    objects = {
        f"many-{number}.ics": plain_event(f"many-{number}", first + number * timedelta(minutes=20))
        for number in range(count)
    }
    return add_calendar(folder, user, Calendar(slug, "Many", "#888888"), objects)


def create_wsgi(
    folder: Path, users: Iterable[tuple[str, str]] = (), *, seeded: bool = True
) -> WSGIApplication:
    """Build Radicale on *folder* without a socket; *users* are further names and passwords."""
    from radicale import config
    from radicale.app import Application

    path = prepare(folder, seeded=seeded)
    extra = "".join(f"{name}:{password}\n" for name, password in users)
    (path.parent / "users").write_text(f"{USER}:{PASSWORD}\n{extra}", encoding="utf-8")
    settings = config.load([(str(path), False)])
    settings.update({"storage": {"_filesystem_fsync": "False"}}, "in process", privileged=True)
    return Application(settings)


def _root(folder: Path) -> Path:
    return folder / "storage" / "collection-root"


def main() -> None:
    """Prepare the folder and become Radicale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("var/radicale"))
    parser.add_argument("--port", type=int, default=PORT)
    arguments = parser.parse_args()
    config = prepare(arguments.folder, arguments.port)
    os.execv(sys.executable, [sys.executable, "-m", "radicale", "--config", str(config)])  # noqa: S606


if __name__ == "__main__":
    main()
