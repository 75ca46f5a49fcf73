import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import TypeAdapter

from mmix.data.catalogue import ARCHIVES, CIFAR10, CIFAR100, FASHION_MNIST, MNIST, SVHN, Archive
from mmix.data.dataset import Dataset
from mmix.data.listing import listing
from mmix.data.load import load
from mmix.data.prepare import prepare
from mmix.errors import DataBroken, DataMissing
from mmix.spec.data import Data
from mmix.torchvision_import import torchvision
from tests.data.conftest import Content, Writer, content

of_every_archive = pytest.mark.parametrize("archive", ARCHIVES, ids=lambda archive: archive.kind)


def loaded(archive: Archive, data_folder: Path) -> Dataset:
    data: Data = TypeAdapter(Data).validate_python({"kind": archive.kind})
    return load(data, data_folder)


def prepared(archive: Archive, source: Path | None, data: Path) -> str:
    kind: Any = archive.kind
    return prepare(kind, None, source=source, download=source is None, data_folder=data)


def image_folder(folder: Path, names: tuple[str, ...], side: int) -> Path:
    for split in ("train", "test"):
        for place, name in enumerate(names):
            (folder / split / name).mkdir(parents=True)
            Image.new("L", (side, side), place).save(folder / split / name / "0.png")
    return folder


def unpack(folder: Path) -> None:
    for path in folder.glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))


@of_every_archive
def test_an_archive_is_read_where_torchvision_puts_it(archive: Archive, write: Writer, tmp_path: Path) -> None:
    write(archive, tmp_path / archive.kind)
    data = loaded(archive, tmp_path)
    assert (data.name, data.classes, data.shape) == (archive.kind, archive.classes, archive.shape)
    for split, name in ((data.train, "train"), (data.test, "test")):
        pixels, labels = content(archive, name)
        assert split.x.dtype == torch.uint8
        assert np.array_equal(split.x.numpy(), pixels)
        assert np.array_equal(split.y.numpy(), labels)


@of_every_archive
def test_an_archive_packs_from_each_of_its_folders_and_stays_the_same_data(
    archive: Archive, write: Writer, tmp_path: Path
) -> None:
    root = write(archive, tmp_path / archive.kind)
    sources = [root, *[path for path in (root / archive.parts[0], (root / archive.parts[0]).parent) if path.is_dir()]]
    for number, source in enumerate(sources):
        data = tmp_path / str(number)
        count = len(archive.classes)
        assert f"{2 * count} training and {count} test images in {count}" in prepared(archive, source, data)
        assert loaded(archive, data).checksum == loaded(archive, tmp_path).checksum
        assert "nothing was written" in prepared(archive, source, data)


@pytest.mark.parametrize(
    ("archive", "mean", "std"),
    [
        (CIFAR10, [125.3, 123.0, 113.9], [63.0, 62.1, 66.7]),
        (CIFAR100, [129.3, 124.1, 112.4], [68.2, 65.4, 70.4]),
        (SVHN, [127.5] * 3, [127.5] * 3),
    ],
)
def test_the_authors_statistics_are_used(
    archive: Archive, mean: list[float], std: list[float], write: Writer, tmp_path: Path
) -> None:
    write(archive, tmp_path / archive.kind)
    found = loaded(archive, tmp_path).statistics
    assert (found.mean * 255).tolist() == pytest.approx(mean)
    assert (found.std * 255).tolist() == pytest.approx(std)


@pytest.mark.parametrize("archive", [MNIST, FASHION_MNIST])
def test_grey_archives_are_normalised_by_their_own_training_split(
    archive: Archive, write: Writer, tmp_path: Path
) -> None:
    write(archive, tmp_path / archive.kind)
    found = loaded(archive, tmp_path).statistics
    pixels = content(archive, "train")[0] / 255
    assert found.mean.tolist() == pytest.approx([pixels.mean()])
    assert found.std.tolist() == pytest.approx([pixels.std()])


def test_mnist_is_read_unpacked_as_well(write: Writer, tmp_path: Path) -> None:
    root = write(MNIST, tmp_path / "mnist")
    before = loaded(MNIST, tmp_path).checksum
    unpack(root / "MNIST" / "raw")
    for path in (root / "MNIST" / "raw").glob("*.gz"):
        path.unlink()
    assert loaded(MNIST, tmp_path).checksum == before


