"""Claims on what mixing does to representations, and on what it may be good for."""

from mmix.suites.claims.claim import Claim
from mmix.suites.decisions import Better, Changed, NotRun, Rising, Within

MANIFOLD = (("manifold", "erm"),)
LATE, EARLY = 4, 2  # mix points of the bottlenecks after three layers and after one

SPECTRUM = (
    Claim(
        "flattening",
        "the representations of a class vary in fewer directions than without mixing",
        (
            ("abstract", "fourth sentence"),
            ("encyclopaedia", "first paragraph"),
            ("slides", "surprising properties"),
            ("slides", "theory, implications"),
        ),
        Better(MANIFOLD, (f"spectrum_effective_rank@{LATE}",)),
        "verma-spectrum",
    ),
    Claim(
        "flattening-early",
        "the same where the mixed layer is an early one",
        (("paper", "figure 11"),),
        Better(MANIFOLD, (f"spectrum_effective_rank@{EARLY}",)),
        "verma-spectrum",
    ),
    Claim(
        "flattening-more-than-input",
        "they vary in fewer directions than after input mixup",
        (("paper", "section 3.2"),),
        Better((("manifold", "input"),), (f"spectrum_effective_rank@{LATE}",)),
        "verma-spectrum",
    ),
    Claim(
        "flattening-in-proportion",
        "what is left beside the largest singular value shrinks in proportion to it",
        (("paper", "section 3.2"),),
        Better(MANIFOLD, (f"spectrum_ratio@{LATE}",)),
        "verma-spectrum",
    ),
    Claim(
        "shrinking-is-not-flattening",
        "weight decay and input mixup shrink the largest singular value, and the others less in proportion",
        (("paper", "section 3.2"),),
        Better((("erm", "weight decay"), ("erm", "input")), (f"spectrum_ratio@{LATE}",)),
        "verma-spectrum",
    ),
    Claim(
        "degrees-of-freedom",
        "a class has dim(H) - d + 1 degrees of freedom: 3 where ten classes are mixed in 12 dimensions",
        (("slides", "theory"),),
        Within("manifold", f"spectrum_rank@{LATE}", high=3.0, studies=("bottleneck-12",)),
        "verma-spectrum",
    ),
    Claim(
        "all-classes-keep-their-directions",
        "the representations of all classes together keep their directions, within a fifth",
        (("paper", "figure 12"),),
        Changed("manifold", "erm", f"pooled_spectrum_effective_rank@{LATE}", low=-0.2, high=0.2),
        "verma-spectrum",
    ),
)

HIDDEN = (
    Claim(
        "less-confident-in-between",
        "the network is less confident on interpolations of hidden representations",
        (("abstract", "third sentence"), ("encyclopaedia", "first paragraph")),
        Better(MANIFOLD, (f"mixed_confidence@{LATE}",)),
        "verma-hidden-space",
    ),
    Claim(
        "classes-are-tight",
        "without mixing, real points fill much of the hidden space; with it, classes are tight in proportion",
        (("slides", "issues with current methods"), ("slides", "hidden space")),
        Better(MANIFOLD, (f"hidden_scatter@{LATE}",)),
        "verma-hidden-space",
    ),
    Claim(
        "unsure-off-the-data",
        "without mixing, points off the data fall where data lie; with it, the network is less sure of any such point",
        (("slides", "issues with current methods"), ("slides", "hidden space")),
        Better(MANIFOLD, (f"hidden_entropy@{LATE}",)),
        "verma-hidden-space",
    ),
    Claim(
        "smoother-at-the-input",
        "decision boundaries get smoother at several levels: gradients at the input are smaller",
        (("abstract", "third sentence"), ("encyclopaedia", "first paragraph")),
        Better(MANIFOLD, ("input_gradient_norm",)),
        "verma-hidden-space",
    ),
)

