"""How often a network is right on images that were turned, sheared or zoomed."""

from collections.abc import Sequence
from typing import Literal, assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmix.data.dataset import Split, Statistics
from mmix.data.pixels import normalise
from mmix.evaluation.predict import BATCH, evaluating
from mmix.mixing.draw import generator
from mmix.spec.evaluation import Deformation, deformation_metric

Kind = Literal["rotation", "shear", "zoom_in", "zoom_out"]


def deformed_accuracies(
    model: nn.Module, split: Split, statistics: Statistics, deformations: Sequence[Deformation]
) -> dict[str, float]:
    """The accuracy on the deformed images of the split, by the metric's name.

    Each image has one number in [-1, 1], by which its rotation and its shear are scaled. It depends on the image's
    place alone, not on the run's seed: all networks see one set of deformed images.
    Source: Manifold Mixup (arXiv:1806.05236), section 5.2 and Table 9.
    """
    hits = {(wanted.kind, amount): 0 for wanted in deformations for amount in wanted.amounts}
    draw = generator(seed=0, purpose="deformation", epoch=0)
    with evaluating(model), torch.inference_mode():
        for x, y in split.batches(BATCH):
            share = torch.from_numpy(draw.uniform(-1, 1, size=len(y)))
            for kind, amount in hits:
                found = model(normalise(deform(x, matrices(kind, amount, share)), statistics))
                hits[kind, amount] += int((found.argmax(1) == y).sum())
    return {deformation_metric(kind, amount): count / len(split) for (kind, amount), count in hits.items()}


def matrices(kind: Kind, amount: float, share: Tensor) -> Tensor:
    """What takes (row, column) offsets from an image's centre after the deformation to those before, (B, 2, 2).

    amount: degrees for rotation and shear, per cent of the side for both zooms. share: (B,) in [-1, 1], float64.
    A positive rotation is counter-clockwise. A zoom's amount is the side of what is seen, in per cent of the image's:
    below 100 the centre is enlarged, above it the image shrinks; both kinds are this one map.
    Source: the matrices of the Manifold Mixup authors' affine_transforms.py.
    """
    angle = torch.deg2rad(amount * share)
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    match kind:
        case "rotation":
            rows = (angle.cos(), angle.sin(), -angle.sin(), angle.cos())
        case "shear":
            rows = (one, -angle.sin(), zero, angle.cos())
        case "zoom_in" | "zoom_out":
            rows = (one * amount / 100, zero, zero, one * amount / 100)
        case _:
            assert_never(kind)
    return torch.stack(rows, dim=1).reshape(-1, 2, 2)


def deform(x: Tensor, matrices: Tensor) -> Tensor:
    """The images read at the places that the matrices name: between pixels bilinearly, and 0 outside.

    x: (B, C, H, W), in [0, 1], so that 0 is black: deformation comes before normalisation. matrices: (B, 2, 2).
    The centre, at row (H - 1) / 2 and column (W - 1) / 2, stays.
    Differs: the authors read the nearest pixel, turn around a centre half a pixel further on, and deform what is
        already normalised, where 0 is the mean colour.
    """
    height, width = x.shape[2:]
    side = torch.tensor([height, width], dtype=matrices.dtype)
    scaled = matrices * side / side[:, None]  # torch measures both axes from -1 to 1, whatever their lengths
    columns_first = scaled.flip(1, 2).to(dtype=x.dtype, device=x.device)
    grid = F.affine_grid(F.pad(columns_first, (0, 1)), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
