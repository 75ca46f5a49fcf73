"""What two ranks compute, started by torchrun for the tests of ranks: `-m tests.training.rank_program FOLDER`.

Each rank writes what it found to FOLDER. The tests compute the same in one process, by the same functions.
"""

import contextlib
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmix.data.dataset import Split, Statistics
from mmix.data.loader import Loader
from mmix.mixing.plan import Plan
from mmix.mixing.shares import Shares
from mmix.models.build import build
from mmix.run import Finished, Places, Saved, Trained, run
from mmix.spec.experiment import ExperimentSpec
from mmix.training.compilation import compile_network
from mmix.training.learner import Learner, prepare, state
from mmix.training.loop import train
from mmix.training.ranks import Ranks, joined, shares
from mmix.training.sync_norm import synchronise

CPU = torch.device("cpu")
MLP: dict[str, Any] = {"kind": "mlp", "hidden": [16, 12]}
RESNET: dict[str, Any] = {"kind": "preact_resnet", "width": 4}
MIXUP: dict[str, Any] = {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1, 2]}


@dataclass(frozen=True)
class Case:
    """A training of 27 images in batches of seven, the last of six: of each but the last, the first rank has more.

    In float64, but where the precision is another: what differs in float32 grows too fast in a network that normalises
    seven samples.
    """

    mixing: dict[str, Any] = field(default_factory=lambda: {"kind": "erm"})
    model: dict[str, Any] = field(default_factory=lambda: MLP)
    compiled: bool = False
    training: dict[str, Any] = field(default_factory=dict)


CASES = {
    "erm": Case(),
    "erm, resnet": Case(model=RESNET),
    "manifold mixup": Case(MIXUP),
    "manifold mixup, resnet": Case(MIXUP, RESNET),
    "manifold mixup, resnet, compiled": Case({**MIXUP, "layers": [1]}, RESNET, compiled=True),
    "manifold mixup, mlp, compiled": Case(MIXUP, compiled=True),
    "a lambda a sample, resnet": Case({**MIXUP, "sharing": "sample"}, RESNET),
    "two batches, resnet": Case({**MIXUP, "pairing": "two_batches"}, RESNET),
    "stopped gradients": Case({**MIXUP, "layers": [1, 2], "stop_gradient": True}),
    "stopped gradients, compiled": Case({**MIXUP, "layers": [1, 2], "stop_gradient": True}, compiled=True),
    "confmix by step, resnet": Case({"kind": "confmix", "warmup_epochs": 0}, RESNET),
    "confmix by epoch": Case({"kind": "confmix", "warmup_epochs": 1, "confidence": "epoch"}),
    "cutmix": Case({"kind": "cutmix"}),
    "cutmix, a box a sample": Case({"kind": "cutmix", "sharing": "sample"}),
    "cutout": Case({"kind": "cutout", "size": 4}),
    "clipped": Case(MIXUP, training={"clip_norm": 0.01}),
    "adam": Case(MIXUP, training={"optimiser": {"kind": "adam"}}),
    "fp16": Case(MIXUP, training={"precision": "fp16"}),
    "even shares": Case(MIXUP, training={"batch_size": 6}),
}


def trained(case: Case, ranks: Ranks, **training: Any) -> dict[str, Tensor]:
    """The state after two epochs, and the loss and accuracy of each."""
    learner = _learner(case, ranks, **training)
    found = [[epoch.loss, epoch.accuracy, *epoch.mixing.values()] for epoch in train(learner, done=0)]
    return state(learner) | {"epochs": torch.tensor([value for epoch in found for value in epoch], dtype=torch.float64)}


