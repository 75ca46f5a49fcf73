"""The arms of a comparison as statistics wants them, from rows and artifacts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from uuid import UUID

import numpy as np

from api import artifacts
from api.artifacts import LOGITS, PER_IMAGE, REALISATIONS, Numbers
from mmix.comparison import Arm, Unit
from mmix.store.comparisons import ArmView, ComparisonView
from mmix.store.findings import Finding

RATIOS = ("relative_excess_risk",)
"""Of many networks these are ratios of means, which only a whole run has."""

MOST_NUMBERS = 20_000_000
"""Of single test images over all runs, 160 MB: beyond, runs are compared by their means alone."""

Selections = dict[str, dict[Unit, float]]
Images = dict[Unit, Numbers]
Members = dict[int, Finding]
"""An arm's finished runs by their seeds."""


@dataclass(frozen=True)
class Source:
    """Where to find what runs have found of one metric: rows, and the place of their artifacts."""

    metric: str
    findings: Mapping[UUID, Finding]
    root: str


def gather(view: ComparisonView, source: Source) -> list[Arm]:
    """The arms as far as they are measured, in order: a unit is a seed, or a network where runs have many.

    Raises: StorageError
    """
    members = {arm.name: _members(arm, source) for arm in view.arms}
    networks = _networks([found for each in members.values() for found in each.values()], source)
    if networks is None:
        return [_arm(arm, members[arm.name], _by_seed(members[arm.name])) for arm in view.arms]
    return [_arm(arm, members[arm.name], _by_network(members[arm.name], networks)) for arm in view.arms]


def single_images(view: ComparisonView, source: Source, arms: Sequence[Arm]) -> dict[str, Images]:
    """The metric of each test image by arm and unit, for those arms all of whose runs have kept their logits.

    Nothing where the arms weren't tested on the same images, or not a seed is a unit.

    Raises: StorageError
    """
    if source.metric not in PER_IMAGE:
        return {}
    found: dict[str, Images] = {}
    tested: set[bytes] = set()
    numbers = 0
    for arm, measured in zip(view.arms, arms, strict=True):
        images: Images = {}
        for seed, finding in _members(arm, source).items():
            read = artifacts.logits(_folder(finding, source)) if LOGITS in finding.artifacts else None
            if read is None or (seed,) not in measured.values:
                images = {}
                break
            logits, labels = read
            images[seed,] = artifacts.per_image(source.metric, logits, labels)
            tested.add(labels.tobytes())
            numbers += len(labels)
            if len(tested) > 1 or numbers > MOST_NUMBERS:
                return {}
        if images and all(np.isfinite(each).all() for each in images.values()):
            found[arm.name] = images
    return found


def _members(arm: ArmView, source: Source) -> Members:
    return {run.seed: source.findings[run.id] for run in arm.runs if run.id in source.findings}


def _folder(finding: Finding, source: Source) -> str:
    return artifacts.folder(source.root, run_id=finding.run_id, attempt=finding.attempt)


def _networks(findings: Sequence[Finding], source: Source) -> dict[UUID, dict[str, list[float | None]]] | None:
    """Each network's values by run and selection; None unless all runs have them."""
    if source.metric in RATIOS or not all(REALISATIONS in each.artifacts for each in findings):
        return None
    found: dict[UUID, dict[str, list[float | None]]] = {}
    for each in findings:
        known = artifacts.realisations(_folder(each, source))
        if known is None or source.metric not in known["last"]:
            return None
        found[each.run_id] = {name: values[source.metric] for name, values in known.items() if source.metric in values}
    return found


def _by_seed(members: Members) -> Selections:
    found: Selections = {}
    for seed, finding in members.items():
        for selection, value in finding.selections.items():
            if isfinite(value):
                found.setdefault(selection, {})[seed,] = value
    return found


def _by_network(members: Members, networks: Mapping[UUID, Mapping[str, Sequence[float | None]]]) -> Selections:
    found: Selections = {}
    for seed, finding in members.items():
        for selection, values in networks[finding.run_id].items():
            known: dict[Unit, float] = {(seed, place): value for place, value in enumerate(values) if value is not None}
            found.setdefault(selection, {}).update(known)
    return found


def _arm(arm: ArmView, members: Members, selections: Selections) -> Arm:
    cost: dict[str, dict[Unit, float]] = {"epochs": {(seed,): arm.spec["training"]["epochs"] for seed in members}}
    for seed, finding in members.items():
        for name, value in finding.cost.items():
            cost.setdefault(name, {})[seed,] = value
    return Arm(
        name=arm.name,
        values=selections.get("last", {}),
        selections={name: values for name, values in selections.items() if name != "last"},
        cost=cost,
        curves={
            (seed,): [(epoch, value) for epoch, value in finding.curve if isfinite(value)]
            for seed, finding in members.items()
            if finding.curve
        },
    )
