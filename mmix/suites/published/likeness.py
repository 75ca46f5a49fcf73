"""Whether a published figure and a spec of ours were made in the same way."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from mmix.spec.data import Data, Images, name_of
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.optimisation import Sgd, Step, Training
from mmix.suites.published.entry import Record, Setting


class Likeness(NamedTuple):
    """`differences` names what differs and what the source leaves open; neither is the same setting.

    `same_budget` is of the epochs alone. Milestones are compared as shares of the epochs, so that a shortened run may
    have the same setting and another budget.
    """

    same_setting: bool
    same_budget: bool
    differences: tuple[str, ...]


class _Fact(NamedTuple):
    name: str
    there: Any  # None: the source doesn't say
    here: Any
    same: bool


def setting_matches(record: Record, spec: ExperimentSpec) -> Likeness:
    """How alike the record's way and the spec's are, each difference in words."""
    epochs = _fact("epochs", record.epochs, spec.training.epochs)
    facts = [
        *_data(record, spec.data),
        *_part("model", record.model, spec.model, words=record.model_words),
        *_part("mixing", record.mixing, spec.mixing, words=record.method),
        *_training(record.setting, spec.training),
    ]
    differences = tuple(_told(fact, record.setting) for fact in [epochs, *facts] if not fact.same)
    return Likeness(all(fact.same for fact in facts), epochs.same, differences)


def _fact(name: str, there: Any, here: Any) -> _Fact:
    return _Fact(name, there, here, there == here)


def _told(fact: _Fact, setting: Setting) -> str:
    if fact.there is None:
        return f"{fact.name}: not stated there, {_shown(fact.here)} here"
    whence = setting.assumed.get(fact.name)
    return f"{fact.name}: {_shown(fact.there)} there{f' ({whence})' if whence else ''}, {_shown(fact.here)} here"


def _shown(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case tuple() | list():
            return "{" + ", ".join(_shown(each) for each in value) + "}"
        case BaseModel():
            return " ".join(_shown(each) for each in value.model_dump(exclude_defaults=True).values())
        case _:
            return str(value)


def _data(record: Record, data: Data) -> Iterator[_Fact]:
    yield _fact("data", record.data or record.data_words, name_of(data))
    setting = record.setting
    if isinstance(data, Images) and hasattr(data, "crop_padding"):
        yield _fact("crop_padding", setting.crop_padding, data.crop_padding)
    if isinstance(data, Images):
        yield _fact("flip", setting.flip, data.flip)
    else:
        yield _fact("points", setting.points, data.points)
    taken: dict[str, tuple[Any, Any]] = {"labels_per_class": (setting.labels_per_class, data.labels_per_class)}
    taken |= {name: (default, getattr(data, name)) for name, default in _WHOLE.items()}
    for name, (there, here) in taken.items():
        if there != here:
            yield _Fact(name, "all" if there is None else there, "all" if here is None else here, same=False)


_WHOLE = {"train_size": None, "validation_size": 0, "label_noise": 0.0}
"""How a training split is used of which nobody says anything else."""


def _part(name: str, there: BaseModel | None, here: BaseModel, *, words: str) -> Iterator[_Fact]:
    """The fields of a part: the kind, those that the source states, and those in which ours isn't the usual."""
    if there is None:
        yield _Fact(name, words, _kind(here), same=False)
        return
    yield _fact(f"{name}.kind", _kind(there), _kind(here))
    if type(there) is not type(here):
        return
    for field, described in type(here).model_fields.items():
        if field in there.model_fields_set:
            yield _fact(f"{name}.{field}", getattr(there, field), getattr(here, field))
        elif getattr(here, field) != described.default:
            yield _fact(f"{name}.{field}", None, getattr(here, field))


def _kind(part: BaseModel) -> str:
    return str(getattr(part, "kind", type(part).__name__))


def _training(setting: Setting, training: Training) -> Iterator[_Fact]:
    optimiser, schedule = training.optimiser, training.schedule
    yield _fact("batch_size", setting.batch_size, training.batch_size)
    yield _fact("loss", setting.loss, training.loss)
    yield _fact("optimiser", setting.optimiser, optimiser.kind)
    yield _fact("lr", setting.lr, optimiser.lr)
    yield _fact("weight_decay", setting.weight_decay, optimiser.weight_decay)
    if isinstance(optimiser, Sgd) and setting.optimiser != "adam":
        yield _fact("momentum", setting.momentum, optimiser.momentum)
        yield _fact("nesterov", setting.nesterov, optimiser.nesterov)
    constant = isinstance(schedule, Step) and not schedule.milestones
    yield _fact("schedule", setting.schedule, "constant" if constant else schedule.kind)
    if isinstance(schedule, Step) and not constant and setting.schedule != "cosine":
        yield _milestones(setting, schedule.milestones, epochs=training.epochs)
        yield _fact("factor", setting.factor, schedule.factor)


def _milestones(setting: Setting, here: Sequence[int], *, epochs: int) -> _Fact:
    there = setting.milestones
    if there is None or setting.epochs is None:
        return _fact("milestones", there, tuple(here))
    stretched = [milestone * epochs / setting.epochs for milestone in there]
    same = len(there) == len(here) and all(abs(one - other) < 1 for one, other in zip(stretched, here, strict=True))
    return _Fact("milestones", there, tuple(here), same)
