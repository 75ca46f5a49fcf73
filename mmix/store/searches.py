"""The queries for each way to the best groups, and for all groups in their order."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, assert_never

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from mmix.store.samples import Samples, survey
from mmix.store.tables import NUMBERS
from mmix.store.ways import FACETS, Chosen, Part, Plan, Way, plan


def best(session: Session, chosen: Chosen, samples: Samples, *, limit: int) -> Sequence[Any]:
    """The first `limit` groups: digest, n and what the group is."""
    planned = _plan(session, chosen, samples, limit=limit)
    found: Sequence[Any] = []
    if planned.first is not None:
        found = along(session, planned.first.walk, chosen, limit=limit, most=planned.first.most)
    if len(found) < limit:
        found = along(session, planned.way, chosen, limit=limit)
    # Two words may have one number, by which they were looked for; by the words themselves, that can't be.
    return found if all(row.is_right for row in found) else along(session, "words", chosen, limit=limit)


def along(session: Session, way: Way, chosen: Chosen, *, limit: int, most: int | None = None) -> Sequence[Any]:
    """The same, this way; on a walk, those that are found until it has passed so many."""
    return session.execute(_page(_shape(chosen), way), {**_values(chosen), "limit": limit, "most": most}).all()


def everything(
    session: Session, chosen: Chosen, *, others: Sequence[tuple[str, str]], limit: int | None, at_once: int
) -> Any:
    """All the groups, as they are read: what each is, its standing, and those in `others` (metric, selection)."""
    names = {f"metric_{i}": metric for i, (metric, _) in enumerate(others)}
    names |= {f"selection_{i}": selection for i, (_, selection) in enumerate(others)}
    statement = _listing(_shape(chosen), len(others))
    values = {**_values(chosen), **names, "limit": limit}
    return session.execute(statement, values, execution_options={"stream_results": True, "max_row_buffer": at_once})


def _plan(session: Session, chosen: Chosen, samples: Samples, *, limit: int) -> Plan:
    if not chosen.cell and not chosen.facets and chosen.min_n <= 1:
        return Plan("all")
    drawn = samples.of(session, metric=chosen.metric, selection=chosen.selection)
    session.execute(_IN_ORDER)
    return plan(survey(drawn, chosen), chosen, limit=limit)


@dataclass(frozen=True)
class _Shape:
    """What of a query isn't in its parameters."""

    falling: bool
    cell: tuple[Part, ...]
    kinds: tuple[Part, ...]
    facets: bool

    @property
    def order(self) -> str:
        return "mean DESC, digest DESC" if self.falling else "mean, digest"

    @property
    def cells(self) -> str:
        asked = [*(f"{part} = :{part}" for part in self.cell), *(f"{part} = ANY(:kinds_{part})" for part in self.kinds)]
        return f"SELECT id FROM cells WHERE {' AND '.join(asked) or 'true'}"

    @property
    def standings(self) -> str:
        after = "<" if self.falling else ">"
        return f"metric = :metric AND selection = :selection AND (mean, digest) {after} (:mean, :digest)"

    @property
    def fits(self) -> str:
        if not self.facets:
            return "true"
        return "l.facets @> (SELECT array_agg(hashtext(word)) FROM unnest(CAST(:facets AS text[])) AS word)"

    @property
    def here(self) -> str:
        """That a standing is in the right cell, asked so that no index answers."""
        return " AND ".join(f"l.{part} IS NOT DISTINCT FROM :{part}" for part in self.cell) or "true"


def _shape(chosen: Chosen) -> _Shape:
    return _Shape(chosen.falling, tuple(chosen.cell), tuple(chosen.kinds), bool(chosen.facets))


def _values(chosen: Chosen) -> dict[str, Any]:
    mean, digest = chosen.after or ((float("inf"), "~") if chosen.falling else (float("-inf"), ""))
    words = [*chosen.facets, *(f"{FACETS[part]}={value}" for part, value in chosen.cell.items())]
    cell: dict[str, Any] = {str(part): value for part, value in chosen.cell.items()}
    cell |= {f"kinds_{part}": list(names) for part, names in chosen.kinds.items()}
    return {
        "metric": chosen.metric,
        "selection": chosen.selection,
        "mean": mean,
        "digest": digest,
        "facets": list(chosen.facets),
        "words": words,
        "min_n": chosen.min_n,
        **cell,
    }


# PostgreSQL takes facets for rare, and would rather sort all that it finds than walk in order and stop.
_IN_ORDER = text("SELECT set_config('enable_sort', 'off', true)")


@cache
def _page(shape: _Shape, way: Way) -> TextClause:
    words = "words" if way == "numbers" else "facets"
    return text(
        f"""
        WITH {_found(shape, way)}, best AS (SELECT * FROM found ORDER BY {shape.order} LIMIT :limit)
        SELECT groups.facets @> CAST(:{words} AS text[]) AS is_right, digest, n, spec::text, label, groups.data,
            groups.model, groups.mixing, epochs, loss
        FROM best JOIN groups USING (digest) LEFT JOIN cells ON cells.id = cell_id ORDER BY {shape.order}
        """
    )


