"""checkpoints are rows, workers tell their data sets, attempts tell their progress and their words"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ALWAYS_THERE = ("digits", "gaussian_mixture", "spirals")


def upgrade() -> None:
    # In the order in which claims, renewals and ends come upon them: crosswise, each would wait for the other.
    op.execute("LOCK TABLE runs, workers, attempts")
    op.create_table(
        "checkpoints",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id", "attempt"], ["attempts.run_id", "attempts.n"], name=op.f("fk_checkpoints_run_id")
        ),
        sa.PrimaryKeyConstraint("run_id", "attempt", "epoch", name=op.f("pk_checkpoints")),
    )
    op.create_table(
        "log_lines",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id", "attempt"], ["attempts.run_id", "attempts.n"], name=op.f("fk_log_lines_run_id")
        ),
        sa.PrimaryKeyConstraint("run_id", "attempt", "n", name=op.f("pk_log_lines")),
    )
    op.add_column("attempts", sa.Column("last_step", sa.BigInteger(), nullable=True))
    op.add_column("attempts", sa.Column("images_per_second", sa.Double(), nullable=True))
    op.add_column("attempts", sa.Column("seconds_left", sa.Double(), nullable=True))
    op.add_column(
        "workers",
        sa.Column(
            "data", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
    )
    op.add_column(
        "runs", sa.Column("data", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False)
    )
    op.execute(
        sa.text(
            "UPDATE runs SET data = ARRAY[groups.data] FROM groups WHERE groups.digest = runs.digest "
            "AND runs.state IN ('blocked', 'queued', 'retry_wait') AND groups.data <> ALL (:always)"
        ).bindparams(sa.bindparam("always", list(_ALWAYS_THERE), type_=postgresql.ARRAY(sa.Text())))
    )


def downgrade() -> None:
    op.execute("LOCK TABLE runs, workers, attempts")
    op.drop_column("runs", "data")
    op.drop_column("workers", "data")
    for column in ("seconds_left", "images_per_second", "last_step"):
        op.drop_column("attempts", column)
    op.drop_table("log_lines")
    op.drop_table("checkpoints")
