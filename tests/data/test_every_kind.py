"""What holds for every kind of data, on a small copy of each."""

import typing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import TypeAdapter

from mmix.data import stream
from mmix.data.catalogue import ARCHIVES
from mmix.data.dataset import Dataset, Split
from mmix.data.kinds import Kind
from mmix.data.listing import listing
from mmix.data.load import load
from mmix.data.loading import loader
from mmix.data.pixels import normalise
from mmix.errors import DataMissing
from mmix.spec import document
from mmix.spec.data import Data, has_pixels, is_built_in, is_resident, name_of
from tests.data.conftest import Writer
from worker import shelves

SPEC: TypeAdapter[Data] = TypeAdapter(Data)
KINDS = sorted(SPEC.json_schema()["discriminator"]["mapping"])
EXAMPLES = Path(__file__).parents[2] / "examples" / "data"

of_every_kind = pytest.mark.parametrize("kind", KINDS)


def spec(kind: str, **fields: object) -> Data:
    named = {"name": "pets"} if kind == "folder" else {"side": 32} if kind == "imagenet" else {}
    return SPEC.validate_python({"kind": kind, **named, **fields})


def draw_classes(folder: Path, *, test: str, side: int) -> None:
    """Three classes, four training images and one test image each; Pillow looks at the content, not at the name."""
    for split, count in (("train", 4), (test, 1)):
        for place, name in enumerate(("cat", "dog", "emu")):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                draw = np.random.default_rng([split == "train", place, number])
                pixels = draw.integers(0, 256, size=(side, side, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{name}{number}.JPEG", "PNG")


def draw_tiny(folder: Path) -> None:
    """As Tiny-ImageNet lays its images out."""
    draw_classes(folder, test="val", side=64)
    (folder / "wnids.txt").write_text("cat\ndog\nemu\n")
    tests = [*folder.glob("val/*/*.JPEG")]
    lines = [f"{path.name}\t{path.parent.name}\t0\t0\t0\t0\n" for path in tests]
    (folder / "val" / "val_annotations.txt").write_text("".join(lines))
    for path in [*folder.glob("train/*/*.JPEG")]:
        move(path, path.parent / "images")
    for path in tests:
        move(path, folder / "val" / "images")


def move(path: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    path.rename(folder / path.name)


@pytest.fixture
def data_folder(kind: str, tmp_path: Path, write: Writer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that has a small copy of this kind."""
    monkeypatch.setattr(stream, "MOST_WORKERS", 0)
    for archive in [archive for archive in ARCHIVES if archive.kind == kind]:
        write(archive, tmp_path / kind)
    match kind:
        case "folder":
            draw_classes(tmp_path / "folder" / "pets", test="test", side=8)
        case "imagenet":
            draw_classes(tmp_path / "imagenet", test="val", side=40)
        case "tiny_imagenet":
            draw_tiny(tmp_path / "tiny_imagenet")
    return tmp_path


def samples(split: Split | None) -> list[tuple[float, ...]]:
    assert split is not None
    return [tuple(row) for x, _ in split.batches(500) for row in x.flatten(1).tolist()]


def test_the_command_line_offers_every_kind() -> None:
    assert sorted(typing.get_args(Kind)) == KINDS


def test_every_kind_has_an_example_that_is_a_valid_spec() -> None:
    found = {path.stem: document.load(path).data.kind for path in EXAMPLES.glob("*.yaml")}
    assert found == {kind: kind for kind in KINDS}


@of_every_kind
def test_a_data_set_says_what_it_is(kind: str, data_folder: Path) -> None:
    wanted = spec(kind)
    data = load(wanted, data_folder)
    assert data.name == name_of(wanted)
    assert len(data.shape) == (3 if has_pixels(wanted) else 1)
    assert data.train.y.dtype == data.test.y.dtype == torch.int64
    assert set(data.train.y.tolist()) == set(range(len(data.classes)))
    assert (data.validation, data.rule is not None) == (None, kind == "gaussian_mixture")
    assert data.name in {row.name for row in listing(data_folder) if row.state.startswith("ready")}


@of_every_kind
def test_a_worker_says_that_it_has_what_can_be_loaded_there(kind: str, data_folder: Path) -> None:
    wanted = spec(kind)
    assert shelves.look(data_folder) == dict.fromkeys([] if is_built_in(wanted) else [name_of(wanted)])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not is_built_in(spec(kind))])
def test_what_is_not_built_in_must_lie_there(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataMissing):
        load(spec(kind), tmp_path)
    assert shelves.look(tmp_path) == {}


@of_every_kind
def test_batches_of_a_split_hold_it_in_order_and_in_unit_form(kind: str, data_folder: Path) -> None:
    data = load(spec(kind), data_folder)
    batches = [*data.test.batches(3)]
    assert torch.equal(torch.cat([y for _, y in batches]), data.test.y)
    for x, y in batches:
        assert (x.shape, x.dtype) == ((len(y), *data.shape), torch.float32)
        if x.dim() == 4:
            assert x.is_contiguous(memory_format=torch.channels_last)
            assert 0 <= x.min() <= x.max() <= 1


@of_every_kind
def test_loaders_visit_every_sample_in_two_orders(kind: str, data_folder: Path) -> None:
    wanted = spec(kind)
    data = load(wanted, data_folder)
    batches = loader(data, wanted, batch_size=7, seed=5, device="cpu")
    first, again, second = ([*batches.epoch(1, purpose=order)] for order in ("order", "order", "second_order"))
    assert batches.images == len(data.train)
    assert batches.sizes == tuple(len(batch.y) for batch in first) == tuple(len(batch.y) for batch in second)
    assert all(torch.equal(one.x, other.x) for one, other in zip(first, again, strict=True))
    assert not all(torch.equal(one.x, other.x) for one, other in zip(first, second, strict=True))
    assert all((batch.index is not None) == is_resident(wanted) for batch in first)


@of_every_kind
def test_clean_batches_are_the_training_split_normalised(kind: str, data_folder: Path) -> None:
    wanted = spec(kind)
    data = load(wanted, data_folder)
    pairs = zip(loader(data, wanted, batch_size=7, seed=5, device="cpu").clean(5), data.train.batches(5), strict=True)
    assert all(torch.equal(batch.x, normalise(x, data.statistics)) for batch, (x, _) in pairs)


@of_every_kind
def test_validation_subset_and_noise_come_in_this_order_and_leave_the_test_split_alone(
    kind: str, data_folder: Path
) -> None:
    whole = load(spec(kind), data_folder)
    classes, size = len(whole.classes), len(whole.train) // 4
    set_aside = load(spec(kind, validation_size=size), data_folder)
    data = load(spec(kind, validation_size=size, labels_per_class=1, label_noise=0.5), data_folder)
    assert not set(samples(data.train)) & set(samples(data.validation))
    assert samples(set_aside.validation) == samples(data.validation)
    assert set(samples(data.train)) < set(samples(set_aside.train)) < set(samples(whole.train))
    assert len(data.train) == classes
    assert wrong_labels(data, whole) == round(classes / 2)
    assert wrong_labels(replaced(data), whole) == 0
    assert samples(data.test) == samples(whole.test)
    assert torch.equal(data.test.y, whole.test.y)
    assert data.checksum == whole.checksum
    assert torch.equal(data.statistics.mean, whole.statistics.mean)


def replaced(data: Dataset) -> Dataset:
    """The data set whose training split is its validation split."""
    assert data.validation is not None
    return Dataset(data.name, data.validation, data.test, data.classes, data.statistics, data.checksum)


def wrong_labels(data: Dataset, whole: Dataset) -> int:
    truth = dict(zip(samples(whole.train), whole.train.y.tolist(), strict=True))
    return sum(truth[x] != y for x, y in zip(samples(data.train), data.train.y.tolist(), strict=True))
