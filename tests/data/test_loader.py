import subprocess
import sys

import pytest
import torch
from torch import Tensor

from mmix.data.augment import augmentation, pad
from mmix.data.dataset import Split, Statistics
from mmix.data.loader import Loader, Order, batch_sizes
from mmix.data.pixels import normalise, normalised, unit
from mmix.mixing.shares import Shares

NEUTRAL = Statistics(mean=torch.zeros(3), std=torch.ones(3))


def split(images: int = 23, side: int = 6) -> Split:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (images, 3, side, side), generator=generator).to(torch.uint8)
    return Split(x=x, y=torch.arange(images))  # the label tells which image it is


def loader(*, padding: int = 0, flip: bool = False, seed: int = 0, batch_size: int = 5) -> Loader:
    return Loader(split(), NEUTRAL, batch_size=batch_size, crop_padding=padding, flip=flip, seed=seed)


def order(batches: Loader, epoch: int, purpose: Order = "order") -> list[int]:
    return torch.cat([batch.y for batch in batches.epoch(epoch, purpose=purpose)]).tolist()


def by_image(batches: Loader, epoch: int, purpose: Order = "order") -> dict[int, Tensor]:
    return {int(y): x for batch in batches.epoch(epoch, purpose=purpose) for x, y in zip(batch.x, batch.y, strict=True)}


@pytest.mark.parametrize(
    ("images", "batch", "sizes"),
    [(10, 5, (5, 5)), (12, 5, (5, 5, 2)), (11, 5, (5, 5)), (3, 5, (3,)), (2, 2, (2,)), (3, 2, (2,))],
)
def test_a_smaller_last_batch_is_kept_unless_it_is_one_image(images: int, batch: int, sizes: tuple[int, ...]) -> None:
    assert batch_sizes(images, batch) == sizes


def test_an_epoch_visits_every_image_once_in_a_new_order() -> None:
    batches = loader()
    assert sorted(order(batches, 0)) == list(range(23))
    assert order(batches, 0) != order(batches, 1)
    assert order(batches, 0) == order(loader(), 0)
    assert order(batches, 0) != order(loader(seed=1), 0)


def test_batches_have_the_announced_sizes() -> None:
    batches = loader(batch_size=11)
    assert batches.sizes == tuple(len(batch.y) for batch in batches.epoch(0)) == (11, 11)


def test_without_augmentation_images_come_as_they_are() -> None:
    for batch in loader().epoch(0):
        assert torch.equal(batch.x, unit(split().x[batch.y]))


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("padding", [0, 2])
def test_crops_and_flips_are_those_of_the_padded_image(padding: int, flip: bool) -> None:
    crop = augmentation(images=23, padding=padding, flip=flip, seed=0, epoch=4, device="cpu")
    pixels = split().x.permute(0, 2, 3, 1)
    chosen = torch.tensor([7, 3, 22, 0])
    found = crop(pad(pixels, padding), chosen, height=6, width=6)
    for row, image in enumerate(chosen.tolist()):
        top, left = int(crop.top[image]), int(crop.left[image])
        expected = pad(pixels, padding)[image, top : top + 6, left : left + 6]
        assert torch.equal(found[row], expected.flip(1) if crop.flipped[image] else expected)
    assert crop.flipped.any().item() is flip


def test_offsets_and_flips_are_uniform() -> None:
    crop = augmentation(images=10_000, padding=2, flip=True, seed=0, epoch=0, device="cpu")
    # six standard deviations of a binomial count: 6 * sqrt(10000 * 0.2 * 0.8) = 240 and 6 * 50 = 300
    assert all(abs(int((offsets == k).sum()) - 2000) < 240 for offsets in (crop.top, crop.left) for k in range(5))
    assert abs(int(crop.flipped.sum()) - 5000) < 300


def test_augmentation_follows_the_image_and_not_its_place_in_the_batch() -> None:
    small = by_image(loader(padding=2, flip=True), 0)
    whole = by_image(loader(padding=2, flip=True, batch_size=23), 0)
    second = by_image(loader(padding=2, flip=True), 0, "second_order")
    assert all(torch.equal(small[image], other[image]) for other in (whole, second) for image in range(23))


def test_the_second_order_has_the_same_sizes_and_other_places() -> None:
    batches = loader(batch_size=11)
    assert sorted(order(batches, 0, "second_order")) != order(batches, 0, "second_order") != order(batches, 0)
    assert order(batches, 0, "second_order") != order(batches, 1, "second_order")
    assert tuple(len(batch.y) for batch in batches.epoch(0, purpose="second_order")) == batches.sizes


