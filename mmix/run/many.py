"""One run of many small networks, each on a data set of its own."""

import hashlib
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from mmix.data.dataset import Dataset
from mmix.data.load import load
from mmix.data.loading import loader
from mmix.errors import Diverged
from mmix.evaluation import realisations
from mmix.evaluation.assess import Assessment, judge
from mmix.evaluation.documents import Json
from mmix.evaluation.metrics import metrics
from mmix.evaluation.predict import predict
from mmix.evaluation.selections import select
from mmix.models.build import build
from mmix.models.staged import Staged
from mmix.run import devices, keeping
from mmix.run.provenance import machine
from mmix.run.reports import Finished, Places, Report, Started, reported
from mmix.spec.data import Points
from mmix.spec.evaluation import METRICS, PASSES
from mmix.spec.experiment import ExperimentSpec, digest
from mmix.training import checkpoint
from mmix.training.loop import Epoch
from mmix.training.memory import keep_memory
from mmix.training.passes import passes
from mmix.training.precision import repeatable
from mmix.training.realisations import Learners, load_state, prepare, state
from mmix.training.realisations_loop import train

_BYTES_A_WEIGHT = 12  # itself and Adam's two moments
_BYTES_AN_EPOCH = 64 * 2**20

MEASURED = "measured"
"""Under this name a checkpoint has each network's metrics of predictions, (epochs measured, n, 3), float64."""


@dataclass(frozen=True, eq=False)
class Family:
    """The realisations of a spec: what each would be alone, its seed, and its data on the device.

    mould: a network of the family's shape, for whichever weights are looked at. measured: of each epoch at which the
    test split was measured, (n, 3) by METRICS.
    """

    spec: ExperimentSpec
    alone: tuple[ExperimentSpec, ...]
    seeds: tuple[int, ...]
    data: tuple[Dataset, ...]
    mould: Staged
    measured: list[Tensor] = field(default_factory=list)


def run(
    spec: ExperimentSpec, seed: int, *, places: Places, device: str = "cpu", threads: int | None = None
) -> Generator[Report, None, None]:
    """Trains and evaluates the spec's realisations at once; realisation i is the run of seed + i on data.seed + i.

    Numbers equal those of the run alone but for the order of sums within a matrix product. The curves and results
    are means over the realisations (mmix.evaluation.realisations); `realisations.json`, written where artifacts go, has
    each one's own.
    Differs: the gradients at the inputs, and what a training says of itself, are no results as they are of a run of one
        network: the former would take longer than all else, the latter are in the curves, as means.

    Raises: SetupError where the device is missing, SpecError where the sizes don't fit the data, Diverged where the
        loss of one realisation is no longer a number, which fails the run: a mean over the others would flatter.
    """
    start = time.perf_counter()
    where = devices.find(device)
    with repeatable(device=where, threads=threads):
        family, learners = _prepared(spec, seed, places.data, where)
        keep_memory()  # not before: what reading the data took for a moment would stay, too
        identity: checkpoint.Identity = {"digest": digest(spec), "seed": seed, "data": _checksum(family)}
        history, search = _resume(learners, family, identity, places)
        startup_seconds = time.perf_counter() - start
        yield Started(len(history), spec.training.epochs, search.skipped)
        for epoch in train(learners, done=len(history)):
            history.append(_measured(epoch, learners, family))
            yield reported(epoch, history[-1], steps=len(learners.loaders[0].sizes))
            if places.checkpoints is not None and _worth_saving(epoch.number, family):
                yield keeping.save(places, tensors=_state(learners, family), history=history, identity=identity)
        found = _judged(learners, family)
        results = _results(family, learners, history, found)
        written = _written(places.artifacts, family, results)
        rests_on = _provenance(family, learners, startup_seconds)
        yield Finished(realisations.means(results), rests_on | _diagnostics(found) | {"artifacts": written})


def alone(spec: ExperimentSpec, place: int) -> ExperimentSpec:
    """The spec whose run, with the seed plus `place`, is this realisation."""
    assert isinstance(spec.data, Points)
    data = spec.data.model_copy(update={"seed": spec.data.seed + place, "realisations": 1})
    return spec.model_copy(update={"data": data})


