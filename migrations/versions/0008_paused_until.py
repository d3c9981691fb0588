"""waits that providers ask for are the connection's"""

import sqlalchemy as sa
from alembic import op

from broker.models.base import UtcDateTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("connections", sa.Column("paused_until", UtcDateTime(), nullable=True))
    # From here on it is why the list of calendars is not well; a calendar has its own.
    op.execute("UPDATE connections SET reason = NULL")
