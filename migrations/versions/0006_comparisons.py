"""comparisons have arms, and arms have runs"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "comparisons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("baseline", sa.Text(), nullable=False),
        sa.Column("smallest_difference", sa.Double(), nullable=True),
        sa.Column("base", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("seeds", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("fresh", sa.Boolean(), nullable=False),
        sa.Column("allow_unlike", sa.Boolean(), nullable=False),
        sa.Column("unlike", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("smallest_difference > 0", name=op.f("ck_comparisons_smallest_difference")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comparisons")),
    )
    op.create_index(op.f("ix_comparisons_owner"), "comparisons", ["owner", sa.literal_column("id DESC")])
    op.create_index(op.f("ix_comparisons_owner_name"), "comparisons", ["owner", "name", sa.literal_column("id DESC")])
    op.create_index(op.f("ix_comparisons_tags"), "comparisons", ["tags"], postgresql_using="gin")
    op.create_table(
        "arms",
        sa.Column("comparison_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("experiment_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["comparison_id"], ["comparisons.id"], name=op.f("fk_arms_comparison_id")),
        sa.ForeignKeyConstraint(["digest"], ["groups.digest"], name=op.f("fk_arms_digest")),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name=op.f("fk_arms_experiment_id")),
        sa.PrimaryKeyConstraint("comparison_id", "name", name=op.f("pk_arms")),
        sa.UniqueConstraint("comparison_id", "position", name=op.f("uq_arms_comparison_id_position")),
        sa.UniqueConstraint("comparison_id", "digest", name=op.f("uq_arms_comparison_id_digest")),
    )
    op.create_table(
        "arm_runs",
        sa.Column("comparison_id", sa.Uuid(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["comparison_id", "arm"], ["arms.comparison_id", "arms.name"], name=op.f("fk_arm_runs_comparison_id_arm")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_arm_runs_run_id")),
        sa.PrimaryKeyConstraint("comparison_id", "arm", "seed", name=op.f("pk_arm_runs")),
    )
    op.create_index(op.f("ix_arm_runs_run_id"), "arm_runs", ["run_id"])


def downgrade() -> None:
    op.drop_table("arm_runs")
    op.drop_table("arms")
    op.drop_table("comparisons")