_ENOUGH = "width 9"
DIMENSION = (
    Claim(
        "dimension-needed",
        "the mixing loss can only be met where dim(H) >= d - 1: under a linear rest its floor is higher below 9",
        (("slides", "theory"), ("manuscript", "Theorem 1")),
        Better(tuple((_ENOUGH, f"width {width}") for width in (1, 2, 4, 6, 8)), ("mixed_mse",)),
        "verma-dimension",
    ),
    Claim(
        "dimension-needed-deep",
        "the mixing loss can only be met where dim(H) >= d - 1: so too where the rest of the network is deep",
        (("slides", "theory"), ("manuscript", "Theorem 1")),
        Better(tuple((_ENOUGH, f"width {width}") for width in (1, 2, 4, 6, 8)), ("mixed_kl",)),
        "verma-dimension",
    ),
    Claim(
        "dimension-suffices",
        "dim(H) >= d - 1 is enough: twice 10 dimensions lower the floor by at most a tenth of what 9 have",
        (("slides", "theory"), ("manuscript", "Theorem 1")),
        Changed("width 20", _ENOUGH, "mixed_kl", low=-0.1),
        "verma-dimension",
    ),
    Claim(
        "later-layers-can-meet-it",
        "the mixing objective can be met in later layers: the deeper, the lower its floor",
        (("slides", "theory, implications"), ("manuscript", "section 2.2")),
        Rising(tuple(f"layer {layer}" for layer in range(4)), "mixed_kl"),
        "verma-dimension",
    ),
    Claim(
        "rest-becomes-linear",
        "where the loss is met exactly, the rest of the network is a linear map",
        (("slides", "theory"), ("manuscript", "Theorem 1")),
        NotRun("it speaks of an exact minimum, which no training reaches; how near it comes is measured instead"),
        "verma-dimension",
    ),
)

USES = (
    Claim(
        "few-labels-error",
        "it helps where few data are labelled: Manifold Mixup errs less than no mixing",
        (("slides", "what it can do for you"),),
        Better(MANIFOLD, ("error",)),
        "few-labels",
    ),
    Claim(
        "few-labels-nll",
        "it helps where few data are labelled: Manifold Mixup has a lower NLL than no mixing",
        (("slides", "what it can do for you"),),
        Better(MANIFOLD, ("nll",)),
        "few-labels",
    ),
    Claim(
        "ood-noise",
        "it may help with outliers: the confidence tells noise apart better than without mixing",
        (("slides", "what it can do for you"), ("abstract", "second sentence")),
        Better(MANIFOLD, ("ood_auroc@gaussian_noise", "ood_auroc@uniform_noise")),
        "ood",
    ),
    Claim(
        "ood-other-data",
        "it may help with data of another distribution: the confidence tells other images apart better",
        (("slides", "what it can do for you"),),
        Better(MANIFOLD, ("ood_auroc@fashion_mnist",), studies=("mnist",)),
        "ood",
    ),
    Claim(
        "without-batch-norm",
        "it helps convolutional networks without batch normalisation",
        (("slides", "results of others"),),
        Better((("manifold alpha=0.5", "erm"),), ("error",)),
        "confmix-cifar10",
    ),
    Claim(
        "handwriting",
        "it helps to recognise handwriting",
        (("slides", "results of others"),),
        NotRun("mmix trains no recogniser of lines of text, and the data of Moysset and Messina aren't free"),
        "verma-cifar10",
    ),
    Claim(
        "segmentation",
        "it helps to segment prostate cancer with a U-Net",
        (("slides", "results of others"),),
        NotRun("mmix classifies whole images: it has no U-Net, no masks and no such data"),
        "verma-cifar10",
    ),
    Claim(
        "few-lines",
        "it takes a few lines of code",
        (("slides", "simple algorithm"), ("abstract", "last sentence")),
        NotRun("a count of lines depends on whose they are; no study measures it"),
        "verma-cifar10",
    ),
)

CLAIMS = (*SPECTRUM, *HIDDEN, *DIMENSION, *USES)
