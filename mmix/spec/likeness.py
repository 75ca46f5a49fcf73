"""Whether two specs train on the same data with the same budget: else their difference isn't the method's alone."""

from dataclasses import dataclass

from mmix.spec.experiment import ExperimentSpec

BUDGET = ("epochs", "batch_size", "precision", "devices")
"""The fields of `training` that say what a training may spend: passes, steps, bits and machines.

The optimiser, its schedule, the loss and the rest of `training` are how it is spent, and may be what is compared; so
may the model. Every field of `data` counts: which images, how many, how many labels are wrong, how they are augmented.
"""


@dataclass(frozen=True)
class Difference:
    """A place of the spec, as `training.epochs`, with what stands there in either."""

    place: str
    given: object
    expected: object


def differences(spec: ExperimentSpec, other: ExperimentSpec) -> list[Difference]:
    """Where the specs differ in data or budget; the kind of the data alone where that differs."""
    found = [
        Difference(f"training.{name}", getattr(spec.training, name), getattr(other.training, name)) for name in BUDGET
    ]
    if spec.data.kind != other.data.kind:
        found.append(Difference("data.kind", spec.data.kind, other.data.kind))
    elif spec.data != other.data:
        fields = type(spec.data).model_fields
        found += [Difference(f"data.{name}", getattr(spec.data, name), getattr(other.data, name)) for name in fields]
    return [each for each in found if each.given != each.expected]
