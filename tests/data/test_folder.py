from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmix.data import images, packed
from mmix.data.listing import listing
from mmix.data.load import load
from mmix.data.prepare import prepare
from mmix.errors import DataBroken, DataError, DataMissing, SpecError
from mmix.spec.data import Folder

PETS = Folder(kind="folder", name="pets")


def draw(path: Path, *, seed: int, size: tuple[int, int] = (6, 5)) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, size=(size[1], size[0], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two classes, three training images and one test image each, 6 x 5 pixels."""
    folder = tmp_path / "source"
    for place, name in enumerate(("cat", "dog")):
        for number in range(3):
            draw(folder / "train" / name / f"{number}.png", seed=10 * place + number)
        draw(folder / "test" / name / "9.png", seed=10 * place + 9)
    return folder


def registered(source: Path, data: Path) -> str:
    return prepare("folder", "pets", source=source, download=False, data_folder=data)


def test_an_image_folder_is_read_in_the_order_of_names(source: Path) -> None:
    found = images.read(source)
    assert found.classes == ("cat", "dog")
    assert found.train.y.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.test.y.tolist() == [0, 1]
    assert found.train.x.shape == (6, 3, 5, 6)
    with Image.open(source / "train" / "dog" / "1.png") as image:
        assert np.array_equal(found.train.x[4].permute(1, 2, 0).numpy(), np.asarray(image))


def test_grey_images_and_palettes_become_rgb(source: Path) -> None:
    with Image.open(source / "train" / "cat" / "0.png") as image:
        image.convert("L").save(source / "train" / "cat" / "0.png")
        image.quantize(8).save(source / "train" / "cat" / "1.gif")
    found = images.read(source)
    assert torch.equal(found.train.x[0, 0], found.train.x[0, 2])


def test_hidden_files_are_passed_over(source: Path) -> None:
    (source / "train" / ".DS_Store").write_bytes(b"x")
    (source / "train" / "cat" / ".hidden").write_bytes(b"x")
    assert len(images.read(source).train) == 6


def test_a_registered_folder_loads_from_its_packed_file(source: Path, tmp_path: Path) -> None:
    said = registered(source, tmp_path / "data")
    assert "6 training and 2 test images in 2 classes" in said
    data = load(PETS, tmp_path / "data")
    assert (data.name, data.classes, len(data.train)) == ("folder:pets", ("cat", "dog"), 6)
    assert torch.equal(data.train.x, images.read(source).train.x)
    assert data.statistics.mean.shape == (3,)


def test_a_folder_that_lies_in_place_is_read_without_packing(source: Path, tmp_path: Path) -> None:
    registered(source, tmp_path / "data")
    (tmp_path / "other" / "folder").mkdir(parents=True)
    source.rename(tmp_path / "other" / "folder" / "pets")
    direct, from_pack = load(PETS, tmp_path / "other"), load(PETS, tmp_path / "data")
    assert direct.checksum == from_pack.checksum


def test_preparing_twice_changes_nothing_and_other_data_are_refused(source: Path, tmp_path: Path) -> None:
    registered(source, tmp_path / "data")
    assert "nothing was written" in registered(source, tmp_path / "data")
    draw(source / "train" / "cat" / "0.png", seed=99)
    with pytest.raises(DataError, match=r"images\.safetensors holds other data: delete it"):
        registered(source, tmp_path / "data")


@pytest.mark.parametrize("name", ["Pets", "../pets", "", "a" * 65])
def test_a_name_that_could_leave_its_folder_is_refused(source: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(SpecError, match="can't name a data set"):
        prepare("folder", name, source=source, download=False, data_folder=tmp_path)


def test_requests_that_make_no_sense_are_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="nothing to prepare"):
        prepare("digits", None, source=None, download=True, data_folder=tmp_path)
    with pytest.raises(SpecError, match="--from DIR"):
        prepare("folder", "pets", source=None, download=False, data_folder=tmp_path)
    with pytest.raises(SpecError, match="either"):
        prepare("cifar10", None, source=source, download=True, data_folder=tmp_path)


def truncate(folder: Path) -> Path:
    path = folder / "train" / "dog" / "1.png"
    path.write_bytes(path.read_bytes()[:60])
    return path


def flip(folder: Path) -> Path:
    path = folder / "train" / "dog" / "1.png"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    return path


def empty_file(folder: Path) -> Path:
    path = folder / "test" / "cat" / "9.png"
    path.write_bytes(b"")
    return path


def another_size(folder: Path) -> Path:
    draw(folder / "test" / "dog" / "9.png", seed=0, size=(7, 7))
    return folder / "test" / "dog" / "9.png"


def text_file(folder: Path) -> Path:
    (folder / "train" / "cat" / "notes.txt").write_text("cats")
    return folder / "train" / "cat" / "notes.txt"


def deep_colours(folder: Path) -> Path:
    path = folder / "train" / "cat" / "0.png"
    Image.fromarray(np.zeros((5, 6), np.uint16)).save(path)
    return path


@pytest.mark.parametrize("harm", [truncate, flip, empty_file, another_size, text_file, deep_colours])
def test_a_broken_image_is_named_and_nothing_is_written(
    harm: Callable[[Path], Path], source: Path, tmp_path: Path
) -> None:
    path = harm(source)
    with pytest.raises(DataBroken) as caught:
        registered(source, tmp_path / "data")
    assert str(path) in str(caught.value)
    assert not (tmp_path / "data").exists()


def no_folder(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def no_test_split(folder: Path) -> None:
    (folder / "test").rename(folder / "validation")


def no_classes(folder: Path) -> None:
    for path in [*(folder / "train").iterdir()]:
        path.rename(folder / path.name)


def empty_class(folder: Path) -> None:
    (folder / "train" / "emu").mkdir()


def class_of_one_split(folder: Path) -> None:
    draw(folder / "train" / "emu" / "0.png", seed=0)


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (no_folder, "train is no folder"),
        (no_test_split, "test is no folder"),
        (no_classes, "has 0 class folders"),
        (empty_class, "emu is missing or holds no images"),
        (class_of_one_split, "test has no class folder 'emu'"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_written(
    harm: Callable[[Path], None], named: str, source: Path, tmp_path: Path
) -> None:
    harm(source)
    with pytest.raises(DataMissing, match=named):
        registered(source, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_name_that_was_never_registered_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="mmix data prepare folder pets --from DIR"):
        load(PETS, tmp_path)


@pytest.mark.parametrize("where", [0, 20, -200, -3])
def test_a_flipped_bit_in_a_packed_file_is_found_and_can_be_repaired(where: int, source: Path, tmp_path: Path) -> None:
    registered(source, tmp_path)
    path = tmp_path / "folder" / "pets" / packed.FILE
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataBroken, match=r"images\.safetensors is broken.*mmix data prepare folder pets"):
        load(PETS, tmp_path)
    registered(source, tmp_path)
    assert len(load(PETS, tmp_path).train) == 6


def test_a_truncated_packed_file_is_found(source: Path, tmp_path: Path) -> None:
    registered(source, tmp_path)
    path = tmp_path / "folder" / "pets" / packed.FILE
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataBroken, match=r"images\.safetensors is broken"):
        load(PETS, tmp_path)
    assert listing(tmp_path)[-1].state.startswith("broken")


def test_the_list_shows_what_is_there_and_what_is_missing(source: Path, tmp_path: Path) -> None:
    registered(source, tmp_path)
    rows = {row.name: row for row in listing(tmp_path)}
    assert (rows["digits"].train_images, rows["digits"].state) == (1437, "ready")
    assert rows["cifar10"].state.startswith("missing: run `mmix data prepare cifar10")
    pets = rows["folder:pets"]
    assert (pets.train_images, pets.test_images, pets.classes, pets.state) == (6, 2, 2, "ready")


def test_the_list_counts_a_folder_that_is_not_packed(source: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    source.rename(tmp_path / "folder" / "pets")
    row = listing(tmp_path)[-1]
    assert (row.train_images, row.test_images, row.classes, row.state) == (6, 2, 2, "ready, not packed")
