"""Table 1 and figure 3 of the ConfMix manuscript: mixing by depth, on problems whose best rule is known."""

from mmix.suites.ingredients import ERM_ALONE, adam, at_the_end, first
from mmix.suites.study import Json, Study, over
from mmix.suites.suite import Suite

CLASSES = (2, 3, 4, 5)
FAR = 10_000
"""The first data set of K classes has the seed K times this, so that no two share their draws."""
EPOCHS = 20
HIDDEN = 512
METRICS = ("excess_risk", "relative_excess_risk", "error", "bayes_risk", "mmlb", "normalised_mmlb")
ARMS = ERM_ALONE | {
    f"layer {layer}": {"kind": "manifold_mixup", "alpha": 0.5, "layers": [layer], "sharing": "sample"}
    for layer in range(4)
}


def _data(classes: int, realisations: int, **more: object) -> Json:
    """Ranges of means and sigma, components and test points are ours: the manuscript states none of them."""
    return {
        "kind": "gaussian_mixture",
        "classes": classes,
        "seed": FAR * classes,
        "test_size": 3000,
        "realisations": realisations,
        **more,
    }


def _network(units: int) -> Json:
    return {"kind": "mlp", "hidden": [units] * 3}


def _depths(classes: int, realisations: int) -> Study:
    """Adam at 1e-3 is ours: the manuscript names no optimiser."""
    return Study(
        name=f"k{classes}",
        base={
            "model": _network(HIDDEN),
            "data": _data(classes, realisations),
            "training": adam(EPOCHS),
            "evaluation": at_the_end(EPOCHS),
        },
        arms=over(ARMS),
        metrics=METRICS,
        seeds=first(1),
        smallest_difference=0.002,
    )


def _difficulty(realisations: int) -> Study:
    """The same means with more noise, or more components: how hard the problems are, whatever is trained."""
    kinds: dict[str, Json] = {
        "calm": {"sigma_range": [0.3, 0.4]},
        "noisy": {"sigma_range": [0.9, 1.0]},
        "many components": {"sigma_range": [0.3, 0.4], "components": 15},
    }
    return Study(
        name="difficulty",
        base={
            "model": {"kind": "mlp", "hidden": [8]},
            "mixing": {"kind": "erm"},
            "training": adam(1),
            "evaluation": at_the_end(1),
        },
        arms={name: {"data": _data(3, realisations, **more)} for name, more in kinds.items()},
        metrics=("bayes_risk", "normalised_mmlb"),
        seeds=first(1),
        baseline="calm",
        allow_unlike=True,
    )


def _width(realisations: int) -> Study:
    """Whether 512 units are enough where the boundaries are the most complex."""
    return Study(
        name="width",
        base={
            "data": _data(5, realisations),
            "mixing": {"kind": "erm"},
            "training": adam(EPOCHS),
            "evaluation": at_the_end(EPOCHS),
        },
        arms={f"{units} units": {"model": _network(units)} for units in (64, HIDDEN, 2 * HIDDEN)},
        metrics=("excess_risk", "error"),
        seeds=first(1),
        baseline=f"{HIDDEN} units",
    )


def _studies(realisations: int, *, others: int) -> tuple[Study, ...]:
    return (*(_depths(classes, realisations) for classes in CLASSES), _difficulty(others), _width(others))


SUITE = Suite(
    name="confmix-toy",
    version=1,
    summary="excess risk by depth of mixing on Gaussian mixtures, and what tells how hard a problem is",
    source="ConfMix manuscript, section 3, Table 1 and figure 3",
    budgets={
        "quick": _studies(25, others=10),
        "standard": _studies(100, others=20),
        "paper": _studies(100, others=20),
    },
    pools={"all": tuple(f"k{classes}" for classes in CLASSES)},
)
