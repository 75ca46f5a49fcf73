"""Claims that stand in the figures of Manifold Mixup's tables."""

from mmix.suites.claims.claim import Claim, Document
from mmix.suites.decisions import Better, Changed, NotRun, Published, Rising

NETWORKS = ("preact18", "preact34", "wrn28")
MASSIVE = -0.2
"""A fifth less is what we call massive; Table 1 itself has 28 to 41 % on CIFAR-10."""


def _table_1(data: str, suite: str, part: str, letter: str) -> tuple[Claim, ...]:
    places: tuple[tuple[Document, str], ...] = (("slides", f"table ({letter})"), ("paper", f"Table 1({letter})"))
    praised: tuple[tuple[Document, str], ...] = (*places, ("abstract", "last sentence"))

    def claim(name: str, says: str, decision: Better | Published, where: tuple[tuple[Document, str], ...]) -> Claim:
        return Claim(f"table-1{letter}-{name}", f"{data}: {says}", where, decision, suite)

    error, nll = ("error",), ("nll",)
    return (
        claim(
            "error-against-none",
            "Manifold Mixup errs less than no mixing, with each of three networks",
            Better((("manifold", "erm"),), error, studies=NETWORKS),
            praised,
        ),
        claim(
            "error-against-input",
            "Manifold Mixup errs less than input mixup, with each of three networks",
            Better((("manifold", "input"),), error, studies=NETWORKS),
            places,
        ),
        claim(
            "error-of-input",
            "input mixup errs less than no mixing, with each of three networks",
            Better((("input", "erm"),), error, studies=NETWORKS),
            places,
        ),
        claim(
            "nll-against-none",
            "Manifold Mixup has a lower NLL than no mixing, with each of three networks",
            Better((("manifold", "erm"),), nll, studies=NETWORKS),
            praised,
        ),
        claim(
            "nll-against-input",
            "Manifold Mixup has a lower NLL than input mixup, with each of three networks",
            Better((("manifold", "input"),), nll, studies=NETWORKS),
            places,
        ),
        claim("errors", "the errors of the table", Published("verma2019", f"Table 1({part})", "error"), places),
        claim("nlls", "the NLLs of the table", Published("verma2019", f"Table 1({part})", "nll"), places),
    )


CIFAR10 = (
    *_table_1("CIFAR-10", "verma-cifar10", "a", "a"),
    Claim(
        "table-1a-nll-of-input-narrow",
        "CIFAR-10: input mixup lowers the NLL of the two PreActResNets",
        (("slides", "table (a)"), ("paper", "Table 1(a)")),
        Better((("input", "erm"),), ("nll",), studies=("preact18", "preact34")),
        "verma-cifar10",
    ),
    Claim(
        "table-1a-nll-of-input-wide",
        "CIFAR-10: input mixup raises the NLL of the wide network",
        (("slides", "table (a)"), ("paper", "Table 1(a)")),
        Better((("erm", "input"),), ("nll",), studies=("wrn28",)),
        "verma-cifar10",
    ),
    Claim(
        "likelihood-massive-cifar10",
        "the likelihood gains massively: on CIFAR-10 the NLL falls by at least a fifth (our reading of massively)",
        (("slides", "great results"), ("slides", "what it can do for you")),
        Changed("manifold", "erm", "nll", high=MASSIVE, studies=NETWORKS),
        "verma-cifar10",
    ),
    Claim(
        "probabilities-better-cifar10",
        "whatever uses the probabilities gains, as these get better: on CIFAR-10 by the Brier score",
        (("slides", "what it can do for you"),),
        Better((("manifold", "erm"),), ("brier",), studies=NETWORKS),
        "verma-cifar10",
    ),
    Claim(
        "cutmix-better-on-images",
        "CutMix does better on natural images than mixup",
        (("manuscript", "section 1, related work"),),
        Better((("cutmix", "input"),), ("error",), studies=("peers",)),
        "verma-cifar10",
    ),
    Claim(
        "cost-passes",
        "no significant computation is added: at most 5 % more forward and backward passes",
        (("abstract", "last sentence"),),
        Changed("manifold", "erm", "forward_backward_passes", high=0.05, studies=NETWORKS),
        "verma-cifar10",
    ),
    Claim(
        "cost-seconds",
        "no significant computation is added: at most 5 % more seconds of a device",
        (("abstract", "last sentence"),),
        Changed("manifold", "erm", "device_seconds", high=0.05, studies=NETWORKS),
        "verma-cifar10",
    ),
    Claim(
        "table-1-quoted-adamix",
        "AdaMix errs less than input mixup, and more than Manifold Mixup",
        (("slides", "tables (a) and (b)"), ("paper", "Table 1")),
        NotRun("mmix has no AdaMix: its policy is a second network that is trained; its figures stay quoted"),
        "verma-cifar10",
    ),
    Claim(
        "table-1-quoted-input",
        "input mixup as its own authors report it: 4.20 % on CIFAR-10, 21.10 % on CIFAR-100",
        (("slides", "tables (a) and (b)"), ("paper", "Table 1")),
        NotRun("a figure quoted from another paper, whose schedule is none of this table's"),
        "verma-cifar10",
    ),
)

