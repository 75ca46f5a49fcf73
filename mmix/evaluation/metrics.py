"""How good predictions are."""

from torch import Tensor
from torch.nn import functional as F


def metrics(logits: Tensor, y: Tensor) -> dict[str, float]:
    """The metrics of predictions by their names in mmix.spec.evaluation, computed in float64.

    logits: (N, K), any float dtype. y: (N,), int64.
    """
    log_probabilities = F.log_softmax(logits.double(), dim=1)
    return {
        "error": error(log_probabilities, y),
        "nll": nll(log_probabilities, y),
        "brier": brier(log_probabilities, y),
    }


def error(scores: Tensor, y: Tensor) -> float:
    """The share of wrong predictions, in [0, 1]. scores: (N, K). y: (N,), int64."""
    return (scores.argmax(1) != y).double().mean().item()


def nll(log_probabilities: Tensor, y: Tensor) -> float:
    """The mean negative log-likelihood in nats, at least 0. log_probabilities: (N, K). y: (N,), int64."""
    return F.nll_loss(log_probabilities, y).item()


def brier(log_probabilities: Tensor, y: Tensor) -> float:
    """The squared distance to the one-hot label, summed over classes, mean over samples, in [0, 2].

    log_probabilities: (N, K). y: (N,), int64.
    Source: Brier (1950), equation 2: the sum over all classes, also where there are two.
    """
    probabilities = log_probabilities.exp()
    target = F.one_hot(y, probabilities.shape[1])
    return (probabilities - target).square().sum(1).mean().item()


def top5_error(logits: Tensor, y: Tensor) -> float:
    """The share of samples whose label is not among the five likeliest classes, in [0, 1].

    logits: (N, K), with K above 5. y: (N,), int64.
    """
    return (logits.topk(5, dim=1).indices != y[:, None]).all(1).double().mean().item()


def tempered_nll(logits: Tensor, y: Tensor, *, temperature: float) -> float:
    """The NLL of logits / temperature in nats, at least 0. logits: (N, K). y: (N,), int64."""
    return nll(F.log_softmax(logits.double() / temperature, dim=1), y)
