"""Claims of the ConfMix manuscript."""

from mmix.suites.claims.claim import Claim
from mmix.suites.decisions import Better, Changed, Correlated, Growing, NotRun, Published, Rising, Within

ALL = ("all",)
DEPTHS = tuple(f"layer {layer}" for layer in range(4))
WAYS = ("alpha=0.5", "confmix", "half confmix", "rising", "falling")
EVERY = tuple(f"{place} {way}" for place in ("input", "manifold") for way in WAYS)
BEST = tuple(f"{place} {way}" for place in ("input", "manifold") for way in ("confmix", "rising"))

TOY = (
    Claim(
        "toy-deeper-is-better",
        "the deeper mixup is applied, the smaller the excess risk",
        (("manuscript", "section 3.4"), ("manuscript", "Table 1"), ("manuscript", "section 5")),
        Rising(DEPTHS, "excess_risk", studies=ALL),
        "confmix-toy",
    ),
    Claim(
        "toy-every-depth-helps",
        "mixup at every depth has a smaller excess risk than no mixing",
        (("manuscript", "Table 1"),),
        Better(tuple((depth, "erm") for depth in DEPTHS), ("excess_risk",), studies=ALL),
        "confmix-toy",
    ),
    Claim(
        "toy-last-layer-helps",
        "mixup at the last hidden layer has a much smaller excess risk than no mixing: by 27 %; by a fifth, we ask",
        (("manuscript", "Table 1"),),
        Changed("layer 3", "erm", "excess_risk", high=-0.2, studies=ALL),
        "confmix-toy",
    ),
    Claim(
        "toy-table-1",
        "the excess risks of the table, read as relative ones",
        (("manuscript", "Table 1"),),
        Published("confmix", "Table 1", "relative_excess_risk"),
        "confmix-toy",
    ),
    Claim(
        "toy-bound-tells-difficulty",
        "the normalised misclassification bound correlates strongly (at least 0.7) with the Bayes risk",
        (("manuscript", "section 3.4"),),
        Correlated("erm", "normalised_mmlb", "bayes_risk", at_least=0.7, studies=ALL),
        "confmix-toy",
    ),
    Claim(
        "toy-deep-gains-on-hard-problems",
        "mixing at the last layer gains more over no mixing the larger the normalised bound",
        (("manuscript", "figure 3"), ("manuscript", "section 5")),
        Growing("layer 3", "erm", "excess_risk", by="normalised_mmlb", studies=ALL),
        "confmix-toy",
    ),
    Claim(
        "toy-noise-makes-hard",
        "sigma and the number of components control the difficulty: with more of either the Bayes rule errs more",
        (("manuscript", "section 3.1"),),
        Better((("calm", "noisy"), ("calm", "many components")), ("bayes_risk",), studies=("difficulty",)),
        "confmix-toy",
    ),
    Claim(
        "toy-512-units-suffice",
        "512 units a layer are enough: twice as many lower the excess risk by at most a tenth, for five classes",
        (("manuscript", "section 3.3"),),
        Changed("1024 units", "512 units", "excess_risk", low=-0.1, studies=("width",)),
        "confmix-toy",
    ),
    Claim(
        "toy-alpha-as-in-the-paper",
        "alpha 0.5 is what Manifold Mixup's authors used",
        (("manuscript", "section 3.3"),),
        NotRun("a statement on another paper: its tables have 1 and 2, its appendix on generative networks 0.5"),
        "confmix-toy",
    ),
    Claim(
        "toy-boundaries-differ",
        "the boundaries of the techniques look different",
        (("manuscript", "section 3.4"),),
        NotRun("the manuscript draws no conclusion and omits the pictures; `mmix figure boundary` draws ours"),
        "confmix-toy",
    ),
)