def _found(shape: _Shape, way: Way) -> str:
    """The CTE `found`: groups among which the first ones by all filters are, with n and mean."""
    enough = f"n >= :min_n AND {shape.fits}"
    match way:
        case "all" | "data" | "model" | "mixing" | "epochs" | "loss":
            this = "" if way == "all" else f"AND {way} = :{way}"
            return f"""passed AS (
                SELECT * FROM leaderboard WHERE {shape.standings} {this} ORDER BY {shape.order}
                LIMIT CAST(:most AS bigint)
            ), found AS (
                SELECT digest, n, mean FROM passed AS l WHERE {enough} AND {shape.here} ORDER BY {shape.order}
                LIMIT :limit
            )"""
        case "cells":
            return _by_cells(shape, enough)
        case "words":
            return f"""chosen AS MATERIALIZED (
                SELECT digest FROM groups WHERE facets @> CAST(:words AS text[])
            ), found AS MATERIALIZED (
                SELECT standing.* FROM chosen CROSS JOIN LATERAL (
                    SELECT digest, n, mean FROM leaderboard AS l
                    WHERE l.digest = chosen.digest AND {shape.standings} AND n >= :min_n LIMIT 1
                ) AS standing
            )"""
        case "numbers":
            return f"""hit AS MATERIALIZED (
                SELECT digest, n, mean, metric, selection FROM leaderboard WHERE {NUMBERS} @> (
                    SELECT array_append(array_agg(hashtext(word)), hashtext(:metric || ' ' || :selection))
                    FROM unnest(CAST(:words AS text[])) AS word
                )
            ), found AS (
                SELECT digest, n, mean FROM hit WHERE {shape.standings} AND n >= :min_n
            )"""
        case "counts":
            return f"""found AS MATERIALIZED (
                SELECT digest, n, mean FROM leaderboard AS l
                WHERE {shape.standings} AND {enough} AND {shape.here}
            )"""
        case _:
            assert_never(way)


def _by_cells(shape: _Shape, enough: str) -> str:
    """The first few of each cell bound the best of all, which lie in the cells that have the best of these few."""
    unbound = "'-Infinity'" if shape.falling else "'Infinity'"
    worst, within = ("min", ">=") if shape.falling else ("max", "<=")
    inside = f"FROM leaderboard AS l WHERE l.cell_id = {{cell}} AND {shape.standings} AND {enough}"
    return f"""left_over AS MATERIALIZED ({shape.cells}), firsts AS MATERIALIZED (
            SELECT left_over.id, first.mean FROM left_over CROSS JOIN LATERAL (
                SELECT mean, digest {inside.format(cell="left_over.id")} ORDER BY {shape.order}
                LIMIT (SELECT 1 + 3 * :limit / greatest(count(*), 1) FROM left_over)
            ) AS first ORDER BY {shape.order} LIMIT :limit
        ), bound AS MATERIALIZED (
            SELECT CASE WHEN count(*) < :limit THEN {unbound} ELSE {worst}(mean) END AS mean FROM firsts
        ), found AS (
            SELECT more.* FROM (SELECT DISTINCT id FROM firsts) AS promising CROSS JOIN LATERAL (
                SELECT digest, n, mean {inside.format(cell="promising.id")}
                AND l.mean {within} (SELECT mean FROM bound) ORDER BY {shape.order} LIMIT :limit
            ) AS more
        )"""


@cache
def _listing(shape: _Shape, others: int) -> TextClause:
    names = ("n", "mean", "m2", "low", "low_seed", "high", "high_seed")
    tables = ("l", *(f"l{i}" for i in range(others)))
    columns = ", ".join(f"{table}.{name}" for table in tables for name in names)
    joins = " ".join(
        f"LEFT JOIN leaderboard AS l{i} ON l{i}.digest = l.digest AND l{i}.metric = :metric_{i} "
        f"AND l{i}.selection = :selection_{i}"
        for i in range(others)
    )
    right = "groups.facets @> CAST(:facets AS text[])" if shape.facets else "true"
    return text(
        f"""
        SELECT l.digest, label, groups.data, groups.model, groups.mixing, cells.epochs, cells.loss, {columns}
        FROM (
            SELECT * FROM leaderboard AS l
            WHERE {shape.standings} AND n >= :min_n AND {shape.fits} AND {shape.here}
        ) AS l
        JOIN groups ON groups.digest = l.digest LEFT JOIN cells ON cells.id = groups.cell_id {joins}
        WHERE {right} ORDER BY {", ".join(f"l.{name}" for name in shape.order.split(", "))}
        LIMIT CAST(:limit AS bigint)
        """
    )
