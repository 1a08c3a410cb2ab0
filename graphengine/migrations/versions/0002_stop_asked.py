"""Whether somebody asked a job to stop: it is not queued again if the process ends first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    column = sa.Column("stop_asked", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("jobs", column)


def downgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("jobs") as table:
        table.drop_column("stop_asked")