TABLE_2 = (
    Claim(
        "confmix-all-improve",
        "all ten techniques err less than the baseline",
        (("manuscript", "section 4.3"), ("manuscript", "Table 2")),
        Better(tuple((arm, "erm") for arm in EVERY), ("error",)),
        "confmix-cifar10",
    ),
    Claim(
        "confmix-later-is-better",
        "four of the five techniques are better before the first FC layer than at the input",
        (("manuscript", "section 4.3"),),
        Better(tuple((f"manifold {way}", f"input {way}") for way in WAYS), ("error",), needed=4),
        "confmix-cifar10",
    ),
    Claim(
        "confmix-greatest",
        "ConfMix and the rising alpha improve the most: more than a constant alpha, at the same place",
        (("manuscript", "section 4.3"), ("manuscript", "section 5")),
        Better(tuple((arm, f"{arm.partition(' ')[0]} alpha=0.5") for arm in BEST), ("error",)),
        "confmix-cifar10",
    ),
    Claim(
        "confmix-rising-beats-falling",
        "to begin with ERM and to mix ever more strongly is better than the other way round",
        (("manuscript", "section 4.3"), ("manuscript", "section 5")),
        Better((("input rising", "input falling"), ("manifold rising", "manifold falling")), ("error",)),
        "confmix-cifar10",
    ),
    Claim(
        "confmix-like-rising-input",
        "ConfMix and the rising alpha are similar in practice: errors within a tenth of each other, at the input",
        (("manuscript", "section 4.3"),),
        Changed("input confmix", "input rising", "error", low=-0.1, high=0.1),
        "confmix-cifar10",
    ),
    Claim(
        "confmix-like-rising-manifold",
        "ConfMix and the rising alpha are similar in practice: errors within a tenth of each other, before FC",
        (("manuscript", "section 4.3"),),
        Changed("manifold confmix", "manifold rising", "error", low=-0.1, high=0.1),
        "confmix-cifar10",
    ),
    Claim(
        "confmix-alpha-early",
        "early in training ConfMix's alpha is about 0.2 (0.1 to 0.3)",
        (("manuscript", "section 4.3"),),
        Within("input confmix", "confmix_alpha_first", low=0.1, high=0.3),
        "confmix-cifar10",
    ),
    Claim(
        "confmix-alpha-late",
        "late in training ConfMix's alpha is about 1 (0.9 or more)",
        (("manuscript", "section 4.3"),),
        Within("input confmix", "confmix_alpha_last", low=0.9),
        "confmix-cifar10",
    ),
    Claim(
        "confmix-fits-its-labels",
        "the accuracy in training, by the mixed labels, comes near 100 % (95 % or more)",
        (("manuscript", "section 4.3"),),
        Within("input confmix", "train_accuracy_weighted", low=0.95),
        "confmix-cifar10",
    ),
    Claim(
        "confmix-half-input",
        "at the input, half of ConfMix's alpha improves less than all of it",
        (("manuscript", "Table 2"),),
        Better((("input confmix", "input half confmix"),), ("error",)),
        "confmix-cifar10",
    ),
    Claim(
        "confmix-half-manifold",
        "before the FC layer, half of ConfMix's alpha improves less than all of it",
        (("manuscript", "Table 2"),),
        Better((("manifold confmix", "manifold half confmix"),), ("error",)),
        "confmix-cifar10",
    ),
    Claim(
        "confmix-table-2",
        "the changes of accuracy in the table, read as points",
        (("manuscript", "Table 2"),),
        Published("confmix", "Table 2", "error"),
        "confmix-cifar10",
    ),
)

SPIRAL = (
    Claim(
        "spiral-smoother",
        "mixup makes for a smoother transition between classes: gradients at the input are smaller",
        (("manuscript", "section 1"), ("manuscript", "Result 1")),
        Better((("input", "erm"),), ("input_gradient_norm",)),
        "confmix-spiral",
    ),
    Claim(
        "spiral-finds-the-boundary",
        "mixup helps to find where the boundary lies: fewer errors on the spiral",
        (("manuscript", "section 1"),),
        Better((("input", "erm"),), ("error",)),
        "confmix-spiral",
    ),
    Claim(
        "spiral-pronounced",
        "input mixup makes the boundary more pronounced: it keeps further away from the points",
        (("manuscript", "figure 1"),),
        Better((("input", "erm"),), ("boundary_margin",)),
        "confmix-spiral",
    ),
)

OTHERS = (
    Claim(
        "gap-shrinks",
        "mixup shrinks the generalisation gap",
        (("manuscript", "section 1"),),
        NotRun("quoted from others; of training images mmix measures accuracy by mixed labels, which is no such gap"),
        "confmix-spiral",
    ),
    Claim(
        "others-better-on-images",
        "Puzzle Mix and AugMix do better on natural images than mixup",
        (("manuscript", "section 1, related work"),),
        NotRun("mmix trains neither: their published figures stay quoted"),
        "confmix-cifar10",
    ),
    Claim(
        "generative-models",
        "mixup in its classical form suits generative image models less",
        (("manuscript", "section 1, related work"),),
        NotRun("mmix trains classifiers alone"),
        "confmix-cifar10",
    ),
    Claim(
        "alpha-one-is-uniform",
        "with alpha 1, lambda is uniform on [0, 1]",
        (("encyclopaedia", "step 3"), ("manuscript", "section 4")),
        NotRun("an identity, not a finding: the tests of the draws hold it"),
        "verma-alpha",
    ),
    Claim(
        "alpha-zero-is-erm",
        "with alpha towards 0, mixup becomes ERM",
        (("manuscript", "section 2.2"), ("manuscript", "section 4")),
        NotRun("an identity where lambda is 1, which the tests of the policies hold, not a finding"),
        "verma-alpha",
    ),
    Claim(
        "bound-is-a-bound",
        "the misclassification bound lies below the mixed risk of the Bayes rule",
        (("manuscript", "equation 2"),),
        NotRun("an inequality that holds by its derivation; the tests of the bound hold what can be computed"),
        "confmix-toy",
    ),
)

CLAIMS = (*TOY, *TABLE_2, *SPIRAL, *OTHERS)
