"""How others train: named presets, each of whose facts says where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmix.errors import SpecError
from mmix.spec.document import parse

APPENDIX_C = "Manifold Mixup (arXiv:1806.05236v7), appendix C"
README = "vikasverma1077/manifold_mixup, supervised/README.md"
MAIN = "vikasverma1077/manifold_mixup, supervised/main.py"
LOAD_DATA = "vikasverma1077/manifold_mixup, supervised/load_data.py"
MODELS = "vikasverma1077/manifold_mixup, supervised/models"
SLIDES = "the authors' slides; section 2 of the paper takes two minibatches, which is pairing two_batches"
OPENMIXUP_DOCS = "Westlake-AI/openmixup, docs/en/mixup_benchmarks/Mixup_cifar.md"
OPENMIXUP_CONFIG = "Westlake-AI/openmixup, configs/classification/cifar10/mixups/basic/r18_mixups_CE_none.py"
CUTMIX_PAPER = "CutMix (arXiv:1905.04899), CIFAR classification"
CUTMIX_CODE = "clovaai/CutMix-PyTorch, train.py"
OURS = "mmix: a budget, of no paper"

PREACT = "preact_resnet"
WIDE = "wide_resnet"


@dataclass(frozen=True)
class Fact:
    """What stands in one field of a spec, and who says so."""

    value: Any
    source: str


@dataclass(frozen=True)
class Preset:
    """The fields of a spec, by path, that a source fixes; for networks of one kind, or of all where it is None."""

    name: str
    network: str | None
    facts: Mapping[str, Fact] = field(repr=False)


@dataclass(frozen=True)
class Difference:
    """A field in which two presets differ; None where one of them says nothing."""

    path: str
    one: Fact | None
    other: Fact | None

    def __str__(self) -> str:
        return f"{self.path}: {_told(self.one)}; {_told(self.other)}"


_AUTHORS = {
    "training.optimiser.kind": Fact("sgd", APPENDIX_C),
    "training.optimiser.lr": Fact(0.1, APPENDIX_C),
    "training.optimiser.momentum": Fact(0.9, APPENDIX_C),
    "training.optimiser.weight_decay": Fact(1e-4, APPENDIX_C),
    "training.optimiser.nesterov": Fact(True, f"{MAIN}; the paper says momentum alone"),
    "training.schedule.kind": Fact("step", APPENDIX_C),
    "training.schedule.factor": Fact(0.1, APPENDIX_C),
    "training.batch_size": Fact(100, f"{MAIN}; the paper doesn't say"),
    "training.loss": Fact("bce", f"{MAIN}; the paper says so in the captions of Figures 6 and 7 alone"),
    "data.crop_padding": Fact(2, f"{LOAD_DATA}; the paper doesn't say"),
    "mixing.pairing": Fact("shuffle", f"{MODELS}; {SLIDES}"),
    "mixing.sharing": Fact("batch", MODELS),
}
"""What the Manifold Mixup authors' presets share."""

_COSINE = {
    "training.optimiser.kind": Fact("sgd", OPENMIXUP_CONFIG),
    "training.optimiser.lr": Fact(0.1, OPENMIXUP_CONFIG),
    "training.optimiser.momentum": Fact(0.9, OPENMIXUP_CONFIG),
    "training.optimiser.weight_decay": Fact(1e-4, OPENMIXUP_CONFIG),
    "training.optimiser.nesterov": Fact(False, OPENMIXUP_CONFIG),
    "training.schedule.kind": Fact("cosine", OPENMIXUP_CONFIG),
    "training.batch_size": Fact(100, OPENMIXUP_CONFIG),
    "training.loss": Fact("ce", OPENMIXUP_CONFIG),
    "data.crop_padding": Fact(4, OPENMIXUP_CONFIG),
}

_QUICK = {
    "training.optimiser.kind": Fact("sgd", OURS),
    "training.optimiser.lr": Fact(0.1, OURS),
    "training.schedule.kind": Fact("cosine", OURS),
    "training.batch_size": Fact(100, OURS),
    "training.loss": Fact("ce", f"{OURS}; BCE's gradient is a Kth of it, which a short training can't make up for"),
}


def _steps(epochs: int, milestones: tuple[int, ...], source: str) -> dict[str, Fact]:
    return {"training.epochs": Fact(epochs, source), "training.schedule.milestones": Fact(milestones, source)}


def _eligible(layers: tuple[int, ...], source: str) -> dict[str, Fact]:
    return {"mixing.layers": Fact(layers, source)}


