"""A leaderboard as large as years of use: 200,000 groups of five seeds, and what people filter it by."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any
from uuid import uuid4

import psycopg

from mmix.spec.experiment import ExperimentSpec, digest, label
from mmix.spec.facets import facets_of
from mmix.store.ways import FACETS

SEEDS = 5
_TAGS = [f"tag={name}" for name in ("paper", "night", "sweep", *map("try-{}".format, range(60)))]
_OWNERS = ["local", *map("user{}".format, range(20))]

# What each choice does to the error: by how much it multiplies that of the data.
_DATA = {"digits": 0.02, "mnist": 0.006, "fashion_mnist": 0.06, "svhn": 0.03, "cifar10": 0.05, "cifar100": 0.25}
_DATA |= {"tiny_imagenet": 0.45, "imagenet": 0.3}
_MODELS: list[tuple[dict[str, Any], float]] = [
    ({"kind": "preact_resnet"}, 1.0),
    ({"kind": "preact_resnet", "depth": 34}, 0.95),
    ({"kind": "wide_resnet"}, 0.9),
    ({"kind": "wide_resnet", "depth": 16, "widen": 4}, 1.1),
    ({"kind": "torchvision", "name": "resnet18", "points": ["layer1", "layer2"]}, 1.2),
    ({"kind": "convnet"}, 1.7),
]
_MIXING: list[tuple[dict[str, Any], float]] = [
    ({"kind": "erm"}, 1.2),
    *(({"kind": "input_mixup", "alpha": alpha}, 1.05) for alpha in (0.1, 0.2, 0.5, 1.0, 2.0, 4.0)),
    *(
        ({"kind": "manifold_mixup", "alpha": alpha, "layers": layers}, 1.0)
        for alpha, layers in product((0.2, 0.5, 1.0, 2.0), ([0], [0, 1], [0, 1, 2], [1, 2]))
    ),
    *(({"kind": "confmix", "scale": scale, "warmup_epochs": warm}, 1.1) for scale in (0.5, 1.0) for warm in (0, 5)),
    *(({"kind": "cutmix", "alpha": alpha, "probability": share}, 0.98) for alpha in (0.5, 1.0) for share in (0.5, 1.0)),
    *(({"kind": "cutout", "size": size}, 1.1) for size in (8, 16)),
    *(({"kind": "label_smoothing", "smoothing": smoothing}, 1.15) for smoothing in (0.05, 0.1)),
]
_EPOCHS = {30: 1.6, 100: 1.15, 200: 1.0, 600: 0.93, 1200: 0.9}
_RATES, _DECAYS, _BATCHES = (0.1, 0.05, 0.02, 0.01), (1e-4, 5e-4, 1e-3), (100, 128, 256)


@dataclass(frozen=True)
class Made:
    """One group of the leaderboard to be, and the mean error of its seeds."""

    digest: str
    spec: dict[str, Any]
    label: str
    words: Sequence[str]
    """Its facets, with its tags, owner and device."""
    error: float

    @property
    def cell(self) -> tuple[str, ...]:
        """Data, model, mixing, epochs and loss."""
        return tuple(_values(self, word)[0] for word in FACETS.values())


def groups(count: int, draw: random.Random) -> Iterator[Made]:
    """So many groups, no two alike."""
    known: set[str] = set()
    while len(known) < count:
        document, error = _document(draw)
        spec = ExperimentSpec.model_validate(document)
        name = digest(spec)
        if name not in known:
            known.add(name)
            told = json.loads(spec.model_dump_json(exclude_defaults=True))
            yield Made(name, told, label(spec), [*facets_of(told), *_added(draw)], error * draw.lognormvariate(0, 0.08))


def fill(connection: psycopg.Connection[Any], made: Sequence[Made], draw: random.Random) -> None:
    """Stores the groups with five finished runs each, and of each run its error; no standings."""
    experiments = [uuid4() for _ in made]
    runs = [(uuid4(), place, seed) for place in range(len(made)) for seed in range(SEEDS)]
    draw.shuffle(runs)  # runs of a group finish days apart, and so lie pages apart
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE runs DISABLE TRIGGER USER")
        cells = {group.cell: number for number, group in enumerate(made, 1)}
        columns = "id, data, model, mixing, epochs, loss"
        with cursor.copy(f"COPY cells ({columns}) FROM STDIN") as copy:
            for cell, number in cells.items():
                copy.write_row((number, *cell))
        cursor.execute("SELECT setval(pg_get_serial_sequence('cells', 'id'), max(id)) FROM cells")
        columns = "digest, spec, data, model, mixing, label, cell_id, facets"
        with cursor.copy(f"COPY groups ({columns}) FROM STDIN") as copy:
            for group in made:
                named = (*group.cell[:3], group.label, cells[group.cell], sorted(group.words))
                copy.write_row((group.digest, json.dumps(group.spec), *named))
        with cursor.copy("COPY experiments (id, owner, digest, tags, priority, device) FROM STDIN") as copy:
            for experiment, group in zip(experiments, made, strict=True):
                copy.write_row((experiment, _owner(group), group.digest, _tags(group), 0, "any"))
        columns = "id, experiment_id, owner, digest, seed, priority, device, state, attempt, finished_at"
        with cursor.copy(f"COPY runs ({columns}) FROM STDIN") as copy:
            for run, place, seed in runs:
                owner = _owner(made[place])
                row = (run, experiments[place], owner, made[place].digest, seed, 0, "any", "succeeded", 1, "2026-01-01")
                copy.write_row(row)
        with cursor.copy("COPY results (run_id, metric, selection, value) FROM STDIN") as copy:
            for run, place, _ in runs:
                copy.write_row((run, "error", "last", made[place].error * draw.gauss(1, 0.03)))
        with cursor.copy("COPY entries (digest, seed, run_id, device) FROM STDIN") as copy:
            for run, place, seed in runs:
                copy.write_row((made[place].digest, seed, run, _device(made[place])))
        cursor.execute("ALTER TABLE runs ENABLE TRIGGER USER")
    connection.commit()


def questions(made: Sequence[Made], draw: random.Random) -> Iterator[dict[str, Any]]:
    """What people ask: one to four of the filters, of groups that are there or, one time in ten, may not be."""
    while True:
        kinds = draw.sample(_FILTERS, draw.choice((1, 1, 2, 2, 3, 4)))
        whose = draw.choice(made)
        asked: dict[str, Any] = {}
        for kind in kinds:
            found = dict(word.split("=", 1) for word in draw.choice(made if draw.random() < 0.1 else [whose]).words)
            asked |= _asked(kind, found, draw)
        yield asked


_PATHS = {
    **{"data": "data", "model": "model.kind", "mixing": "mixing.kind", "epochs": "training.epochs"},
    **{"loss": "training.loss", "tag": "tag", "owner": "owner", "device": "device"},
    **{name: f"mixing.{name}" for name in ("alpha", "layers", "scale", "sharing", "probability", "size", "smoothing")},
}
_WHERE = ("training.optimiser.lr", "training.batch_size", "training.optimiser.weight_decay", "model.depth")
_FILTERS = [*_PATHS, "data", "model", "mixing", "epochs", "alpha", "where", "min_n"]


def _asked(kind: str, found: dict[str, str], draw: random.Random) -> dict[str, Any]:
    if kind == "min_n":
        return {"min_n": draw.choice((2, 3, 5, 5, 5, 10))}
    if kind == "where":
        path = draw.choice(_WHERE)
        return {"where": [f"{path}:{found[path]}"]} if path in found else {}
    value = found.get(_PATHS[kind])
    return {} if value is None else {kind: [value] if kind == "tag" else value}


def _document(draw: random.Random) -> tuple[dict[str, Any], float]:
    """A spec, and the error that it may end with."""
    data, hardness = draw.choice(list(_DATA.items()))
    model, better = draw.choice(_MODELS)
    mixing, helps = draw.choice(_MIXING)
    epochs, trained = draw.choice(list(_EPOCHS.items()))
    optimiser = {"kind": "sgd", "lr": draw.choice(_RATES), "weight_decay": draw.choice(_DECAYS)}
    training = {
        "epochs": epochs,
        "batch_size": draw.choice(_BATCHES),
        "optimiser": optimiser,
        "loss": draw.choice(("ce", "ce", "bce")),
    }
    document = {"model": model, "data": {"kind": data}, "mixing": mixing, "training": training}
    return document, hardness * better * helps * trained


def _added(draw: random.Random) -> list[str]:
    """Tags that are used more or less often, one owner in two the same, and three GPUs for each processor."""
    tags = {_TAGS[min(int(draw.expovariate(0.15)), len(_TAGS) - 1)] for _ in range(draw.choice((1, 1, 2)))}
    owner = draw.choice(_OWNERS) if draw.random() < 0.5 else _OWNERS[0]
    return [*sorted(tags), f"owner={owner}", f"device={draw.choice(('cuda', 'cuda', 'cuda', 'cpu'))}"]


def _values(made: Made, name: str) -> list[str]:
    return [word.partition("=")[2] for word in made.words if word.startswith(f"{name}=")]


def _owner(made: Made) -> str:
    return _values(made, "owner")[0]


def _tags(made: Made) -> list[str]:
    return _values(made, "tag")


def _device(made: Made) -> str:
    return _values(made, "device")[0]
