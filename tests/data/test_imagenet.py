import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmix.data import stream
from mmix.data.dataset import Dataset
from mmix.data.listing import listing
from mmix.data.load import load
from mmix.data.loader import Batch
from mmix.data.loading import loader
from mmix.data.pixels import normalise, unit
from mmix.data.prepare import prepare
from mmix.data.stream import Files, Stream, Streamed
from mmix.errors import DataBroken, DataMissing, SpecError
from mmix.mixing.shares import Shares
from mmix.spec.data import ImageNet

SPEC = ImageNet(kind="imagenet", side=32)
WNIDS = ("n01440764", "n01443537", "n01484850")


def draw(path: Path, *, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, size=(7, 9, 3), dtype=np.uint8)
    width, height = random.integers(40, 80, size=2).tolist()
    Image.fromarray(pixels).resize((width, height)).save(path, "JPEG")


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """Three classes, five training images and two test images each, of many sizes."""
    for place, wnid in enumerate(WNIDS):
        for number in range(5):
            draw(tmp_path / "imagenet" / "train" / wnid / f"{wnid}_{number}.JPEG", seed=10 * place + number)
        for number in range(2):
            draw(tmp_path / "imagenet" / "val" / wnid / f"ILSVRC2012_val_{number}.JPEG", seed=99 - 10 * place - number)
    return tmp_path


@pytest.fixture(autouse=True)
def _decode_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MOST_WORKERS", 0)  # starting processes is tested once


def streamed(data: Dataset, spec: ImageNet = SPEC, *, batch_size: int = 4, seed: int = 0) -> Stream:
    found = loader(data, spec, batch_size=batch_size, seed=seed, device="cpu")
    assert isinstance(found, Stream)
    return found