@of_every_archive
def test_a_truncated_file_is_named(archive: Archive, write: Writer, tmp_path: Path) -> None:
    place = write(archive, tmp_path / archive.kind) / archive.parts[0]
    path = sorted(place.iterdir())[0] if place.is_dir() else place
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(
        DataBroken, match=rf"incomplete or altered.*mmix data prepare {archive.kind} --download"
    ) as caught:
        loaded(archive, tmp_path)
    assert str(path) in str(caught.value)


@of_every_archive
def test_a_missing_file_is_named(archive: Archive, write: Writer, tmp_path: Path) -> None:
    root = write(archive, tmp_path / archive.kind)
    path = root / archive.parts[1] if archive is SVHN else sorted((root / archive.parts[0]).iterdir())[-1]
    path.unlink()
    with pytest.raises(DataBroken) as caught:
        loaded(archive, tmp_path)
    assert str(path).removesuffix(".gz") in str(caught.value)


@pytest.mark.parametrize("kept", [0, 3, 9, -1])
def test_a_truncated_unpacked_file_is_named(kept: int, write: Writer, tmp_path: Path) -> None:
    folder = write(MNIST, tmp_path / "mnist") / "MNIST" / "raw"
    unpack(folder)
    for path in folder.glob("*.gz"):
        path.unlink()
    path = folder / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataBroken, match="t10k-images-idx3-ubyte is missing, incomplete or altered"):
        loaded(MNIST, tmp_path)


def label_too_high(pixels: np.ndarray, labels: np.ndarray) -> Content:
    return pixels, np.where(labels == labels.max(), labels.max() + 5, labels)


def class_without_images(pixels: np.ndarray, labels: np.ndarray) -> Content:
    return pixels[labels != 3], labels[labels != 3]


def label_left_out(pixels: np.ndarray, labels: np.ndarray) -> Content:
    return pixels, labels[:-1]


@of_every_archive
@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (label_too_high, "training split in .* has labels from 0 to"),
        (class_without_images, r"training split in .* has (9|99) classes; .* has 10"),
        (label_left_out, "images, but .* labels"),
    ],
)
def test_labels_that_are_not_the_archives_are_refused(
    archive: Archive, harm: Callable[..., Content], named: str, write: Writer, tmp_path: Path
) -> None:
    write(archive, tmp_path / archive.kind, train=harm(*content(archive, "train")))
    with pytest.raises(DataBroken, match=named):
        loaded(archive, tmp_path)


@pytest.mark.parametrize(
    ("wanted", "there"), [(CIFAR100, CIFAR10), (CIFAR10, CIFAR100), (MNIST, FASHION_MNIST), (SVHN, MNIST)]
)
def test_another_archive_in_the_folder_is_named(wanted: Archive, there: Archive, write: Writer, tmp_path: Path) -> None:
    write(there, tmp_path / wanted.kind)
    with pytest.raises(DataBroken, match=f"holds {there.title}.*but {wanted.title}"):
        loaded(wanted, tmp_path)


def test_cifar10_files_under_the_name_of_cifar100_are_refused(write: Writer, tmp_path: Path) -> None:
    root = write(CIFAR10, tmp_path / "cifar100")
    (root / CIFAR10.parts[0]).rename(root / CIFAR100.parts[0])
    with pytest.raises(DataBroken, match=r"cifar-100-python/train is missing, incomplete or altered"):
        loaded(CIFAR100, tmp_path)


def test_a_packed_file_of_other_data_is_refused(write: Writer, tmp_path: Path) -> None:
    prepared(CIFAR10, write(CIFAR10, tmp_path / "download"), tmp_path)
    (tmp_path / "cifar10").rename(tmp_path / "cifar100")
    with pytest.raises(DataBroken, match=r"classes in .*cifar100 are airplane.*CIFAR-100's are apple.* and 91 more"):
        loaded(CIFAR100, tmp_path)


