import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from mmix.data.load import load
from mmix.errors import SpecError
from mmix.spec.data import Digits


def test_digits_have_a_fixed_stratified_test_split(tmp_path: Path) -> None:
    data = load(Digits(kind="digits"), tmp_path)
    assert (len(data.train), len(data.test), data.shape) == (1437, 360, (1, 8, 8))
    assert data.test.y.bincount().tolist() == [36, 36, 35, 37, 36, 37, 36, 36, 35, 36]
    assert data.checksum == load(Digits(kind="digits"), tmp_path).checksum


def test_the_split_is_the_one_that_scikit_learn_drew(tmp_path: Path) -> None:
    data, given = load(Digits(kind="digits"), tmp_path), load_digits()
    chosen = train_test_split(np.arange(1797), test_size=360, stratify=given.target, random_state=0)
    for split, positions in zip((data.train, data.test), map(np.sort, chosen), strict=True):
        assert split.y.tolist() == given.target[positions].tolist()
        assert torch.equal((split.x[:, 0].double() * 16 / 255).round(), torch.from_numpy(given.images[positions]))


def test_digits_are_read_without_loading_scikit_learn() -> None:
    code = "import sys; from mmix.data.digits import digits; digits(); print({'sklearn', 'scipy'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


def test_digits_keep_their_sixteen_levels(tmp_path: Path) -> None:
    data = load(Digits(kind="digits"), tmp_path)
    pixels = torch.cat([data.train.x, data.test.x]).flatten(1)
    given = torch.from_numpy(load_digits().data)
    assert pixels.dtype == torch.uint8
    recovered = (pixels.double() * 16 / 255).round()
    assert sorted(map(tuple, recovered.tolist())) == sorted(map(tuple, given.tolist()))


def test_statistics_are_those_of_the_training_split(tmp_path: Path) -> None:
    whole, part = (load(Digits(kind="digits", train_size=size), tmp_path) for size in (None, 100))
    x = whole.train.x.double() / 255
    assert whole.statistics.mean.item() == pytest.approx(x.mean().item(), rel=1e-6)
    assert whole.statistics.std.item() == pytest.approx(x.std(correction=0).item(), rel=1e-6)
    assert torch.equal(part.statistics.mean, whole.statistics.mean)
    assert part.checksum == whole.checksum


def test_a_subset_keeps_the_classes_shares(tmp_path: Path) -> None:
    whole, part = (load(Digits(kind="digits", train_size=size), tmp_path) for size in (None, 200))
    expected = whole.train.y.bincount() * 200 / 1437
    assert ((part.train.y.bincount() - expected).abs() <= 1).all()
    assert len(part.train) == 200
    assert len(part.test) == 360


def test_a_smaller_subset_is_part_of_a_larger_one(tmp_path: Path) -> None:
    small, large = (load(Digits(kind="digits", train_size=size), tmp_path) for size in (10, 300))
    assert sorted(small.train.y.tolist()) == list(range(10))
    larger = set(map(tuple, large.train.x.flatten(1).tolist()))
    assert set(map(tuple, small.train.x.flatten(1).tolist())) <= larger


@pytest.mark.parametrize("size", [9, 1438])
def test_a_subset_that_does_not_fit_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(SpecError, match=rf"data\.train_size is {size}.*between 10.*1437"):
        load(Digits(kind="digits", train_size=size), tmp_path)
