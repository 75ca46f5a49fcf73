"""Scikit-learn's scanned digits: they need no files of their own and train in seconds."""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from mmix.data.dataset import Dataset, Split, checksum, measure
from mmix.errors import DataMissing

IMAGES = 1797
TEST_IMAGES = 360
TRAIN_IMAGES = IMAGES - TEST_IMAGES
CLASSES = tuple("0123456789")
LEVELS = 16  # a pixel counts the set bits of a 4 x 4 block: 0..16
SIDE = 8

# A bit for each image, set where it is of the test split: drawn by scikit-learn's train_test_split(stratify=labels,
# random_state=0), and written down: loading that takes each trainer a second, and another release may draw otherwise.
_TEST = bytes.fromhex(
    "000004883524104000064100934205001a00080100240028062c12001000940a009019120420f8a0028110a000080a8820441524494240a0"
    "0a0000004004d80000818020004805c400104008a0100005404800301000020ec409000224840083a8013c20a6980a0000000b08400804a0"
    "184802024041c1008004404684376a810216004480004042a0a4180a5000840b8561c608108008004c80c02004068e000108820081003808"
    "03c008190000100e01008410a0210033282904c044c080680e0102830082008822a6402c24042108a860809081a00c02820242120138a415"
    "00"
)


def digits() -> Dataset:
    """1,797 images of 8 x 8 pixels in one channel; the test split is stratified and always the same.

    Raises: DataMissing where scikit-learn isn't installed, or lies elsewhere than it used to.
    """
    table = _table()
    pixels = np.round(table[:, :-1] * (255 / LEVELS)).astype(np.uint8).reshape(-1, 1, SIDE, SIDE)
    labels = table[:, -1].astype(np.int64)
    tested = np.unpackbits(np.frombuffer(_TEST, np.uint8))[: len(labels)].astype(bool)
    splits = [_split(pixels[chosen], labels[chosen]) for chosen in (~tested, tested)]
    return Dataset("digits", splits[0], splits[1], CLASSES, measure(splits[0]), checksum(splits))


def _table() -> np.ndarray:
    """A row for each image: its 64 pixels and its label."""
    found = find_spec("sklearn")  # which doesn't load it
    for folder in [] if found is None else found.submodule_search_locations or []:
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            with gzip.open(path) as file:
                return np.loadtxt(file, delimiter=",")
    raise DataMissing("there are no digits, which come with scikit-learn: `pip install scikit-learn`")


def _split(pixels: np.ndarray, labels: np.ndarray) -> Split:
    return Split(x=torch.from_numpy(pixels), y=torch.from_numpy(labels))
