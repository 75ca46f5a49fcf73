"""The pictures of a reproduction: which study's runs, drawn by `mmix figure`."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mmix.suites.study import Json


@dataclass(frozen=True)
class Picture:
    """A figure of some studies' comparisons; `more` are options of `mmix figure`."""

    suite: str
    studies: tuple[str, ...]
    kind: str
    says: str
    more: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """Its name in the folder of pictures."""
        return f"{self.suite}-{self.studies[0]}-{self.kind}.svg"


_SOME_ALPHAS = tuple(  # thirteen arms are more than a figure can tell apart
    option
    for arm in ("erm", *(f"{where} alpha={alpha}" for where in ("input", "manifold") for alpha in ("0.5", "1", "2")))
    for option in ("--arm", arm)
)
PICTURES = (
    Picture("digits", ("mlp",), "error_nll", "Error against NLL, by method."),
    Picture("digits", ("mlp",), "cost", "Error against forward and backward passes, by method."),
    Picture("verma-cifar10", ("preact18",), "cost", "Error against forward and backward passes."),
    Picture("verma-deformations", ("digits",), "rotation", "Accuracy on test images that are deformed."),
    Picture("verma-alpha", ("digits",), "error_nll", "Error against NLL, by alpha.", _SOME_ALPHAS),
    Picture("verma-fgsm", ("digits",), "eps", "One gradient step (FGSM, filled) beside twenty (PGD, hollow)."),
    Picture("verma-spectrum", ("bottleneck-12",), "spectra", "Singular values of a class's states."),
    Picture("verma-hidden-space", ("two-units",), "hidden", "Test images in the layer of two units, of one seed."),
    Picture(
        "confmix-toy",
        ("k2", "k3", "k4", "k5"),
        "excess_risk",
        "Excess risk by quartile of the data sets' normalised MMLB.",
    ),
    Picture("confmix-cifar10", ("table-2",), "alpha", "ConfMix's alpha over epochs."),
    Picture("confmix-spiral", ("spiral",), "boundary", "Where the networks of one seed decide."),
)


def draw(tables: Mapping[str, Json], *, url: str, folder: Path) -> Iterator[Picture]:
    """Draws, into the folder, the pictures whose studies have ended; `tables` are the suites' by name."""
    for picture in PICTURES:
        studies = {study["study"]: study for study in tables[picture.suite]["studies"]}
        wanted = [studies[name] for name in picture.studies if name in studies]
        if len(wanted) < len(picture.studies) or any(study["ended"] < study["runs"] for study in wanted):
            continue
        chosen = [option for study in wanted for option in ("--comparison", study["comparison"])]
        command = ["figure", picture.kind, *chosen, *picture.more, "--out", str(folder / picture.file)]
        subprocess.run(
            [Path(sys.executable).with_name("mmix"), *command], env={**os.environ, "MMIX_URL": url}, check=True
        )
        yield picture
