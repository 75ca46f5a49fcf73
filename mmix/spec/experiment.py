"""The whole question: one spec, its checks across parts, its digest and its label."""

import hashlib
import json
from typing import Any, Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from mmix.spec.data import Data, has_pixels, is_built_in, is_resident, name_of, realisations_of
from mmix.spec.evaluation import Evaluation, Noise
from mmix.spec.mixing import ConfMix, ManifoldMixup, Mixing, layers_of, needs_pixels
from mmix.spec.model import Model, last_point, needs_images
from mmix.spec.optimisation import Training
from mmix.spec.part import Part


class ExperimentSpec(Part):
    """What is asked of one experiment; the seed is no part of it."""

    version: Literal[1] = 1
    model: Model
    data: Data
    mixing: Mixing
    training: Training
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _layers_lie_inside_the_model(self) -> Self:
        last = last_point(self.model)
        outside = [layer for layer in layers_of(self.mixing) if layer > last]
        if outside:
            raise PydanticCustomError(
                "layer_outside_model",
                "{kind} has mix points 0 to {last}; {outside} lies outside",
                {
                    "field": "mixing.layers",
                    "given": list(layers_of(self.mixing)),
                    "allowed": f"0 to {last}",
                    "kind": self.model.kind,
                    "last": last,
                    "outside": ", ".join(map(str, outside)),
                },
            )
        return self

    @model_validator(mode="after")
    def _points_are_no_images(self) -> Self:
        if has_pixels(self.data):
            return self
        wrong = [
            ("mixing.kind", self.mixing.kind, "a method without patches", needs_pixels(self.mixing)),
            ("model.kind", self.model.kind, "mlp or bottleneck_mlp", needs_images(self.model)),
            ("evaluation.attacks", self.evaluation.attacks, "an empty list", bool(self.evaluation.attacks)),
            (
                "evaluation.deformations",
                self.evaluation.deformations,
                "an empty list",
                bool(self.evaluation.deformations),
            ),
            ("evaluation.ood", self.evaluation.ood, "an empty list", bool(self.evaluation.ood)),
        ]
        for field, given, allowed, refused in wrong:
            if refused:
                raise PydanticCustomError(
                    "needs_pixels",
                    "{data} are points in the plane, and this needs pixels",
                    {"field": field, "given": given, "allowed": allowed, "data": self.data.kind},
                )
        return self

    @model_validator(mode="after")
    def _confidence_needs_indices(self) -> Self:
        remembers = isinstance(self.mixing, ConfMix) and self.mixing.confidence == "epoch"
        if remembers and not is_resident(self.data):
            raise PydanticCustomError(
                "needs_indices",
                "{data} is streamed, so its samples have no index under which a confidence could be remembered",
                {"field": "mixing.confidence", "given": "epoch", "allowed": "step", "data": self.data.kind},
            )
        return self

    @model_validator(mode="after")
    def _many_networks_are_small(self) -> Self:
        if realisations_of(self.data) == 1:
            return self
        wrong = [
            ("model.kind", self.model.kind, "mlp", self.model.kind != "mlp"),
            ("training.devices", self.training.devices, "1", self.training.devices > 1),
            ("training.groups", self.training.groups, "1", self.training.groups > 1),
            ("training.precision", self.training.precision, "fp32 or bf16", self.training.precision == "fp16"),
            ("training.compile", self.training.compile, "auto or off", self.training.compile == "on"),
            ("evaluation.artifacts", self.evaluation.artifacts, "an empty list", bool(self.evaluation.artifacts)),
            # What lies below a network's own layer takes no step at all, and the networks' steps are one.
            ("mixing.stop_gradient", True, "false where layers has several", _stops_in_places(self.mixing)),
        ]
        for field, given, allowed, refused in wrong:
            if refused:
                raise PydanticCustomError(
                    "many_networks",
                    "With data.realisations above 1, one run trains many small networks at once, and this can't be had",
                    {"field": field, "given": given, "allowed": allowed},
                )
        return self


def canonical(spec: ExperimentSpec) -> dict[str, Any]:
    """The spec as JSON data without the fields that hold their default."""
    return spec.model_dump(mode="json", exclude_defaults=True)


def digest(spec: ExperimentSpec) -> str:
    """SHA-256 of the canonical spec, as 64 hexadecimal digits: the name of a leaderboard group."""
    text = json.dumps(canonical(spec), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def needed_data(spec: ExperimentSpec) -> tuple[str, ...]:
    """The names, sorted, of the data sets that must lie on the disk of the machine that trains."""
    wanted = [spec.data, *(strange for strange in spec.evaluation.ood if not isinstance(strange, Noise))]
    return tuple(sorted({name_of(data) for data in wanted if not is_built_in(data)}))


def label(spec: ExperimentSpec) -> str:
    """The method and its settings in a few words, for people."""
    settings = spec.mixing.model_dump(mode="json", exclude_defaults=True, exclude={"kind"})
    words = [spec.mixing.kind] + [f"{name}={_short(value)}" for name, value in settings.items()]
    return " ".join(words)


def _stops_in_places(mixing: Mixing) -> bool:
    return isinstance(mixing, ManifoldMixup) and mixing.stop_gradient and len(mixing.layers) > 1


def _short(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
