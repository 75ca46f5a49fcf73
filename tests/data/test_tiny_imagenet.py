from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmix.data.listing import listing
from mmix.data.load import load
from mmix.data.prepare import prepare
from mmix.errors import DataBroken, DataMissing, MmixError, SpecError
from mmix.spec.data import TinyImageNet

TINY = TinyImageNet(kind="tiny_imagenet")
WNIDS = ("n02124075", "n01443537", "n04067472")  # as in the archive, wnids.txt is not sorted


def draw(path: Path, *, seed: int, side: int = 64) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, size=(side // 8, side // 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((side, side)).save(path, "JPEG")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The folder of the archive: three classes, two training images and two test images each."""
    root = tmp_path / "download" / "tiny-imagenet-200"
    for place, wnid in enumerate(WNIDS):
        for number in range(2):
            draw(root / "train" / wnid / "images" / f"{wnid}_{number}.JPEG", seed=10 * place + number)
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text(f"{wnid}_0.JPEG\t0\t0\t62\t62\n")
    for number in range(6):
        draw(root / "val" / "images" / f"val_{number}.JPEG", seed=100 + number)
    lines = [f"val_{number}.JPEG\t{WNIDS[number % 3]}\t0\t0\t62\t62\n" for number in range(6)]
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    (root / "wnids.txt").write_text("\n".join(WNIDS) + "\n")
    return root


def prepared(source: Path, data: Path) -> str:
    return prepare("tiny_imagenet", None, source=source, download=False, data_folder=data)


def test_its_validation_split_is_the_test_split(source: Path, tmp_path: Path) -> None:
    prepared(source, tmp_path)
    data = load(TINY, tmp_path)
    assert data.classes == tuple(sorted(WNIDS))
    assert (data.shape, data.train.y.tolist()) == ((3, 64, 64), [0, 0, 1, 1, 2, 2])
    assert data.test.y.tolist() == [1, 0, 2, 1, 0, 2]
    assert data.statistics.mean.tolist() == data.statistics.std.tolist() == [0.5] * 3
    with Image.open(source / "val" / "images" / "val_4.JPEG") as image:
        assert np.array_equal(data.test.x[4].permute(1, 2, 0).numpy(), np.asarray(image))


def test_it_is_the_same_data_packed_unpacked_and_one_folder_up(source: Path, tmp_path: Path) -> None:
    assert "6 training and 6 test images in 3 classes" in prepared(source, tmp_path / "packed")
    prepared(source.parent, tmp_path / "above")
    source.parent.rename(tmp_path / "tiny_imagenet")
    assert {load(TINY, tmp_path / place).checksum for place in ("packed", "above", ".")} == {
        load(TINY, tmp_path).checksum
    }
    states = [{row.name: row.state for row in listing(tmp_path / place)}["tiny_imagenet"] for place in ("packed", ".")]
    assert states == ["ready", "ready, not packed"]


def test_grey_images_become_rgb(source: Path, tmp_path: Path) -> None:
    path = source / "train" / WNIDS[1] / "images" / f"{WNIDS[1]}_0.JPEG"
    with Image.open(path) as image:
        image.convert("L").save(path, "JPEG")
    prepared(source, tmp_path)
    first = load(TINY, tmp_path).train.x[0]
    assert torch.equal(first[0], first[2])


def missing_wnids(root: Path) -> Path:
    (root / "wnids.txt").unlink()
    return root / "wnids.txt"


def missing_class(root: Path) -> Path:
    (root / "train" / WNIDS[2]).rename(root / "elsewhere")
    return root / "train" / WNIDS[2] / "images"


def missing_image(root: Path) -> Path:
    (root / "val" / "images" / "val_3.JPEG").unlink()
    return root / "val" / "images" / "val_3.JPEG"


def missing_annotations(root: Path) -> Path:
    (root / "val" / "val_annotations.txt").write_text("")
    return root / "val" / "val_annotations.txt"


@pytest.mark.parametrize("harm", [missing_wnids, missing_class, missing_image, missing_annotations])
def test_what_is_missing_is_named(harm: Callable[[Path], Path], source: Path, tmp_path: Path) -> None:
    refused(harm, DataMissing, source, tmp_path)


def unknown_class(root: Path) -> Path:
    draw(root / "train" / "n00000000" / "images" / "a.JPEG", seed=0)
    return root / "train" / "n00000000"


def unknown_label(root: Path) -> Path:
    path = root / "val" / "val_annotations.txt"
    path.write_text(path.read_text().replace(WNIDS[0], "n00000000"))
    return path


def line_without_label(root: Path) -> Path:
    path = root / "val" / "val_annotations.txt"
    path.write_text(path.read_text() + "val_9.JPEG\n")
    return path


def image_without_line(root: Path) -> Path:
    draw(root / "val" / "images" / "val_9.JPEG", seed=0)
    return root / "val" / "images" / "val_9.JPEG"


def truncated(root: Path) -> Path:
    path = root / "val" / "images" / "val_2.JPEG"
    path.write_bytes(path.read_bytes()[:300])
    return path


def another_size(root: Path) -> Path:
    path = root / "val" / "images" / "val_2.JPEG"
    draw(path, seed=0, side=32)
    return path


@pytest.mark.parametrize(
    "harm", [unknown_class, unknown_label, line_without_label, image_without_line, truncated, another_size]
)
def test_what_is_broken_is_named(harm: Callable[[Path], Path], source: Path, tmp_path: Path) -> None:
    refused(harm, DataBroken, source, tmp_path)


def refused(harm: Callable[[Path], Path], kind: type[MmixError], source: Path, tmp_path: Path) -> None:
    path = harm(source)
    with pytest.raises(kind) as caught:
        prepared(source, tmp_path / "data")
    assert str(path) in str(caught.value)
    assert not (tmp_path / "data").exists()


def test_images_of_another_size_throughout_are_refused(source: Path, tmp_path: Path) -> None:
    for path in source.rglob("*.JPEG"):
        draw(path, seed=0, side=32)
    with pytest.raises(DataBroken, match="32 x 32 pixels; Tiny-ImageNet's are 64 x 64"):
        prepared(source, tmp_path / "data")


def test_it_can_not_be_downloaded_and_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="--from DIR"):
        prepare("tiny_imagenet", None, source=None, download=True, data_folder=tmp_path)
    with pytest.raises(DataMissing, match=r"tiny-imagenet-200\.zip.*mmix data prepare tiny_imagenet --from DIR"):
        load(TINY, tmp_path)
