"""standings are found by their group's facets, and more of them are in the sample"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NUMBERS = "array_append(facets, hashtext(metric || ' ' || selection))"
_SAMPLE = "ix_leaderboard_sample"


def upgrade() -> None:
    op.create_index(
        "ix_leaderboard_numbers",
        "leaderboard",
        [sa.literal_column(_NUMBERS)],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    _draw("digest < '04'")


def downgrade() -> None:
    _draw("digest < '01'")
    op.drop_index("ix_leaderboard_numbers", "leaderboard")


def _draw(which: str) -> None:
    op.drop_index(_SAMPLE, "leaderboard")
    op.create_index(_SAMPLE, "leaderboard", ["metric", "selection", "mean", "digest"], postgresql_where=sa.text(which))