def equal(first: list[Batch], second: list[Batch]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(torch.equal(one.x, other.x) and torch.equal(one.y, other.y) for one, other in pairs)


def test_its_classes_are_its_folders_and_its_validation_split_is_the_test_split(data_folder: Path) -> None:
    data = load(SPEC, data_folder)
    assert (data.classes, data.shape, len(data.train), len(data.test)) == (WNIDS, (3, 32, 32), 15, 6)
    assert data.train.y.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert data.statistics.mean.tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert data.statistics.std.tolist() == pytest.approx([0.229, 0.224, 0.225])
    assert {row.name: row.state for row in listing(data_folder)}["imagenet"] == "ready, streamed"


def test_test_images_are_central_crops_of_resized_images(data_folder: Path) -> None:
    data = load(SPEC, data_folder)
    batches = [*data.test.batches(4)]
    assert [len(y) for _, y in batches] == [4, 2]
    assert torch.cat([y for _, y in batches]).tolist() == [0, 0, 1, 1, 2, 2]
    with Image.open(data_folder / "imagenet" / "val" / WNIDS[0] / "ILSVRC2012_val_0.JPEG") as image:
        shorter = round(32 * 256 / 224)
        scale = shorter / min(image.size)
        width, height = (int(side * scale) for side in image.size)
        left, top = round((width - 32) / 2), round((height - 32) / 2)
        small = image.resize((width, height), Image.Resampling.BILINEAR).crop((left, top, left + 32, top + 32))
    expected = unit(torch.from_numpy(np.array(small)).permute(2, 0, 1))
    x, _ = batches[0]
    assert torch.equal(x[0], expected)
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_an_epoch_visits_every_image_once_and_is_a_function_of_seed_and_number(data_folder: Path) -> None:
    data = load(SPEC, data_folder)
    batches = streamed(data)
    first = [*batches.epoch(0)]
    assert batches.sizes == tuple(len(batch.y) for batch in first) == (4, 4, 4, 3)
    assert torch.cat([batch.y for batch in first]).bincount().tolist() == [5, 5, 5]
    assert all(batch.index is None for batch in first)
    assert equal(first, [*streamed(load(SPEC, data_folder)).epoch(0)])
    others = batches.epoch(1), batches.epoch(0, purpose="second_order"), streamed(data, seed=1).epoch(0)
    assert not any(equal(first, [*other]) for other in others)


def test_crops_follow_the_image_and_the_epoch_and_not_the_place_in_the_batch(data_folder: Path) -> None:
    data = load(SPEC, data_folder)
    views = [
        sorted(map(tuple, torch.cat([batch.x for batch in batches]).flatten(1).tolist()))
        for batches in (
            streamed(data).epoch(2),
            streamed(data, batch_size=15).epoch(2),
            streamed(data).epoch(2, purpose="second_order"),
            streamed(data).epoch(3),
        )
    ]
    assert views[0] == views[1] == views[2]
    assert not set(views[0]) & set(views[3])


def test_flipping_changes_some_images_into_their_mirrors_and_moves_no_crop(data_folder: Path) -> None:
    data = load(SPEC, data_folder)
    plain, flipped = (
        torch.cat([batch.x for batch in streamed(data, replace_flip(flip)).epoch(0)]) for flip in (False, True)
    )
    same = (plain == flipped).flatten(1).all(1)
    mirrored = (plain == flipped.flip(3)).flatten(1).all(1)
    assert (same | mirrored).all()
    assert 0 < mirrored.sum() < 15


def replace_flip(flip: bool) -> ImageNet:
    return SPEC.model_copy(update={"flip": flip})


def test_clean_batches_come_in_order_and_normalised(data_folder: Path) -> None:
    data = load(SPEC, data_folder)
    batches = [*streamed(data).clean(10)]
    assert torch.cat([batch.y for batch in batches]).tolist() == data.train.y.tolist()
    x, _ = next(data.train.batches(10))
    assert torch.equal(batches[0].x, normalise(x, data.statistics))


def test_workers_change_nothing_and_no_global_state_moves(data_folder: Path) -> None:
    data = load(SPEC, data_folder)
    assert isinstance(data.train, Streamed)
    before = torch.get_rng_state()
    apart = replace(data, train=replace(data.train, workers=2))
    assert equal([*streamed(data).epoch(1)], [*streamed(apart).epoch(1)])
    assert torch.equal(torch.get_rng_state(), before)


PROGRAM = """
import hashlib, sys
from pathlib import Path
from mmix.data.load import load
from mmix.data.loading import loader
from mmix.spec.data import ImageNet
spec = ImageNet(kind="imagenet", side=32)
for batch in loader(load(spec, Path(sys.argv[1])), spec, batch_size=5, seed=0, device="cpu").epoch(4):
    print(hashlib.sha256(batch.x.numpy().tobytes() + batch.y.numpy().tobytes()).hexdigest())
"""


def test_another_process_sees_the_same_batches(
    data_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", PROGRAM, str(data_folder)]
    there = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    monkeypatch.setattr(sys, "argv", ["", str(data_folder)])
    exec(PROGRAM)
    assert capsys.readouterr().out == there
    assert len(there.split()) == 3


def test_parts_of_the_training_split_are_streamed_too(data_folder: Path) -> None:
    spec = SPEC.model_copy(update={"validation_size": 3, "labels_per_class": 2, "label_noise": 0.5})
    data = load(spec, data_folder)
    assert data.validation is not None
    assert (len(data.train), len(data.validation)) == (6, 3)
    assert data.validation.y.tolist() == [0, 1, 2]
    assert sum(len(batch.y) for batch in streamed(data).epoch(0)) == 6
    x, y = next(data.validation.batches(3))
    whole, _ = next(load(SPEC, data_folder).train.batches(15))
    assert all((whole == image).flatten(1).all(1).sum() == 1 for image in x)
    assert torch.equal(y, data.validation.y)


def test_the_checksum_covers_names_and_sizes(data_folder: Path) -> None:
    before = load(SPEC, data_folder).checksum
    path = data_folder / "imagenet" / "val" / WNIDS[0] / "ILSVRC2012_val_0.JPEG"
    path.write_bytes(path.read_bytes() + b"x")
    changed = load(SPEC, data_folder).checksum
    path.rename(path.with_name("other.JPEG"))
    assert len({before, changed, load(SPEC, data_folder).checksum}) == 3


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_image_is_named_when_its_turn_comes(workers: int, data_folder: Path) -> None:
    path = data_folder / "imagenet" / "train" / WNIDS[1] / f"{WNIDS[1]}_2.JPEG"
    path.write_bytes(path.read_bytes()[:400])
    data = load(SPEC, data_folder)
    assert isinstance(data.train, Streamed)
    data = replace(data, train=replace(data.train, workers=workers))
    with pytest.raises(DataBroken) as caught:
        list(streamed(data).epoch(0))
    assert str(caught.value).startswith(f"{path} can't be read as an image")


def flat(folder: Path) -> None:
    for path in [*(folder / "val").glob("*/*")]:
        path.rename(folder / "val" / f"{path.parent.name}_{path.name}")
    for path in [*(folder / "val").iterdir()]:
        if path.is_dir():
            path.rmdir()


def no_val(folder: Path) -> None:
    (folder / "val").rename(folder / "validation")


def class_of_one_split(folder: Path) -> None:
    draw(folder / "train" / "n01491361" / "a.JPEG", seed=0)


def empty_class(folder: Path) -> None:
    (folder / "val" / "n01491361").mkdir()


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (flat, r"imagenet/val is flat: move each image into the folder of its class"),
        (no_val, r"not in .*imagenet \(val/ is missing\).*image-net\.org.*val/<class>/"),
        (class_of_one_split, "val has no class folder 'n01491361'"),
        (empty_class, "n01491361 is missing or holds no images"),
    ],
)
def test_what_is_missing_is_named(harm: Callable[[Path], None], named: str, data_folder: Path) -> None:
    harm(data_folder / "imagenet")
    with pytest.raises(DataMissing, match=named):
        load(SPEC, data_folder)


def test_it_is_put_in_place_by_hand(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"put its train/ and val/ into .*imagenet, or make that a link"):
        prepare("imagenet", None, source=tmp_path, download=False, data_folder=tmp_path)


def test_a_rank_decodes_its_share_of_every_batch_alone(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(SPEC, data_folder)
    seen: list[int] = []
    opened = Files.__getitem__

    def noted(files: Files, place: int) -> Path:
        seen.append(place)
        return opened(files, place)

    monkeypatch.setattr(Files, "__getitem__", noted)
    whole, *ranks = (
        [*loader(data, SPEC, batch_size=5, seed=0, device="cpu", shares=shares).epoch(1)]
        for shares in (Shares(2), Shares(2, own=0), Shares(2, own=1))
    )
    assert len(seen) == 2 * 15
    for batch, first, second in zip(whole, *ranks, strict=True):
        assert (len(first.y), len(second.y)) == (3, 2)
        assert torch.equal(torch.cat([first.x, second.x]), batch.x)
        assert torch.equal(torch.cat([first.y, second.y]), batch.y)
