"""The entry for gunicorn and for the `flask` command."""

from __future__ import annotations

import os
import sys

from app import create_app
from broker import logs
from broker.cli import cannot_start, needs_settings, unconfigured
from broker.errors import ConfigError
from broker.settings import Settings

# With another status gunicorn would start its worker again, for ever.
GUNICORN_GIVES_UP = 4

logs.configure()
try:
    app = create_app(Settings.from_env(os.environ))
except ConfigError as error:
    if needs_settings():
        print(cannot_start(error), file=sys.stderr, flush=True)
        sys.exit(GUNICORN_GIVES_UP)
    app = unconfigured(error)
