"""states are guarded, and what is done is noted"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from mmix.store import guards

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STATES = ("queued", "running", "cancelling", "succeeded", "failed", "cancelled")
_MORE_STATES = ("blocked", "queued", "running", "retry_wait", "cancelling", "succeeded", "failed", "cancelled")
_OUTCOMES = ("succeeded", "failed", "lost", "cancelled")
_MORE_OUTCOMES = ("succeeded", "failed", "lost", "preempted", "cancelled")


def upgrade() -> None:
    op.create_table(
        "needs",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("needs_run_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("run_id <> needs_run_id", name=op.f("ck_needs_other")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_needs_run_id")),
        sa.ForeignKeyConstraint(["needs_run_id"], ["runs.id"], name=op.f("fk_needs_needs_run_id")),
        sa.PrimaryKeyConstraint("run_id", "needs_run_id", name=op.f("pk_needs")),
    )
    op.create_index(op.f("ix_needs_needs_run_id"), "needs", ["needs_run_id"])
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_object_id_id"), "audit", ["object_id", "id"])
    op.add_column(
        "attempts", sa.Column("devices", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False)
    )
    op.add_column("workers", sa.Column("draining", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("runs", sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
    op.add_column("runs", sa.Column("retry_of", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_runs_retry_of"), "runs", "runs", ["retry_of"], ["id"])
    op.create_unique_constraint(op.f("uq_runs_retry_of"), "runs", ["retry_of"])
    op.drop_constraint(op.f("uq_runs_experiment_id_seed"), "runs", type_="unique")
    op.create_index(op.f("ix_runs_experiment_id_seed"), "runs", ["experiment_id", "seed"])
    op.create_index(
        "uq_runs_asked", "runs", ["experiment_id", "seed"], unique=True, postgresql_where=sa.text("retry_of IS NULL")
    )
    op.create_index(
        "ix_runs_held_back",
        "runs",
        ["state", "not_before"],
        postgresql_where=sa.text("state IN ('blocked', 'retry_wait')"),
    )
    _admit("runs", "state", _MORE_STATES)
    _admit("attempts", "outcome", _MORE_OUTCOMES)
    op.create_check_constraint(op.f("ck_runs_wait"), "runs", "(state = 'retry_wait') <= (not_before IS NOT NULL)")
    for statement in (guards.RULES, guards.NOTES, guards.APPEND_ONLY):
        op.execute(statement)


def downgrade() -> None:
    """Refused by the database where runs are blocked, wait to be tried again or were retried."""
    op.execute("DROP TRIGGER runs_are_noted ON runs")
    op.execute("DROP TRIGGER new_runs_are_noted ON runs")
    op.execute("DROP TRIGGER runs_keep_the_rules ON runs")
    op.drop_constraint(op.f("ck_runs_wait"), "runs", type_="check")
    _admit("attempts", "outcome", _OUTCOMES)
    _admit("runs", "state", _STATES)
    op.drop_index("ix_runs_held_back", "runs")
    op.drop_index("uq_runs_asked", "runs")
    op.drop_index(op.f("ix_runs_experiment_id_seed"), "runs")
    op.create_unique_constraint(op.f("uq_runs_experiment_id_seed"), "runs", ["experiment_id", "seed"])
    op.drop_column("runs", "retry_of")
    op.drop_column("runs", "not_before")
    op.drop_column("workers", "draining")
    op.drop_column("attempts", "devices")
    op.drop_table("audit")
    op.drop_table("needs")
    for function in ("runs_keep_the_rules", "runs_are_noted", "audit_is_only_added_to"):
        op.execute(f"DROP FUNCTION {function}()")


def _admit(table: str, column: str, values: tuple[str, ...]) -> None:
    name = op.f(f"ck_{table}_{column}")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, f"{column} IN ({', '.join(map(repr, values))})")
