"""INSERT with ON CONFLICT, which both databases have and SQLAlchemy spells per dialect."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session


def is_postgresql(session: Session) -> bool:
    """Tell whether rows can be locked one by one; SQLite has one writer and needs no locks."""
    return session.get_bind().dialect.name == "postgresql"


def insert_into(session: Session, table: Table) -> postgresql.Insert:
    """Begin an INSERT that may go on with `on_conflict_do_update`."""
    if is_postgresql(session):
        return postgresql.insert(table)
    return cast(postgresql.Insert, sqlite.insert(table))
