"""a grant that waits to be given back knows whose login it was"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    # Nothing in the rows that are there tells: they are given back as before.
    op.add_column("revocations", sa.Column("login_digest", sa.LargeBinary(), nullable=True))
