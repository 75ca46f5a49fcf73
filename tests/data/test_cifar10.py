import hashlib
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmix.data.cifar10 import ARCHIVE, CLASSES
from mmix.data.listing import listing
from mmix.data.load import load
from mmix.data.prepare import prepare
from mmix.data.torchvision_import import torchvision
from mmix.errors import DataBroken, DataMissing
from mmix.spec.data import Cifar10

CIFAR10 = Cifar10(kind="cifar10")
IMAGES = 20  # in each file of the archive


def batch(seed: int) -> dict[str, object]:
    """A batch as the archive holds it: rows of 1024 red, 1024 green and 1024 blue values."""
    pixels = np.random.default_rng(seed).integers(0, 256, size=(IMAGES, 3072), dtype=np.uint8)
    return {"data": pixels, "labels": [place % 10 for place in range(IMAGES)]}


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small archive in torchvision's format; torchvision is told the checksums of these files."""
    folder = tmp_path / "download" / ARCHIVE
    folder.mkdir(parents=True)
    reader = torchvision("datasets").CIFAR10
    names = [name for name, _ in reader.train_list + reader.test_list]
    contents = {name: pickle.dumps(batch(seed)) for seed, name in enumerate(names)}
    contents["batches.meta"] = pickle.dumps({"label_names": list(CLASSES)})
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    sums = {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setattr(reader, "train_list", [[name, sums[name]] for name in names[:-1]])
    monkeypatch.setattr(reader, "test_list", [[name, sums[name]] for name in names[-1:]])
    monkeypatch.setattr(reader, "meta", {**reader.meta, "md5": sums["batches.meta"]})
    return folder.parent


def image_folder(folder: Path, names: tuple[str, ...] = CLASSES, side: int = 32) -> Path:
    for split in ("train", "test"):
        for place, name in enumerate(names):
            (folder / split / name).mkdir(parents=True)
            Image.new("RGB", (side, side), (place, 0, 0)).save(folder / split / name / "0.png")
    return folder


def test_the_archive_is_read_where_torchvision_puts_it(archive: Path) -> None:
    archive.rename(archive.with_name("cifar10"))
    data = load(CIFAR10, archive.parent)
    assert (len(data.train), len(data.test), data.shape) == (5 * IMAGES, IMAGES, (3, 32, 32))
    first = torch.from_numpy(np.asarray(batch(0)["data"])[0].reshape(3, 32, 32))
    assert torch.equal(data.train.x[0], first)
    assert data.train.y[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert data.statistics.mean.tolist() == pytest.approx([125.3 / 255, 123.0 / 255, 113.9 / 255])


@pytest.mark.parametrize("inside", ["", ARCHIVE])
def test_an_archive_can_be_packed(archive: Path, tmp_path: Path, inside: str) -> None:
    data = tmp_path / "data"
    said = prepare("cifar10", None, source=archive / inside, download=False, data_folder=data)
    assert "100 training and 20 test images" in said
    archive.rename(tmp_path / "cifar10")
    assert load(CIFAR10, data).checksum == load(CIFAR10, tmp_path).checksum


def test_an_altered_archive_is_refused(archive: Path) -> None:
    archive.rename(archive.with_name("cifar10"))
    file = archive.with_name("cifar10") / ARCHIVE / "data_batch_3"
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(DataBroken, match=r"incomplete or altered.*mmix data prepare cifar10"):
        load(CIFAR10, archive.parent)


def test_a_download_is_verified_and_kept(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = torchvision("datasets").CIFAR10
    monkeypatch.setattr(reader, "download", lambda self: (archive / ARCHIVE).rename(Path(self.root) / ARCHIVE))
    data = tmp_path / "data"
    assert "CIFAR-10" in prepare("cifar10", None, source=None, download=True, data_folder=data)
    assert [path.name for path in (data / "cifar10").iterdir()] == [ARCHIVE]
    assert len(load(CIFAR10, data).train) == 5 * IMAGES
    again = prepare("cifar10", None, source=None, download=True, data_folder=data)
    assert "nothing was written" in again


def test_a_failed_download_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision("datasets").CIFAR10, "download", refuse)
    with pytest.raises(DataMissing, match=r"no route to host.*--from DIR"):
        prepare("cifar10", None, source=None, download=True, data_folder=tmp_path)
    assert not any((tmp_path / "cifar10").iterdir())


def test_an_image_folder_serves_packed_and_in_place(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "images")
    prepare("cifar10", None, source=source, download=False, data_folder=tmp_path / "data")
    packed = load(CIFAR10, tmp_path / "data")
    source.rename(tmp_path / "cifar10")
    assert packed.checksum == load(CIFAR10, tmp_path).checksum
    assert packed.train.x[:, 0, 0, 0].tolist() == list(range(10))
    assert {row.name: row.state for row in listing(tmp_path / "data")}["cifar10"] == "ready"


@pytest.mark.parametrize(("names", "side", "named"), [(("cat", "dog"), 32, "classes"), (CLASSES, 28, "28 x 28")])
def test_other_images_are_not_taken_for_cifar10(names: tuple[str, ...], side: int, named: str, tmp_path: Path) -> None:
    source = image_folder(tmp_path / "images", names, side)
    with pytest.raises(DataBroken, match=named):
        prepare("cifar10", None, source=source, download=False, data_folder=tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_missing_data_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="mmix data prepare cifar10 --download"):
        load(CIFAR10, tmp_path)


def test_torchvision_works_in_a_fresh_process() -> None:
    program = (
        "from mmix.data.torchvision_import import torchvision; import torch;"
        "[torchvision(name) for name in ('datasets', 'transforms.v2', 'models')];"
        "print(torchvision('models').resnet18().eval()(torch.zeros(1, 3, 32, 32)).shape)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "torch.Size([1, 1000])"


def test_loading_other_data_does_not_import_torchvision(tmp_path: Path) -> None:
    program = "import mmix.run, sys; print('torchvision' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
