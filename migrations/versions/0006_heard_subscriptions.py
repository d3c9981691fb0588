"""when a subscription was last heard of"""

import sqlalchemy as sa
from alembic import op

from broker.models.base import UtcDateTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # Not known of those that there are: their calendars are polled more often until they speak.
    op.add_column("subscriptions", sa.Column("heard_at", UtcDateTime(), nullable=True))
