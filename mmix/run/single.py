"""One run of one network."""

import math
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from mmix.data.dataset import Dataset, Split
from mmix.data.load import load
from mmix.data.loading import loader
from mmix.errors import Diverged, SetupError
from mmix.evaluation import artifacts
from mmix.evaluation.assess import assess
from mmix.evaluation.documents import Json
from mmix.evaluation.metrics import metrics
from mmix.evaluation.predict import predict
from mmix.evaluation.selections import select
from mmix.models.build import build
from mmix.run.provenance import provenance
from mmix.run.reports import Finished, Places, Report, Saved, Started, Trained
from mmix.spec.evaluation import Evaluation, Noise, ood_metric
from mmix.spec.experiment import ExperimentSpec, digest
from mmix.training import checkpoint
from mmix.training.learner import Learner, load_state, prepare, state
from mmix.training.loop import Epoch, train
from mmix.training.precision import repeatable


def run(
    spec: ExperimentSpec, seed: int, *, places: Places, device: str = "cpu", threads: int | None = None
) -> Generator[Report, None, None]:
    """Trains and evaluates one network, and reports as it goes. Whoever stops asking stops the run.

    On one kind of CPU, with one set of versions and one number of threads, the results depend on nothing but
    `spec`, `seed` and the data: not on an interruption, not on what ran before.

    Raises: SetupError where the device is missing, DataMissing or DataBroken where the data can't be used,
        SpecError where data and model don't fit, Diverged where the loss is no longer a number.
    """
    start = time.perf_counter()
    where = _device(device)
    with repeatable(device=where, threads=threads):
        data = _on(where, load(spec.data, places.data))
        learner = _learner(spec, seed, data, where)
        # Before training: hours must not end in a refusal that could have been the first word.
        artifacts.check(spec.evaluation.artifacts, learner.model, data)
        strange = _strange(spec.evaluation, places.data)
        identity = _identity(spec, seed, data)
        history, search = _resume(learner, identity, places)
        startup_seconds = time.perf_counter() - start
        yield Started(len(history), spec.training.epochs, search.skipped)
        for epoch in train(learner, done=len(history)):
            history.append(_measured(epoch, learner, data, every=spec.evaluation.test_every))
            yield Trained(epoch.number, history[-1], epoch.seconds, epoch.images / epoch.seconds)
            if places.checkpoints is not None:
                yield _save(places.checkpoints, learner, history, identity)
        results = select(history)
        found = assess(
            learner.model,
            data,
            spec,
            seed=seed,
            strange=strange,
            folder=places.artifacts,
        )
        results["last"] |= found.results
        written: list[Json] = [path.name for path in found.written]
        rests_on = provenance(spec, data, learner, startup_seconds)
        yield Finished(results, rests_on | {"diagnostics": found.diagnostics, "artifacts": written})


def _device(name: str) -> torch.device:
    """Raises: SetupError where the machine has no such device."""
    known = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    known += [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if name not in known:
        raise SetupError(f"the device is {name!r}, but torch finds only {', '.join(known)} here")
    return torch.device(name)


def _strange(wanted: Evaluation, folder: Path) -> dict[str, Split]:
    """The test splits of the other data sets that the spec names, under their metrics' names.

    Raises: DataMissing or DataBroken where one of them can't be used.
    """
    others = [each for each in wanted.ood if not isinstance(each, Noise)]
    return {ood_metric(each): load(each, folder).test for each in others}


def _on(device: torch.device, data: Dataset) -> Dataset:
    """The data set with what evaluation reads on the device; the loader takes the training split there."""
    return replace(
        data,
        test=data.test.to(device),
        validation=data.validation and data.validation.to(device),
        statistics=data.statistics.to(device),
    )


def _learner(spec: ExperimentSpec, seed: int, data: Dataset, device: torch.device) -> Learner:
    classes = len(data.classes)
    return prepare(
        spec,
        seed=seed,
        model=build(spec.model, shape=data.shape, classes=classes, seed=seed).to(device),
        loader=loader(data, spec.data, batch_size=spec.training.batch_size, seed=seed, device=device),
        shape=data.shape,
        classes=classes,
        device=device,
    )


def _identity(spec: ExperimentSpec, seed: int, data: Dataset) -> checkpoint.Identity:
    return {"digest": digest(spec), "seed": seed, "data": data.checksum}


def _resume(
    learner: Learner, identity: checkpoint.Identity, places: Places
) -> tuple[list[dict[str, float]], checkpoint.Search]:
    """Puts the learner where an earlier attempt stopped; the metrics of the epochs that are done."""
    folders = [*([places.checkpoints] if places.checkpoints else []), *places.resume]
    search = checkpoint.newest(folders, identity=identity)
    if search.checkpoint is None:
        return [], search
    load_state(learner, search.checkpoint.tensors)
    return list(search.checkpoint.history), search


def _measured(epoch: Epoch, learner: Learner, data: Dataset, *, every: int) -> dict[str, float]:
    """What the epoch came to; the test split is measured after each `every`-th epoch and after the last.

    Raises: Diverged where the last step of the epoch made the predictions something else than numbers.
    """
    trained = {"train_loss": epoch.loss, "train_accuracy_weighted": epoch.accuracy, "lr": epoch.lr} | epoch.mixing
    if epoch.number % every and epoch.number < learner.spec.epochs:
        return trained
    measured = metrics(predict(learner.model, data.test, data.statistics), data.test.y)
    if not all(map(math.isfinite, measured.values())):
        raise Diverged(f"the test loss of epoch {epoch.number} is no number: lower training.optimiser.lr")
    return trained | measured


def _save(folder: Path, learner: Learner, history: Sequence[dict[str, float]], identity: checkpoint.Identity) -> Saved:
    path, sha256 = checkpoint.save(
        folder,
        epoch=len(history),
        tensors=state(learner),
        history=history,
        identity=identity,
    )
    return Saved(len(history), path, sha256)
