"""Runs migrations on the app's own database, inside the app's context.

Forward only, one change each, safe while the code before it still runs: add, fill, switch,
and drop in a later release.
"""

from alembic import context

from broker.models import db, transaction


def run() -> None:
    """Run what is missing; on SQLite tables are rebuilt where it cannot alter them."""
    with transaction() as session:
        connection = session.connection()
        context.configure(connection=connection, target_metadata=db.metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()


run()
