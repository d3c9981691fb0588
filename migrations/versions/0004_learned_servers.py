"""what proved logins taught about the servers of mail domains"""

import sqlalchemy as sa
from alembic import op

from broker.models.base import UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # A table of its own: the code before this one does not know it and need not.
    op.create_table(
        "learned_servers",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("domain_digest", sa.LargeBinary(), nullable=False),
        sa.Column("server_digest", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("standing", sa.String(length=16), nullable=False),
        sa.Column("successes", sa.Integer(), nullable=False),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_success_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_learned_servers"),
        sa.UniqueConstraint(
            "domain_digest",
            "server_digest",
            name="uq_learned_servers_domain_digest_server_digest",
        ),
    )
    op.create_index("ix_learned_servers_last_success_at", "learned_servers", ["last_success_at"])
