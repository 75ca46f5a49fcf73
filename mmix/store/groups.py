"""Groups: a spec under its digest, with what a leaderboard can choose it by."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mmix.spec.data import name_of
from mmix.spec.experiment import ExperimentSpec, canonical, label
from mmix.spec.facets import facets, facets_of_parts, parts_of
from mmix.store import bulk, standings
from mmix.store.tables import Cell, Group

Place = tuple[str, str, str, int, str]
"""Data, model, mixing, epochs and loss: what makes a cell."""


def enrol(session: Session, specs: Mapping[str, ExperimentSpec], *, words: Mapping[str, Collection[str]]) -> None:
    """Has a group of each spec, by its digest, which from now on can also be chosen by these words."""
    lacking = _lacking(session, words)
    missing = {digest: specs[digest] for digest, known in lacking.items() if not known}
    if missing:
        _make(session, missing, words)
        lacking = _lacking(session, words)  # somebody else may have made one of them just before, for other words
    if lacking:
        # In one order for all: nobody waits for another crosswise.
        session.execute(_LOCK, {"digests": sorted(lacking)})
        session.execute(_ADD, {"asked": _asked({digest: words[digest] for digest in lacking})})
    for digest in session.scalars(_WITH_STANDINGS, {"digests": sorted(lacking)}):
        standings.settle(session, digest)


def words_of(owner: str, tags: Iterable[str]) -> tuple[str, ...]:
    """What a group is chosen by because of an experiment."""
    return (f"owner={owner}", *(f"tag={tag}" for tag in tags))


def lock(session: Session, digest: str) -> list[str]:
    """Has the group's standings to itself until the transaction ends, though runs of it can be made; its facets."""
    query = select(Group.facets).where(Group.digest == digest).with_for_update(key_share=True)
    return session.execute(query).scalar_one()


def lock_all(session: Session, *, first: str, last: str) -> None:
    """Has the standings of the groups between two digests to itself, likewise."""
    query = select(Group.digest).where(Group.digest.between(first, last)).order_by(Group.digest)
    session.execute(query.with_for_update(key_share=True)).all()


def look_again(session: Session, digest: str) -> None:
    """Has a locked group chosen by its experiments' tags and owners, and by the devices of its counted runs."""
    session.execute(_LOOK_AGAIN, {"first": digest, "last": digest, "said": "[]"})


def read_again(session: Session, *, first: str, last: str) -> Sequence[str]:
    """Has the groups between two digests chosen by what they are, and in their cell; those where either was wrong.

    They are locked. One whose spec this mmix can't read is chosen by the same of its spec as before.
    """
    rows = session.execute(select(Group.digest, Group.spec).where(Group.digest.between(first, last))).all()
    read = {row.digest: parts for row in rows if (parts := _parts(row.spec)) is not None}
    lies_in = cells(session, {_place(parts) for parts in read.values()})
    said = [
        {"digest": digest, "words": sorted(facets_of_parts(parts)), "cell_id": lies_in[_place(parts)]}
        for digest, parts in read.items()
    ]
    return session.scalars(_LOOK_AGAIN, {"first": first, "last": last, "said": json.dumps(said)}).all()


def cells(session: Session, places: Collection[Place]) -> dict[Place, int]:
    """The cells that lie there; those that nobody was in so far are made."""
    found = _cells(session, places)
    new = sorted(set(places) - set(found))
    if not new:
        return found
    bulk.insert_new(session, Cell, [dict(zip(_PLACE, place, strict=True)) for place in new])
    return _cells(session, places)


def place_of(spec: ExperimentSpec) -> Place:
    """Where the group of a spec lies."""
    return name_of(spec.data), spec.model.kind, spec.mixing.kind, spec.training.epochs, spec.training.loss


def _make(session: Session, specs: Mapping[str, ExperimentSpec], words: Mapping[str, Collection[str]]) -> None:
    lies_in = cells(session, {place_of(spec) for spec in specs.values()})
    rows = [_row(digest, spec, lies_in[place_of(spec)], words[digest]) for digest, spec in sorted(specs.items())]
    bulk.insert_new(session, Group, rows)