PRESETS = (
    # Tables 1, 2, 4, 7 and 9
    Preset("paper", PREACT, {**_AUTHORS, **_steps(1200, (400, 800), APPENDIX_C), **_eligible((0, 1, 2), APPENDIX_C)}),
    Preset("paper", WIDE, {**_AUTHORS, **_steps(400, (200, 300), APPENDIX_C), **_eligible((0, 1), APPENDIX_C)}),
    # The README gives commands, which leave the eligible layers to the code.
    Preset("readme", PREACT, {**_AUTHORS, **_steps(2000, (500, 1000, 1500), README), **_eligible((0, 1, 2), MODELS)}),
    Preset("readme", WIDE, {**_AUTHORS, **_steps(400, (200, 300), README), **_eligible((0, 1, 2), MODELS)}),
    # The paper's epochs with what the code does. main.py's default of 300 epochs (150, 225) belongs to no table.
    Preset("code", PREACT, {**_AUTHORS, **_steps(1200, (400, 800), APPENDIX_C), **_eligible((0, 1, 2), MODELS)}),
    Preset("code", WIDE, {**_AUTHORS, **_steps(400, (200, 300), APPENDIX_C), **_eligible((0, 1, 2), MODELS)}),
    # Tables 5 and 6
    Preset(
        "paper-ablation",
        PREACT,
        {**_AUTHORS, **_steps(2000, (1000, 1500), APPENDIX_C), **_eligible((0, 1, 2), APPENDIX_C)},
    ),
    # Table 3
    Preset(
        "paper-tiny",
        PREACT,
        {
            **_AUTHORS,
            **_steps(2000, (1000, 1500), APPENDIX_C),
            **_eligible((0, 1, 2), APPENDIX_C),
            "data.crop_padding": Fact(4, LOAD_DATA),
            "model.stem_stride": Fact(2, MAIN),
        },
    ),
    Preset("openmixup", None, {**_COSINE, "training.epochs": Fact(200, OPENMIXUP_DOCS)}),
    Preset(
        "cutmix300",
        None,
        {
            **_steps(300, (150, 225), CUTMIX_PAPER),
            "training.optimiser.kind": Fact("sgd", CUTMIX_CODE),
            "training.optimiser.lr": Fact(0.25, CUTMIX_PAPER),
            "training.optimiser.momentum": Fact(0.9, CUTMIX_CODE),
            "training.optimiser.weight_decay": Fact(1e-4, CUTMIX_CODE),
            "training.optimiser.nesterov": Fact(True, CUTMIX_CODE),
            "training.schedule.kind": Fact("step", CUTMIX_PAPER),
            "training.schedule.factor": Fact(0.1, CUTMIX_PAPER),
            "training.batch_size": Fact(64, CUTMIX_PAPER),
            "training.loss": Fact("ce", CUTMIX_CODE),
            "data.crop_padding": Fact(4, CUTMIX_CODE),
        },
    ),
    Preset("quick30", None, {**_QUICK, "training.epochs": Fact(30, OURS)}),
    Preset("quick200", None, {**_QUICK, "training.epochs": Fact(200, OURS)}),
)


def preset(name: str, *, network: str) -> Preset:
    """The preset of this name for networks of this kind.

    Raises: SpecError where there is none.
    """
    named = [each for each in PRESETS if each.name == name]
    for each in named:
        if each.network in (None, network):
            return each
    if named:
        kinds = ", ".join(str(each.network) for each in named)
        raise SpecError(f"the preset {name} says nothing about {network!r}; allowed: {kinds}")
    raise SpecError(f"there is no preset {name!r}; allowed: {', '.join(dict.fromkeys(each.name for each in PRESETS))}")


def parts(chosen: Preset) -> dict[str, dict[str, Any]]:
    """The preset's fields as parts of a spec: what to lay over model, data, mixing and training."""
    nested: dict[str, Any] = {}
    for path, fact in chosen.facts.items():
        *outer, last = path.split(".")
        inside = nested
        for name in outer:
            inside = inside.setdefault(name, {})
        inside[last] = list(fact.value) if isinstance(fact.value, tuple) else fact.value
    return nested


def laid_over(document: Mapping[str, Any], chosen: Preset) -> dict[str, Any]:
    """A spec's document with the preset's fields in place; of data, model and mixing those that their kind has.

    Raises: SpecError where the document is no spec.
    """
    spec, said = parse(document, source=f"the spec to train as {chosen.name}"), parts(chosen)
    known = {part: type(getattr(spec, part)).model_fields for part in ("data", "model", "mixing")}
    laid = {part: {name: value for name, value in said.get(part, {}).items() if name in known[part]} for part in known}
    laid["training"] = said["training"]  # an optimiser or a schedule of another kind goes as a whole
    return {**document, **{part: {**document[part], **fields} for part, fields in laid.items()}}


def differences(one: Preset, other: Preset) -> tuple[Difference, ...]:
    """The fields in which two presets differ, by path, each with its sources."""
    return tuple(
        Difference(path, one.facts.get(path), other.facts.get(path))
        for path in sorted({*one.facts, *other.facts})
        if _value(one, path) != _value(other, path)
    )


def _value(chosen: Preset, path: str) -> Any:
    fact = chosen.facts.get(path)
    return fact.value if fact else None


def _told(fact: Fact | None) -> str:
    return f"{fact.value} ({fact.source})" if fact else "nothing said"