def test_the_index_says_where_in_the_training_split_a_sample_stands() -> None:
    for batch in loader(padding=1, flip=True).epoch(3):
        assert batch.index is not None
        assert torch.equal(split().y[batch.index], batch.y)


@pytest.mark.parametrize("padding", [0, 2])
def test_clean_batches_come_in_order_and_unaugmented(padding: int) -> None:
    batches = [*loader(padding=padding, flip=True).clean(10)]
    assert [len(batch.y) for batch in batches] == [10, 10, 3]
    assert torch.cat([batch.y for batch in batches]).tolist() == list(range(23))
    assert torch.equal(torch.cat([batch.x for batch in batches]), unit(split().x))
    assert all(batch.index is not None and torch.equal(batch.index, batch.y) for batch in batches)


@pytest.mark.parametrize("padding", [0, 1])
def test_a_batch_is_channels_last(padding: int) -> None:
    batches = loader(padding=padding, flip=padding > 0)
    for batch in (next(batches.epoch(0)), next(batches.clean(5))):
        assert batch.x.is_contiguous(memory_format=torch.channels_last)


def test_points_come_as_they_are() -> None:
    points = Split(x=torch.randn(9, 2), y=torch.arange(9))
    raw = Statistics(mean=torch.zeros(2), std=torch.ones(2))
    batches = Loader(points, raw, batch_size=4, seed=0)
    assert all(torch.equal(batch.x, points.x[batch.y]) for batch in batches.epoch(0))
    assert torch.equal(torch.cat([batch.x for batch in batches.clean(4)]), points.x)


PROGRAM = """
import hashlib
from pathlib import Path
from mmix.data.load import load
from mmix.data.loading import loader
from mmix.spec.data import Digits
spec = Digits(kind="digits", crop_padding=1, flip=True, validation_size=100, label_noise=0.2)
for batch in loader(load(spec, Path()), spec, batch_size=99, seed=3, device="cpu").epoch(7):
    print(hashlib.sha256(batch.x.numpy().tobytes() + batch.y.numpy().tobytes()).hexdigest())
"""


def test_a_child_process_sees_the_same_batches(capsys: pytest.CaptureFixture[str]) -> None:
    there = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    exec(PROGRAM)
    assert capsys.readouterr().out == there
    assert len(there.split()) == 14


def test_normalised_images_have_the_statistics_taken_off() -> None:
    statistics = Statistics(mean=torch.tensor([0.1, 0.2, 0.3]), std=torch.tensor([0.5, 0.25, 2.0]))
    x = torch.rand(4, 3, 2, 2)
    for channel in range(3):
        expected = (x[:, channel] - statistics.mean[channel]) / statistics.std[channel]
        assert torch.equal(normalise(x, statistics)[:, channel], expected)


def test_an_image_is_cropped_and_flipped_anew_in_each_epoch() -> None:
    first, second = (by_image(loader(padding=2, flip=True), epoch) for epoch in range(2))
    same = [image for image in range(23) if torch.equal(first[image], second[image])]
    assert len(same) <= 4  # one of 50 crops comes twice by chance; 23 images


def test_a_batch_has_the_bits_that_evaluation_normalises_to() -> None:
    pixels = torch.arange(256).repeat(3).reshape(2, 8, 16, 3).to(torch.uint8)  # each byte in each channel
    statistics = Statistics(mean=torch.tensor([0.4914, 0.4822, 0.4465]), std=torch.tensor([0.247, 0.2435, 0.2616]))
    expected = normalise(unit(pixels.permute(0, 3, 1, 2)), statistics)
    found = normalised(pixels, statistics)
    assert torch.equal(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("purpose", ["order", "second_order"])
def test_a_rank_gets_its_share_of_every_batch(purpose: Order) -> None:
    whole, *ranks = (
        [*Loader(split(), NEUTRAL, batch_size=5, crop_padding=1, seed=0, shares=shares).epoch(3, purpose=purpose)]
        for shares in (Shares(2), Shares(2, own=0), Shares(2, own=1))
    )
    assert [len(batch.y) for batch in whole] == [5, 5, 5, 5]  # three images are left, and a share needs two
    for batch, first, second in zip(whole, *ranks, strict=True):
        assert (len(first.y), len(second.y)) == (3, 2)
        assert torch.equal(torch.cat([first.x, second.x]), batch.x)
        assert torch.equal(torch.cat([first.y, second.y]), batch.y)
