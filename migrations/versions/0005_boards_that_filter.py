"""groups say what they can be filtered by, standings who is best"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from pydantic import ValidationError
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from mmix.spec.facets import facets_of

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_CHUNK = 1000
_PLACE_COLUMNS: dict[str, Any] = {
    "data": sa.Text(),
    "model": sa.Text(),
    "mixing": sa.Text(),
    "epochs": sa.Integer(),
    "loss": sa.Text(),
}
_SAMPLE = "digest < '01'"


def upgrade() -> None:
    # In the order in which claims, renewals and ends come upon them: crosswise, each would wait for the other.
    op.execute("LOCK TABLE runs, attempts, results, entries, leaderboard IN SHARE ROW EXCLUSIVE MODE")
    op.execute("LOCK TABLE entries, leaderboard, experiments, groups")
    op.create_table(
        "cells",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("mixing", sa.Text(), nullable=False),
        sa.Column("epochs", sa.Integer(), nullable=False),
        sa.Column("loss", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cells")),
        sa.UniqueConstraint(
            "data", "model", "mixing", "epochs", "loss", name=op.f("uq_cells_data_model_mixing_epochs_loss")
        ),
    )
    op.add_column("groups", sa.Column("cell_id", sa.Integer(), nullable=True))
    op.add_column("groups", _list("facets", sa.Text()))
    op.create_foreign_key(op.f("fk_groups_cell_id"), "groups", "cells", ["cell_id"], ["id"])
    op.add_column("entries", sa.Column("device", sa.Text(), nullable=True))
    for name, kind in (("low", sa.Double()), ("low_seed", sa.BigInteger())):
        op.add_column("leaderboard", sa.Column(name, kind, nullable=True))
        op.add_column("leaderboard", sa.Column(name.replace("low", "high"), kind, nullable=True))
    op.add_column("leaderboard", sa.Column("cell_id", sa.Integer(), nullable=True))
    for name, kind in _PLACE_COLUMNS.items():
        op.add_column("leaderboard", sa.Column(name, kind, nullable=True))
    op.add_column("leaderboard", _list("facets", sa.Integer()))
    op.create_index(op.f("ix_experiments_digest"), "experiments", ["digest"])
    op.create_index("ix_runs_succeeded", "runs", ["digest", "seed"], postgresql_where=sa.text("state = 'succeeded'"))
    _fill(op.get_bind())
    op.create_index(
        op.f("ix_groups_facets"), "groups", ["facets"], postgresql_using="gin", postgresql_with={"fastupdate": "off"}
    )
    op.create_index(
        op.f("ix_leaderboard_cell_id_metric_selection_mean_digest"),
        "leaderboard",
        ["cell_id", "metric", "selection", "mean", "digest"],
    )
    for name in _PLACE_COLUMNS:
        op.create_index(
            op.f(f"ix_leaderboard_metric_selection_{name}_mean_digest"),
            "leaderboard",
            ["metric", "selection", name, "mean", "digest"],
        )
    op.create_index(op.f("ix_leaderboard_metric_selection_n"), "leaderboard", ["metric", "selection", "n"])
    op.create_index(
        "ix_leaderboard_sample",
        "leaderboard",
        ["metric", "selection", "mean", "digest"],
        postgresql_where=sa.text(_SAMPLE),
    )


def downgrade() -> None:
    op.execute("LOCK TABLE runs, entries, leaderboard, experiments, groups")
    for name in ("ix_leaderboard_sample", "ix_leaderboard_metric_selection_n"):
        op.drop_index(name, "leaderboard")
    op.drop_index(op.f("ix_leaderboard_cell_id_metric_selection_mean_digest"), "leaderboard")
    for name in _PLACE_COLUMNS:
        op.drop_index(op.f(f"ix_leaderboard_metric_selection_{name}_mean_digest"), "leaderboard")
        op.drop_column("leaderboard", name)
    op.drop_index("ix_runs_succeeded", "runs")
    op.drop_index(op.f("ix_experiments_digest"), "experiments")
    for name in ("facets", "cell_id", "high_seed", "high", "low_seed", "low"):
        op.drop_column("leaderboard", name)
    op.drop_column("entries", "device")
    op.drop_column("groups", "facets")
    op.drop_column("groups", "cell_id")
    op.drop_table("cells")


def _list(name: str, of: Any) -> sa.Column[Any]:
    return sa.Column(name, postgresql.ARRAY(of), server_default=sa.text("'{}'"), nullable=False)


def _fill(connection: Connection) -> None:
    """Works out from what is stored what is new; what a later mmix would say otherwise, its rebuild mends."""
    last = ""
    query = sa.text("SELECT digest, spec, data, model, mixing FROM groups WHERE digest > :last ORDER BY 1 LIMIT :chunk")
    while rows := connection.execute(query, {"last": last, "chunk": _CHUNK}).all():
        connection.execute(
            sa.text("UPDATE groups SET facets = :facets WHERE digest = :digest"), list(map(_facets, rows))
        )
        last = rows[-1].digest
    for statement in (_CELLS, _LIES_IN, _DEVICES, _WORDS, _STANDINGS):
        connection.execute(sa.text(statement))


def _facets(row: Any) -> dict[str, Any]:
    try:
        found = facets_of(row.spec)
    except ValidationError:  # of a kind that this mmix knows no more
        found = (f"data={row.data}", f"mixing.kind={row.mixing}", f"model.kind={row.model}")
    return {"digest": row.digest, "facets": list(found)}


_PLACE = """
    groups.data, groups.model, groups.mixing, coalesce((spec -> 'training' ->> 'epochs')::int, 0) AS epochs,
    coalesce(spec -> 'training' ->> 'loss', 'ce') AS loss