def _row(digest: str, spec: ExperimentSpec, cell_id: int, words: Collection[str]) -> dict[str, Any]:
    return {
        "digest": digest,
        "spec": canonical(spec),
        "data": name_of(spec.data),
        "model": spec.model.kind,
        "mixing": spec.mixing.kind,
        "label": label(spec),
        "cell_id": cell_id,
        "facets": sorted({*facets(spec), *words}),
    }


def _parts(document: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        return parts_of(document)
    except ValidationError:
        return None


def _place(parts: Mapping[str, Any]) -> Place:
    training = parts["training"]
    return name_of(parts["data"]), parts["model"].kind, parts["mixing"].kind, training.epochs, training.loss


def _lacking(session: Session, words: Mapping[str, Collection[str]]) -> dict[str, bool]:
    """The digests whose groups can't be chosen by these words yet, and whether there is such a group at all."""
    rows = session.execute(_LACKING, {"asked": _asked(words)})
    return {row.digest: row.known for row in rows}


def _asked(words: Mapping[str, Collection[str]]) -> str:
    return json.dumps([{"digest": digest, "words": [*each]} for digest, each in words.items()])


def _cells(session: Session, places: Collection[Place]) -> dict[Place, int]:
    asked = [dict(zip(_PLACE, place, strict=True)) for place in places]
    rows = session.execute(_FIND_CELLS, {"asked": json.dumps(asked)})
    return {(data, model, mixing, epochs, loss): found for found, data, model, mixing, epochs, loss in rows}


_PLACE = ("data", "model", "mixing", "epochs", "loss")
_FIND_CELLS = text(
    """
    SELECT cells.id, data, model, mixing, epochs, loss FROM cells JOIN
        jsonb_to_recordset(CAST(:asked AS jsonb)) AS asked(data text, model text, mixing text, epochs int, loss text)
    USING (data, model, mixing, epochs, loss)
    """
)
_ASKED = "jsonb_to_recordset(CAST(:asked AS jsonb)) AS asked(digest text, words text[])"
_LACKING = text(
    f"""
    SELECT asked.digest, groups.digest IS NOT NULL AS known FROM {_ASKED} LEFT JOIN groups USING (digest)
    WHERE groups.digest IS NULL OR NOT facets @> words
    """
)
_LOCK = text("SELECT digest FROM groups WHERE digest = ANY(:digests) ORDER BY digest FOR NO KEY UPDATE")
_ADD = text(
    f"""
    UPDATE groups SET facets = ARRAY(SELECT DISTINCT unnest(facets || words) ORDER BY 1)
    FROM {_ASKED} WHERE groups.digest = asked.digest
    """
)
_WITH_STANDINGS = text("SELECT DISTINCT digest FROM leaderboard WHERE digest = ANY(:digests) ORDER BY digest")
_LOOK_AGAIN = text(
    """
    WITH said AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(CAST(:said AS jsonb)) AS said(digest text, words text[], cell_id int)
    ), due AS (
        SELECT g.digest, coalesce(said.cell_id, g.cell_id) AS cell_id, ARRAY(
            SELECT unnest(said.words)
            UNION SELECT word FROM unnest(facets) AS word
                WHERE said.words IS NULL AND word !~ '^(tag|owner|device)='
            UNION SELECT 'tag=' || tag FROM experiments, unnest(tags) AS tag WHERE digest = g.digest
            UNION SELECT 'owner=' || owner FROM experiments WHERE digest = g.digest
            UNION SELECT 'device=' || device FROM entries WHERE digest = g.digest AND device IS NOT NULL
            ORDER BY 1
        ) AS facets
        FROM groups AS g LEFT JOIN said ON said.digest = g.digest WHERE g.digest BETWEEN :first AND :last
    )
    UPDATE groups SET facets = due.facets, cell_id = due.cell_id FROM due
    WHERE groups.digest = due.digest AND (groups.facets, groups.cell_id) IS DISTINCT FROM (due.facets, due.cell_id)
    RETURNING groups.digest
    """
)
