"""gunicorn's entry to the sandbox."""

from __future__ import annotations

import os
from pathlib import Path

from sandbox import exchange
from sandbox.app import Config, create_app

app = create_app(
    Config(
        folder=Path(os.environ.get("VAR_DIR") or "var") / "sandbox",
        broker_url=os.environ.get("BROKER_URL") or Config.broker_url,
        client_id=os.environ.get("PARTNER_CLIENT_ID") or Config.client_id,
        client_secret=os.environ.get("PARTNER_CLIENT_SECRET") or Config.client_secret,
        exchange_port=int(os.environ.get("EXCHANGE_PORT") or exchange.PORT),
    )
)
