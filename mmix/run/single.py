"""One run of one network."""

import math
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from mmix.data.dataset import Dataset, Split
from mmix.data.load import load
from mmix.data.loading import loader
from mmix.errors import Diverged
from mmix.evaluation import artifacts
from mmix.evaluation.assess import Assessment, assess
from mmix.evaluation.documents import Json
from mmix.evaluation.metrics import metrics
from mmix.evaluation.predict import BATCH, predict
from mmix.evaluation.selections import of_training, select
from mmix.mixing.shares import Shares
from mmix.models.build import build
from mmix.run import devices, keeping
from mmix.run.provenance import provenance
from mmix.run.reports import Finished, Places, Report, Started, reported
from mmix.spec.evaluation import PASSES, Evaluation, Noise, ood_metric
from mmix.spec.experiment import ExperimentSpec, digest
from mmix.training import checkpoint
from mmix.training.compilation import compile_network
from mmix.training.learner import Learner, load_state, prepare, state
from mmix.training.loop import Epoch, train
from mmix.training.memory import keep_memory
from mmix.training.passes import passes
from mmix.training.precision import repeatable
from mmix.training.ranks import Ranks, joined, own_device, shares
from mmix.training.sync_norm import synchronise

_MANY_CHECKPOINTS = 200
_STEPS_APART = 20


def run(
    spec: ExperimentSpec, seed: int, *, places: Places, device: str = "cpu", threads: int | None = None
) -> Generator[Report, None, None]:
    """Trains and evaluates one network, and reports as it goes. Whoever stops asking stops the run.

    On one kind of CPU, with one set of versions and one number of threads, the results depend on nothing but
    `spec`, `seed` and the data: not on an interruption, not on what ran before.

    With several `training.devices` torchrun has started as many processes, and all of them run this, asking for the
    next report at about the same time. The first one alone writes, and reports what it saved and the results; the
    others end with the training, so that nobody waits for the final assessment.

    Raises: SetupError where the device is missing or not as many processes run as the training has devices,
        DataMissing or DataBroken where the data can't be used, SpecError where data and model don't fit, Diverged
        where the loss is no longer a number.
    """
    start = time.perf_counter()
    where = own_device(devices.find(device), spec.training.devices)
    with repeatable(device=where, threads=threads):
        with joined(spec.training.devices, where) as ranks:
            data = devices.put(load(spec.data, places.data), where)
            learner = _learner(spec, seed, data, where, ranks)
            data = replace(data, train=learner.loader.split)  # else the pixels would lie in memory twice
            keep_memory()  # not before: what reading the data took for a moment would stay, too
            # Before training: hours must not end in a refusal that could have been the first word.
            artifacts.check(spec.evaluation.artifacts, learner.model, data)
            strange = _strange(spec.evaluation, places.data) if ranks.leads else {}
            identity = _identity(spec, seed, data)
            history, search = _resume(learner, identity, places)
            startup_seconds = time.perf_counter() - start
            yield Started(len(history), spec.training.epochs, search.skipped)
            for epoch in train(learner, done=len(history)):
                history.append(_measured(epoch, learner, data, every=spec.evaluation.test_every))
                yield reported(epoch, history[-1], steps=len(learner.loader.sizes))
                if places.checkpoints is not None and ranks.leads and _worth_saving(epoch.number, learner):
                    yield keeping.save(places, tensors=state(learner), history=history, identity=identity)
        if ranks.leads:
            found = assess(learner.model, data, spec, seed=seed, strange=strange, folder=places.artifacts)
            rests_on = provenance(spec, data, learner, startup_seconds)
            cost = passes(spec, seed=seed, images=learner.loader.images, sizes=learner.loader.sizes)
            yield _finished(history, found, cost, rests_on)


def _worth_saving(epoch: int, learner: Learner) -> bool:
    """Whether this epoch gets a checkpoint: every one, but for runs of hundreds of epochs of a few steps each.

    On few labels an epoch is one step of a millisecond, and its checkpoint took twenty to reach the disk.
    """
    apart = max(1, min(learner.spec.epochs // _MANY_CHECKPOINTS, -(-_STEPS_APART // len(learner.loader.sizes))))
    return epoch % apart == 0 or epoch == learner.spec.epochs


def _finished(
    history: Sequence[dict[str, float]], found: Assessment, cost: float, rests_on: dict[str, Json]
) -> Finished:
    results = select(history)
    results["last"] |= found.results | of_training(history) | {PASSES: cost}
    written: list[Json] = [path.name for path in found.written]
    return Finished(results, rests_on | {"diagnostics": found.diagnostics, "artifacts": written})


def _strange(wanted: Evaluation, folder: Path) -> dict[str, Split]:
    """The test splits of the other data sets that the spec names, under their metrics' names.

    Raises: DataMissing or DataBroken where one of them can't be used.
    """
    others = [each for each in wanted.ood if not isinstance(each, Noise)]
    return {ood_metric(each): load(each, folder).test for each in others}


def _learner(spec: ExperimentSpec, seed: int, data: Dataset, device: torch.device, ranks: Ranks) -> Learner:
    classes = len(data.classes)
    model = build(spec.model, shape=data.shape, classes=classes, seed=seed).to(device)
    if spec.training.sync_batch_norm:
        synchronise(model, ranks)
    batches = loader(
        data,
        spec.data,
        batch_size=spec.training.batch_size,
        seed=seed,
        device=device,
        shares=shares(spec.training, ranks),
    )
    return prepare(
        spec,
        seed=seed,
        model=model,
        loader=batches,
        shape=data.shape,
        classes=classes,
        device=device,
        ranks=ranks,
        compilation=compile_network(model, spec, shape=data.shape, images=batches.images, device=device),
    )


def _identity(spec: ExperimentSpec, seed: int, data: Dataset) -> checkpoint.Identity:
    return {"digest": digest(spec), "seed": seed, "data": data.checksum}


def _resume(
    learner: Learner, identity: checkpoint.Identity, places: Places
) -> tuple[list[dict[str, float]], checkpoint.Search]:
    """Puts the learner where an earlier attempt stopped; the metrics of the epochs that are done.

    The leading rank alone looks for a checkpoint and hands it to the others: each on its own might find another one.
    """
    nothing = checkpoint.Search(None, ())
    search = learner.ranks.told(keeping.search(places, identity=identity) if learner.ranks.leads else nothing)
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
    measured = metrics(_logits(learner, data), data.test.y)
    if not all(map(math.isfinite, measured.values())):
        raise Diverged(f"the test loss of epoch {epoch.number} is no number: lower training.optimiser.lr")
    return trained | measured


def _logits(learner: Learner, data: Dataset) -> Tensor:
    """The logits of the test split, (N, K), on every rank; each predicts a part of it.

    Parts end where `predict` ends a batch, so that the bits of the logits don't depend on the number of ranks.
    """
    ranks, images = learner.ranks, len(data.test)
    if ranks.count == 1:
        return predict(learner.model, data.test, data.statistics)
    batches = Shares(ranks.count, own=ranks.rank).place(math.ceil(images / BATCH))
    part = torch.arange(images)[batches.start * BATCH : batches.stop * BATCH]
    found = torch.zeros(images, len(data.classes), device=learner.device)
    if len(part):
        found[part] = predict(learner.model, data.test.take(part), data.statistics)
    return ranks.sum(found)  # a number and zeros: the sum is exact
