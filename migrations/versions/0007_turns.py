"""tasks of a login that has a password take turns"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_PASSWORDS = "connections.provider IN ('apple', 'caldav', 'exchange')"
# Whose login a task uses, by its kinds.
_LOGINS = {
    "'list_calendars'": "connections WHERE connections.id = tasks.subject_id",
    "'sync_calendar', 'subscribe'": (
        "calendars JOIN connections ON connections.id = calendars.connection_id"
        " WHERE calendars.id = tasks.subject_id"
    ),
    "'unsubscribe'": (
        "subscriptions JOIN calendars ON calendars.id = subscriptions.calendar_id"
        " JOIN connections ON connections.id = calendars.connection_id"
        " WHERE subscriptions.id = tasks.subject_id"
    ),
}


def upgrade() -> None:
    op.add_column("tasks", sa.Column("login_id", sa.String(32), nullable=True))
    for kinds, rows in _LOGINS.items():
        login = f"SELECT connections.id FROM {rows} AND {_PASSWORDS}"  # noqa: S608
        op.execute(f"UPDATE tasks SET login_id = ({login}) WHERE kind IN ({kinds})")  # noqa: S608
    # Several of a login may be held just now: they are given back, and begin anew.
    op.execute("UPDATE tasks SET lease_until = NULL WHERE login_id IS NOT NULL")
    held = sa.text("lease_until IS NOT NULL")
    op.create_index(
        "uq_tasks_login_id_held",
        "tasks",
        ["login_id"],
        unique=True,
        sqlite_where=held,
        postgresql_where=held,
    )
