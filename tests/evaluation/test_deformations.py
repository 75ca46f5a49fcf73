import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn

from mmix.data.dataset import Split, Statistics
from mmix.evaluation.deformations import Kind, deform, deformed_accuracies, matrices
from mmix.spec.evaluation import Deformation

KINDS: tuple[Kind, ...] = ("rotation", "shear", "zoom_in", "zoom_out")
STATISTICS = Statistics(mean=torch.full((3,), 0.5), std=torch.full((3,), 0.5))
ROUNDING = 1e-5  # of float32 places, times slopes of up to 1 a pixel


def images(*, height: int = 9, width: int = 9, count: int = 4) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


def by(kind: Kind, amount: float, x: Tensor) -> Tensor:
    """All images deformed by the whole amount."""
    return deform(x, matrices(kind, amount, torch.ones(len(x), dtype=torch.float64)))


@pytest.mark.parametrize("size", [(9, 9), (8, 8), (6, 11)])
@pytest.mark.parametrize(("kind", "amount"), [("rotation", 0), ("shear", 0), ("zoom_in", 100), ("zoom_out", 100)])
def test_nothing_to_do_is_the_identity(kind: Kind, amount: float, size: tuple[int, int]) -> None:
    x = images(height=size[0], width=size[1])
    torch.testing.assert_close(by(kind, amount, x), x, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize("turns", [1, 2, 3, -1])
def test_quarter_turns_are_exact_and_counter_clockwise(turns: int, size: int) -> None:
    x = images(height=size, width=size)
    torch.testing.assert_close(by("rotation", 90 * turns, x), torch.rot90(x, turns, dims=(2, 3)), rtol=0, atol=ROUNDING)


def test_half_a_turn_of_an_oblong_image_is_exact() -> None:
    x = images(height=6, width=11)
    torch.testing.assert_close(by("rotation", 180, x), x.flip(2, 3), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("amount", [30, 70, 130])
def test_the_centre_stays(kind: Kind, amount: float) -> None:
    x = images()
    torch.testing.assert_close(by(kind, amount, x)[:, :, 4, 4], x[:, :, 4, 4], rtol=0, atol=ROUNDING)


def test_a_symmetric_image_stays_symmetric_under_every_deformation() -> None:
    x = images()
    x = (x + x.flip(2, 3)) / 2  # the same when turned by half
    for kind in KINDS:
        found = by(kind, 40, x)
        torch.testing.assert_close(found, found.flip(2, 3), rtol=0, atol=ROUNDING)


def test_a_disc_looks_the_same_from_all_sides() -> None:
    place = torch.arange(33) - 16.0
    disc = torch.exp(-(place[:, None] ** 2 + place**2) / 40).repeat(1, 3, 1, 1)
    torch.testing.assert_close(by("rotation", 37, disc), disc, rtol=0, atol=0.0125)  # curvature / 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(9, 9), (8, 12)])
@pytest.mark.parametrize("amount", [25, 60, 140])
def test_pixels_are_those_of_scipy(kind: Kind, amount: float, size: tuple[int, int]) -> None:
    x = images(height=size[0], width=size[1], count=1)
    (matrix,) = matrices(kind, amount, torch.ones(1, dtype=torch.float64)).numpy()
    centre = (np.array(size) - 1) / 2
    expected = ndimage.affine_transform(
        x[0, 0].double().numpy(), matrix, centre - matrix @ centre, order=1, mode="grid-constant", cval=0
    )
    np.testing.assert_allclose(by(kind, amount, x)[0, 0].numpy(), expected, atol=ROUNDING)


def test_the_matrices_are_those_of_the_authors() -> None:
    share = torch.tensor([1.0, -0.5], dtype=torch.float64)
    full, half = np.deg2rad(40), np.deg2rad(-20)
    shear = [[[1, -np.sin(angle)], [0, np.cos(angle)]] for angle in (full, half)]
    np.testing.assert_allclose(matrices("shear", 40, share).numpy(), shear)
    np.testing.assert_allclose(matrices("zoom_in", 40, share).numpy(), [np.eye(2) * 0.4] * 2)


def test_zooming_out_shrinks_the_picture_onto_black() -> None:
    found = by("zoom_out", 200, torch.ones(1, 3, 16, 16))
    assert found[..., 5:11, 5:11].min() == 1
    assert found[..., :3, :].max() == 0
    assert found.sum() == pytest.approx(3 * 8 * 8, rel=0.01)  # half of each side


def test_zooming_in_shows_the_central_box_only() -> None:
    x = torch.zeros(1, 3, 20, 20)
    x[..., 7:13, 7:13] = 1
    assert by("zoom_in", 20, x).min() == pytest.approx(1)  # 4 of 20 pixels


class Brightness(nn.Module):
    """Says class 1 where the mean of what it sees is above 0."""

    def __init__(self) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor) -> Tensor:
        above = x.flatten(1).mean(1) - self.threshold
        return torch.stack([-above, above], dim=1)


def test_accuracies_are_on_pixels_before_normalisation_and_the_same_every_time() -> None:
    white = Split(x=torch.full((600, 3, 8, 8), 255, dtype=torch.uint8), y=torch.ones(600, dtype=torch.int64))
    wanted = [
        Deformation(kind="zoom_out", amounts=(100, 125, 200)),
        Deformation(kind="rotation", amounts=(20.5,)),
    ]
    found = deformed_accuracies(Brightness(), white, STATISTICS, wanted)
    assert found == {
        "deform_accuracy@zoom_out:100": 1,
        "deform_accuracy@zoom_out:125": 1,  # 64 % of it is white
        "deform_accuracy@zoom_out:200": 0,  # 25 % of it is, and black pulls down
        "deform_accuracy@rotation:20.5": 1,
    }
    assert deformed_accuracies(Brightness(), white, STATISTICS, wanted) == found


def test_an_image_is_turned_by_its_own_amount() -> None:
    share = torch.linspace(-1, 1, 4, dtype=torch.float64)
    found = deform(images(count=1).expand(4, -1, -1, -1), matrices("rotation", 90, share))
    torch.testing.assert_close(found[0], torch.rot90(found[3], 2, dims=(1, 2)), rtol=0, atol=ROUNDING)
    assert not torch.allclose(found[1], found[2], atol=0.05)