"""
_CELLS = f"INSERT INTO cells (data, model, mixing, epochs, loss) SELECT DISTINCT {_PLACE} FROM groups"
_LIES_IN = f"""
    UPDATE groups SET cell_id = cells.id FROM (SELECT digest, {_PLACE} FROM groups) AS place
    JOIN cells USING (data, model, mixing, epochs, loss) WHERE groups.digest = place.digest
"""
_DEVICES = """
    UPDATE entries SET device = split_part(provenance ->> 'device', ':', 1) FROM attempts
    WHERE attempts.run_id = entries.run_id AND outcome = 'succeeded' AND provenance ->> 'device' IS NOT NULL
"""
_WORDS = """
    UPDATE groups SET facets = ARRAY(
        SELECT unnest(facets)
        UNION SELECT 'tag=' || tag FROM experiments, unnest(tags) AS tag WHERE experiments.digest = groups.digest
        UNION SELECT 'owner=' || owner FROM experiments WHERE experiments.digest = groups.digest
        UNION SELECT 'device=' || device FROM entries WHERE entries.digest = groups.digest AND device IS NOT NULL
        ORDER BY 1
    )
"""
_STANDINGS = """
    UPDATE leaderboard SET n = found.n, mean = found.mean, m2 = found.m2, low = found.low, low_seed = found.low_seed,
        high = found.high, high_seed = found.high_seed, cell_id = groups.cell_id, data = cells.data,
        model = cells.model, mixing = cells.mixing, epochs = cells.epochs, loss = cells.loss,
        facets = ARRAY(SELECT hashtext(word) FROM unnest(groups.facets) AS word)
    FROM (
        SELECT digest, metric, selection, count(*)::int AS n,
            avg(value ORDER BY seed) AS mean, regr_sxx(value, value ORDER BY seed) AS m2,
            min(value) AS low, (array_agg(seed ORDER BY value, seed))[1] AS low_seed,
            max(value) AS high, (array_agg(seed ORDER BY value DESC, seed))[1] AS high_seed
        FROM entries JOIN results ON results.run_id = entries.run_id GROUP BY digest, metric, selection
    ) AS found JOIN groups USING (digest) JOIN cells ON cells.id = cell_id
    WHERE (leaderboard.digest, leaderboard.metric, leaderboard.selection)
        = (found.digest, found.metric, found.selection)
"""