CIFAR100 = (
    *_table_1("CIFAR-100", "verma-cifar100", "b", "b"),
    Claim(
        "table-1b-nll-of-input",
        "CIFAR-100: input mixup lowers the NLL of all three networks",
        (("slides", "table (b)"), ("paper", "Table 1(b)")),
        Better((("input", "erm"),), ("nll",), studies=NETWORKS),
        "verma-cifar100",
    ),
    Claim(
        "likelihood-massive-cifar100",
        "the likelihood gains massively: on CIFAR-100 the NLL falls by at least a fifth (our reading of massively)",
        (("slides", "great results"), ("slides", "what it can do for you")),
        Changed("manifold", "erm", "nll", high=MASSIVE, studies=NETWORKS),
        "verma-cifar100",
    ),
)

_TABLE_2: tuple[tuple[Document, str], ...] = (("paper", "Table 2"),)
SVHN = (
    Claim(
        "svhn-works",
        "it works on SVHN, too: Manifold Mixup errs less than no mixing",
        (("slides", "also works on"), *_TABLE_2),
        Better((("manifold", "erm"),), ("error",), studies=NETWORKS),
        "verma-svhn",
    ),
    Claim(
        "table-2-error-against-input",
        "SVHN: Manifold Mixup errs less than input mixup, with each of three networks",
        _TABLE_2,
        Better((("manifold", "input"),), ("error",), studies=NETWORKS),
        "verma-svhn",
    ),
    Claim(
        "table-2-nll-of-input",
        "SVHN: input mixup raises the NLL, with each of three networks",
        _TABLE_2,
        Better((("erm", "input"),), ("nll",), studies=NETWORKS),
        "verma-svhn",
    ),
    Claim(
        "table-2-nll-against-none",
        "SVHN: Manifold Mixup lowers the NLL, with each of three networks",
        _TABLE_2,
        Better((("manifold", "erm"),), ("nll",), studies=NETWORKS),
        "verma-svhn",
    ),
    Claim(
        "table-2-errors",
        "SVHN: the errors of the table",
        _TABLE_2,
        NotRun("the authors' README keeps at most 7,325 images of each class; mmix takes equally many, or all"),
        "verma-svhn",
    ),
)

_TABLE_3: tuple[tuple[Document, str], ...] = (("paper", "Table 3"),)
TINY = (
    Claim(
        "tiny-imagenet-works",
        "it works on Tiny-ImageNet, too: Manifold Mixup with alpha 0.2 errs less than no mixing",
        (("slides", "also works on"), *_TABLE_3),
        Better((("manifold alpha=0.2", "erm"),), ("error",)),
        "verma-tiny-imagenet",
    ),
    Claim(
        "table-3-against-input",
        "Tiny-ImageNet: with alpha 0.2 Manifold Mixup errs less than input mixup",
        _TABLE_3,
        Better((("manifold alpha=0.2", "input alpha=0.2"),), ("error",)),
        "verma-tiny-imagenet",
    ),
    Claim(
        "table-3-input-alpha",
        "Tiny-ImageNet: the smaller its alpha (2, 1, 0.5, 0.2), the less input mixup errs",
        _TABLE_3,
        Rising(tuple(f"input alpha={alpha}" for alpha in ("2", "1", "0.5", "0.2")), "error"),
        "verma-tiny-imagenet",
    ),
    Claim(
        "table-3-manifold-alpha",
        "Tiny-ImageNet: the smaller its alpha (2, 1, 0.5, 0.2), the less Manifold Mixup errs",
        _TABLE_3,
        Rising(tuple(f"manifold alpha={alpha}" for alpha in ("2", "1", "0.5", "0.2")), "error"),
        "verma-tiny-imagenet",
    ),
    Claim(
        "table-3-errors",
        "Tiny-ImageNet: the accuracies of the table",
        _TABLE_3,
        Published("verma2019", "Table 3", "error"),
        "verma-tiny-imagenet",
    ),
    Claim(
        "imagenet-works",
        "it works on ImageNet, too",
        (("slides", "also works on"),),
        NotRun("neither the slides nor the paper give a figure or a setting for ImageNet, and no suite trains on it"),
        "verma-tiny-imagenet",
    ),
)

CLAIMS = (*CIFAR10, *CIFAR100, *SVHN, *TINY)