class Wide(nn.Module):
    """A network in float64."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.double()

    def forward(self, x: Tensor, plan: Plan | None = None) -> Tensor:
        logits: Tensor = self.network(x.double(), plan)
        return logits


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits, target.to(logits.dtype), reduction="none")


def _learner(case: Case, ranks: Ranks, **training: Any) -> Learner:
    spec = ExperimentSpec.model_validate(
        {
            "model": case.model,
            "data": {"kind": "digits"},
            "mixing": case.mixing,
            "training": {"epochs": 2, "batch_size": 7, "schedule": {"kind": "cosine"}, **case.training, **training}
            | {"compile": "on" if case.compiled else "off"},
        }
    )
    x = torch.randint(0, 256, (27, 1, 8, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    network: nn.Module = build(spec.model, shape=(1, 8, 8), classes=5, seed=0)
    model = Wide(network) if spec.training.precision == "fp32" else network
    if spec.training.sync_batch_norm:
        synchronise(model, ranks)
    compilation = compile_network(model, spec, shape=(1, 8, 8), images=27, device=CPU, backend="aot_eager")
    learner = prepare(
        spec,
        seed=0,
        model=model,
        loader=Loader(
            Split(x=x, y=torch.arange(27) % 5),
            Statistics(mean=torch.tensor([0.5]), std=torch.tensor([0.3])),
            batch_size=spec.training.batch_size,
            crop_padding=1,
            flip=True,
            seed=0,
            shares=shares(spec.training, ranks),
        ),
        shape=(1, 8, 8),
        classes=5,
        device=CPU,
        ranks=ranks,
        compilation=compilation,
    )
    return replace(learner, criterion=_cross_entropy)


NORMS: dict[str, tuple[type[nn.Module], tuple[int, ...], torch.dtype, float]] = {
    "1d": (nn.BatchNorm1d, (7, 5), torch.float64, 1.0),
    "2d": (nn.BatchNorm2d, (7, 5, 3, 2), torch.float64, 1.0),
    "2d, far from zero": (nn.BatchNorm2d, (7, 5, 3, 2), torch.float32, 1000.0),
}


def normalised(name: str, ranks: Ranks, *, compiled: bool = False) -> dict[str, Tensor]:
    """What two steps through a batch normalisation give: outputs, gradients, running statistics; a rank's share."""
    kind, shape, dtype, mean = NORMS[name]
    norm = nn.Sequential(kind(shape[1])).to(dtype)
    with torch.no_grad():
        norm[0].weight.copy_(torch.linspace(0.5, 2, shape[1]))  # type: ignore[operator]
    synchronise(norm, ranks)
    if compiled:
        norm.compile(fullgraph=True, dynamic=False, backend="aot_eager")
    draw = torch.Generator().manual_seed(0)
    place = (Shares() if ranks.count == 1 else Shares(ranks.count, own=ranks.rank)).place(shape[0])
    found: dict[str, Tensor] = {}
    for step in range(2):
        x = (torch.randn(shape, generator=draw, dtype=torch.float64) + mean).to(dtype)[place].requires_grad_()
        weight = torch.randn(shape, generator=draw, dtype=torch.float64).to(dtype)[place]
        y = norm(x)
        (weight * y.square()).sum().backward()
        assert x.grad is not None
        found |= {f"y{step}": y.detach(), f"gradient{step}": x.grad}
    found |= {
        name: ranks.sum(parameter.grad) for name, parameter in norm.named_parameters() if parameter.grad is not None
    }
    return found | dict(norm.named_buffers())


RUN = ExperimentSpec.model_validate(
    {
        "model": RESNET,
        "data": {"kind": "digits", "train_size": 50, "crop_padding": 1},
        "mixing": MIXUP,
        "training": {"epochs": 3, "batch_size": 15, "optimiser": {"kind": "sgd", "lr": 0.01}, "compile": "off"},
        "evaluation": {"attacks": []},
    }
)


def asked(**training: Any) -> ExperimentSpec:
    """The spec of whole runs with another training."""
    return RUN.model_copy(update={"training": RUN.training.model_copy(update=training)})


def completed(spec: ExperimentSpec, checkpoints: Path, *, epochs: int = 3) -> dict[str, Any]:
    """What a run says of its epochs and results, as far as it is followed; it stops once so many epochs are saved."""
    found: dict[str, Any] = {"metrics": [], "kinds": []}
    places = Places(data=checkpoints, checkpoints=checkpoints)
    leads = int(torch.distributed.get_rank()) == 0 if torch.distributed.is_initialized() else True
    with contextlib.closing(run(spec, 0, places=places, threads=1)) as reports:
        for report in reports:
            found["kinds"].append(type(report).__name__)
            match report:
                case Trained():
                    found["metrics"].append(report.metrics)
                case Finished():
                    found["results"] = report.results
                    found["devices"] = report.provenance["devices"]
            stops = Saved if leads else Trained
            if epochs < spec.training.epochs and isinstance(report, stops) and report.epoch == epochs:
                return found
    return found


def _main(folder: Path) -> None:
    torch.set_num_threads(1)
    with joined(2, CPU) as ranks:
        found: dict[str, Any] = {
            name: trained(case, ranks, devices=2, sync_batch_norm=True) for name, case in CASES.items()
        }
        found["without synchronisation"] = trained(CASES["manifold mixup, resnet"], ranks, devices=2)
        for name in NORMS:
            found[f"norm {name}"] = normalised(name, ranks)
            found[f"compiled norm {name}"] = normalised(name, ranks, compiled=True)
        spec = asked(devices=2, sync_batch_norm=True)
        own = asked(devices=2)
        found["run"] = completed(spec, folder / "whole")
        for name, each in {"synchronised": spec, "of its own": own}.items():
            found[f"begun {name}"] = completed(each, folder / f"parts {name}", epochs=2)
            found[f"resumed {name}"] = completed(each, folder / f"parts {name}")
        found["run of its own"] = completed(own, folder / "own")
        found["told"] = ranks.told(f"what rank {ranks.rank} knows")
        torch.save(found, folder / f"rank-{ranks.rank}.pt")


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