def _worth_saving(epoch: int, family: Family) -> bool:
    """Whether this epoch gets a checkpoint: so many epochs apart that each has at most 64 MiB to pay for it.

    A hundred networks of the toy study are 630 MB with Adam's moments, which take as long to write as an epoch to
    train. Of a finished family nobody asks the weights, so one that is thinned out doesn't keep its last ones.
    """
    weights = sum(parameter.numel() for parameter in family.mould.parameters())
    apart = -(-weights * len(family.seeds) * _BYTES_A_WEIGHT // _BYTES_AN_EPOCH)
    return epoch % apart == 0 and (apart == 1 or epoch < family.spec.training.epochs)


def _prepared(spec: ExperimentSpec, seed: int, folder: Path, device: torch.device) -> tuple[Family, Learners]:
    assert isinstance(spec.data, Points)
    specs = tuple(alone(spec, place) for place in range(spec.data.realisations))
    seeds = tuple(seed + place for place in range(spec.data.realisations))
    data = tuple(devices.put(load(each.data, folder), device) for each in specs)
    shape, classes, batch_size = data[0].shape, len(data[0].classes), spec.training.batch_size
    networks = [_network(spec, shape, classes, each) for each in seeds]
    learners = prepare(
        spec,
        seeds=seeds,
        networks=networks,
        loaders=[
            loader(each, spec.data, batch_size=batch_size, seed=own, device=device)
            for each, own in zip(data, seeds, strict=True)
        ],
        shape=shape,
        classes=classes,
        device=device,
    )
    return Family(spec, specs, seeds, data, mould=networks[0].to(device)), learners


def _network(spec: ExperimentSpec, shape: tuple[int, ...], classes: int, seed: int) -> Staged:
    network = build(spec.model, shape=shape, classes=classes, seed=seed)
    assert isinstance(network, Staged)
    return network


def _checksum(family: Family) -> str:
    return hashlib.sha256("".join(data.checksum for data in family.data).encode()).hexdigest()


def _resume(
    learners: Learners, family: Family, identity: checkpoint.Identity, places: Places
) -> tuple[list[dict[str, float]], checkpoint.Search]:
    """Puts learners and family where an earlier attempt stopped; the mean metrics of the epochs that are done."""
    search = keeping.search(places, identity=identity)
    if search.checkpoint is None:
        return [], search
    load_state(learners, search.checkpoint.tensors)
    family.measured.extend(search.checkpoint.tensors[MEASURED])
    return list(search.checkpoint.history), search


def _measured(epoch: Epoch, learners: Learners, family: Family) -> dict[str, float]:
    """What the epoch came to, on average; the test split as often as the spec asks, and after the last epoch.

    Raises: Diverged where the last step of the epoch made a network's predictions something else than numbers.
    """
    trained = {"train_loss": epoch.loss, "train_accuracy_weighted": epoch.accuracy, "lr": epoch.lr} | epoch.mixing
    if epoch.number % family.spec.evaluation.test_every and epoch.number < family.spec.training.epochs:
        return trained
    rows = [_tested(learners, family, place) for place in range(len(family.seeds))]
    found = torch.tensor(rows, dtype=torch.float64)
    lost = (~found.isfinite().all(1)).nonzero().flatten().tolist()
    if lost:
        raise Diverged(
            f"the test loss of realisation {lost[0]} (seed {family.seeds[lost[0]]}) in epoch {epoch.number} is no "
            "number: lower training.optimiser.lr; no realisation has results"
        )
    family.measured.append(found)
    return trained | dict(zip(METRICS, found.mean(0).tolist(), strict=True))


def _tested(learners: Learners, family: Family, place: int) -> list[float]:
    data = family.data[place]
    found = metrics(predict(learners.network(place, family.mould), data.test, data.statistics), data.test.y)
    return [found[name] for name in METRICS]


def _state(learners: Learners, family: Family) -> dict[str, Tensor]:
    measured = torch.stack(family.measured) if family.measured else torch.empty(0, len(family.seeds), len(METRICS))
    return state(learners) | {MEASURED: measured}


def _judged(learners: Learners, family: Family) -> list[Assessment]:
    return [
        judge(learners.network(place, family.mould), data, spec)
        for place, (data, spec) in enumerate(zip(family.data, family.alone, strict=True))
    ]


def _results(
    family: Family, learners: Learners, history: Sequence[dict[str, float]], found: Sequence[Assessment]
) -> list[dict[str, dict[str, float]]]:
    """By realisation, selection and metric: the selections are each realisation's own, not those of the means."""
    results = [select(_own_history(family, history, place)) for place in range(len(family.seeds))]
    for own, judged, seed, batches in zip(results, found, family.seeds, learners.loaders, strict=True):
        cost = passes(family.spec, seed=seed, images=batches.images, sizes=batches.sizes)
        own["last"] |= judged.results | {PASSES: cost}
    return results


def _own_history(family: Family, history: Sequence[dict[str, float]], place: int) -> list[dict[str, float]]:
    measured = iter(family.measured)
    return [
        dict(zip(METRICS, next(measured)[place].tolist(), strict=True)) if METRICS[0] in epoch else {}
        for epoch in history
    ]


def _written(folder: Path | None, family: Family, results: Sequence[realisations.Results]) -> list[Json]:
    if folder is None:
        return []
    data_seeds = [spec.data.seed for spec in family.alone if isinstance(spec.data, Points)]
    return [realisations.write(folder, results, data_seeds=data_seeds, seeds=family.seeds).name]


def _diagnostics(found: Sequence[Assessment]) -> dict[str, Json]:
    """What is no metric, as a list with each realisation's value at its place."""
    names = found[0].diagnostics
    return {"diagnostics": {name: [judged.diagnostics[name] for judged in found] for name in names}}


def _provenance(family: Family, learners: Learners, startup_seconds: float) -> dict[str, Json]:
    first = family.data[0]
    parameters = sum(parameter.numel() for block in learners.blocks for parameter in block.model.parameters())
    return {
        **machine(learners.device),
        "precision": family.spec.training.precision,
        "data": first.name,
        "data_checksum": _checksum(family),
        "train_images": len(first.train),
        "test_images": len(first.test),
        "classes": len(first.classes),
        "realisations": len(family.seeds),
        "parameters": parameters,  # of all networks together
        "startup_seconds": startup_seconds,
    }