@of_every_archive
def test_a_download_is_verified_and_kept(
    archive: Archive, write: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def arrive(self: Any) -> None:
        if not (Path(self.root) / archive.parts[0]).exists():
            write(archive, Path(self.root))
            unpack(Path(self.root) / archive.parts[0])

    monkeypatch.setattr(getattr(torchvision("datasets"), archive.reader), "download", arrive)
    assert archive.title in prepared(archive, None, tmp_path)
    tops = sorted({part.split("/")[0] for part in archive.parts})
    assert sorted(path.name for path in (tmp_path / archive.kind).iterdir()) == tops
    assert len(loaded(archive, tmp_path).train) == 2 * len(archive.classes)
    assert "nothing was written" in prepared(archive, None, tmp_path)
    assert {row.name: row.state for row in listing(tmp_path)}[archive.kind] == "ready"


def test_a_download_of_other_content_is_refused(write: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def arrive(self: Any) -> None:
        if self.train:
            unpack(write(MNIST, Path(self.root)) / "MNIST" / "raw")
        else:
            (Path(self.root) / "MNIST" / "raw" / "train-images-idx3-ubyte.gz").write_bytes(b"another")

    monkeypatch.setattr(torchvision("datasets").MNIST, "download", arrive)
    with pytest.raises(DataBroken, match=r"train-images-idx3-ubyte\.gz is missing, incomplete or altered"):
        prepared(MNIST, None, tmp_path)
    assert not any((tmp_path / "mnist").iterdir())


@of_every_archive
def test_a_failed_download_leaves_nothing(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(getattr(torchvision("datasets"), archive.reader), "download", refuse)
    with pytest.raises(DataMissing, match=r"no route to host.*--from DIR"):
        prepared(archive, None, tmp_path)
    assert not any((tmp_path / archive.kind).iterdir())


@of_every_archive
def test_an_image_folder_serves_packed_and_in_place(archive: Archive, tmp_path: Path) -> None:
    source = image_folder(tmp_path / "images", archive.classes, archive.shape[1])
    prepared(archive, source, tmp_path / "data")
    packed = loaded(archive, tmp_path / "data")
    source.rename(tmp_path / archive.kind)
    assert packed.checksum == loaded(archive, tmp_path).checksum
    assert packed.shape == archive.shape
    assert packed.train.x[:, 0, 0, 0].tolist() == list(range(len(archive.classes)))
    assert {row.name: row.state for row in listing(tmp_path / "data")}[archive.kind] == "ready"


@pytest.mark.parametrize(
    ("archive", "names", "side", "named"),
    [
        (CIFAR10, ("cat", "dog"), 32, "classes in .* are cat, dog"),
        (CIFAR10, CIFAR10.classes, 28, "28 x 28 pixels in 3 channels"),
        (MNIST, MNIST.classes, 32, "32 x 32 pixels in 1 channel; MNIST's are 28 x 28"),
    ],
)
def test_other_images_are_refused_and_nothing_is_written(
    archive: Archive, names: tuple[str, ...], side: int, named: str, tmp_path: Path
) -> None:
    source = image_folder(tmp_path / "images", names, side)
    with pytest.raises(DataBroken, match=named):
        prepared(archive, source, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_coloured_images_are_not_taken_for_grey_ones(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "images", MNIST.classes, 28)
    Image.new("RGB", (28, 28), (0, 0, 1)).save(source / "test" / "7" / "0.png")
    with pytest.raises(DataBroken, match="3 channels; MNIST's are 28 x 28 pixels in 1 channel"):
        prepared(MNIST, source, tmp_path / "data")


@of_every_archive
def test_missing_data_say_how_to_get_them(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=f"mmix data prepare {archive.kind} --download"):
        loaded(archive, tmp_path)
    assert {row.name: row.state for row in listing(tmp_path)}[archive.kind].startswith("missing: run `mmix data")


def test_torchvision_works_in_a_fresh_process() -> None:
    program = (
        "from mmix.torchvision_import import torchvision; import torch;"
        "[torchvision(name) for name in ('datasets', 'transforms.v2', 'models')];"
        "print(torchvision('models').resnet18().eval()(torch.zeros(1, 3, 32, 32)).shape)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "torch.Size([1, 1000])"


def test_loading_other_data_does_not_import_torchvision(tmp_path: Path) -> None:
    program = "import mmix.run, sys; print('torchvision' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
