"""States of what learns while it serves; callers' events are found by owner."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "states",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("at_s", sa.Float, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("events_by_owner", "events", ["owner", "at_s"])
