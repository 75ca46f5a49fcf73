"""standings are found by their group's facets"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NUMBERS = "array_append(facets, hashtext(metric || ' ' || selection))"


def upgrade() -> None:
    op.create_index(
        "ix_leaderboard_numbers",
        "leaderboard",
        [sa.literal_column(_NUMBERS)],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )


def downgrade() -> None:
    op.drop_index("ix_leaderboard_numbers", "leaderboard")
