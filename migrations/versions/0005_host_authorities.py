"""certificate authorities that are believed for one host"""

import sqlalchemy as sa
from alembic import op

from broker.models.base import UtcDateTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # A table of its own: the code before this one does not know it and need not.
    op.create_table(
        "host_authorities",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("host_digest", sa.LargeBinary(), nullable=False),
        sa.Column("authority_digest", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_host_authorities"),
        sa.UniqueConstraint("authority_digest", name="uq_host_authorities_authority_digest"),
    )
    op.create_index("ix_host_authorities_host_digest", "host_authorities", ["host_digest"])
