"""The entry for gunicorn and for the `flask` command."""

from __future__ import annotations

import os
import sys

from app import create_app
from broker import logs
from broker.cli import unconfigured
from broker.errors import ConfigError
from broker.settings import Settings

logs.configure()
try:
    app = create_app(Settings.from_env(os.environ))
except ConfigError as error:
    if os.environ.get("FLASK_RUN_FROM_CLI") != "true":
        sys.exit("Calbroker cannot start:\n" + "\n".join(f"  - {text}" for text in error.problems))
    app = unconfigured(error)
