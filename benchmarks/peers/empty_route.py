"""The least that a Flask route can cost."""

from __future__ import annotations

from flask import Flask

app = Flask(__name__)


@app.get("/")
def nothing() -> dict[str, bool]:
    """Answer."""
    return {"ok": True}
