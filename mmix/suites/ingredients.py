"""What several suites are made of: networks, trainings and methods, as parts of specs."""

from mmix.suites.study import Json

PREACT18: Json = {"kind": "preact_resnet", "depth": 18}
PREACT34: Json = {"kind": "preact_resnet", "depth": 34}
WRN28: Json = {"kind": "wide_resnet", "depth": 28, "widen": 10}
THIN_PREACT18: Json = {"kind": "preact_resnet", "depth": 18, "width": 16}  # what two CPU cores can train in minutes
SMALL_MLP: Json = {"kind": "mlp", "hidden": [256, 256]}
CONVNET: Json = {"kind": "convnet"}

DIGITS: Json = {"kind": "digits"}
MNIST: Json = {"kind": "mnist"}

ERM: Json = {"kind": "erm"}

ERM_ALONE: dict[str, Json] = {"erm": ERM}
"""The baseline, to stand before other methods."""

NO_ATTACKS: Json = {"attacks": []}

FEW_IMAGES = 5_000
"""Training images of a set of 32 x 32 pixels on which two cores can train nine thin networks in minutes."""


def input_mixup(alpha: float) -> Json:
    """Input mixup, one lambda a batch."""
    return {"kind": "input_mixup", "alpha": alpha}


def manifold(alpha: float, layers: list[int]) -> Json:
    """Manifold Mixup, one lambda a batch."""
    return {"kind": "manifold_mixup", "alpha": alpha, "layers": layers}


def table_1(layers: list[int]) -> dict[str, Json]:
    """The three arms of the paper's Tables 1 and 2. Source: arXiv:1806.05236, section 5.1."""
    return {"erm": ERM, "input": input_mixup(1.0), "manifold": manifold(2.0, layers)}


def stepwise(epochs: int, milestones: list[int]) -> Json:
    """The training of the Manifold Mixup authors: SGD, lr 0.1 divided by 10, batch 100, BCE on softmax (their code)."""
    return {
        "epochs": epochs,
        "batch_size": 100,
        "optimiser": {"kind": "sgd", "lr": 0.1, "weight_decay": 1e-4},
        "schedule": {"kind": "step", "milestones": milestones},
        "loss": "bce",
    }


def brief(epochs: int, *, lr: float = 0.1, precision: str = "fp32") -> Json:
    """SGD along a cosine, batch 100, cross-entropy: for budgets far below the authors'.

    BCE's gradient is a Kth of that of cross-entropy, which only a long training makes up for.
    """
    return {
        "epochs": epochs,
        "batch_size": 100,
        "optimiser": {"kind": "sgd", "lr": lr},
        "schedule": {"kind": "cosine"},
        "precision": precision,
    }


def brisk(epochs: int, *, lr: float = 0.1) -> Json:
    """The training of the examples on digits: SGD along a cosine, batch 50, cross-entropy."""
    return {
        "epochs": epochs,
        "batch_size": 50,
        "optimiser": {"kind": "sgd", "lr": lr},
        "schedule": {"kind": "cosine"},
    }


def adam(epochs: int, *, batch_size: int = 50, lr: float = 1e-3) -> Json:
    """Adam at a constant rate, cross-entropy."""
    return {"epochs": epochs, "batch_size": batch_size, "optimiser": {"kind": "adam", "lr": lr}}


def at_the_end(epochs: int) -> Json:
    """An evaluation without attacks that looks at the test split once, at the end: what a short budget affords."""
    return {"attacks": [], "test_every": epochs}


def first(count: int) -> tuple[int, ...]:
    """So many seeds, from 0 on."""
    return tuple(range(count))
