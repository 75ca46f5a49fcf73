"""Claims on deformations, layers, alpha and attacks, most of them in the paper's tables."""

from mmix.suites.claims.claim import Claim, Document
from mmix.suites.decisions import Better, Lower, Published, Rising, Within

RIVALS = (("manifold", "erm"), ("manifold", "input"), ("manifold", "input alpha=2"))


def _deformed(kind: str, *amounts: str) -> tuple[str, ...]:
    return tuple(f"deform_accuracy@{kind}:{amount}" for amount in amounts)


DEFORMATIONS = (
    Claim(
        "erm-fails-when-turned",
        "networks are often wrong on slightly different test images: turned by up to 20 degrees",
        (("abstract", "first and second sentence"),),
        Lower("erm", "deform_accuracy@rotation:20", "error"),
        "verma-deformations",
    ),
    Claim(
        "deformed-rotation",
        "on turned images Manifold Mixup is the most accurate, at every angle",
        (("paper", "Tables 4 and 9"),),
        Better(RIVALS, _deformed("rotation", "20", "40", "60", "80")),
        "verma-deformations",
    ),
    Claim(
        "deformed-shear",
        "on sheared images Manifold Mixup is the most accurate, at every angle",
        (("paper", "Tables 4 and 9"),),
        Better(RIVALS, _deformed("shear", "28.6", "57.3", "114.6", "143.2", "171.9")),
        "verma-deformations",
    ),
    Claim(
        "deformed-zoomed-out",
        "on images zoomed out to 160 % Manifold Mixup is the most accurate",
        (("paper", "Tables 4 and 9"),),
        Better(RIVALS, _deformed("zoom_out", "120", "140", "160")),
        "verma-deformations",
    ),
    Claim(
        "deformed-zoomed-far-out",
        "on images zoomed out to 180 % input mixup is more accurate than Manifold Mixup",
        (("paper", "Table 9"),),
        Better((("input", "manifold"), ("input alpha=2", "manifold")), _deformed("zoom_out", "180")),
        "verma-deformations",
    ),
    Claim(
        "deformed-zoomed-in",
        "on images zoomed in to 80 % Manifold Mixup is the most accurate",
        (("paper", "Table 9"),),
        Better(RIVALS, _deformed("zoom_in", "80")),
        "verma-deformations",
    ),
    Claim(
        "deformed-zoomed-far-in",
        "on images zoomed in to 60 % or less Manifold Mixup is less accurate than no mixing",
        (("paper", "Tables 4 and 9"),),
        Better((("erm", "manifold"),), _deformed("zoom_in", "20", "40", "60")),
        "verma-deformations",
    ),
)

LAYERS = (
    Claim(
        "layers-input-belongs",
        "a set of layers gets better by the input: {1}, {1,2} and {1,2,3}",
        (("paper", "Table 5"),),
        Better((("S=0,1", "S=1"), ("S=0,1,2", "S=1,2"), ("S=0,1,2,3", "S=1,2,3")), ("error",)),
        "verma-layers",
    ),
    Claim(
        "layers-beside-input",
        "mixing hidden layers beside the input is better than the input alone: {0,1,2} against {0}",
        (("paper", "Table 5"),),
        Better((("S=0,1,2", "S=0"),), ("error",)),
        "verma-layers",
    ),
    Claim(
        "layers-second-alone",
        "mixing after the second block alone is worse than no mixing, on CIFAR-10",
        (("paper", "Table 5"),),
        Better((("erm", "S=2"),), ("error",), studies=("cifar10", "digits")),
        "verma-layers",
    ),
    Claim(
        "layers-figures",
        "the accuracies of the table of layers",
        (("paper", "Table 5"),),
        Published("verma2019", "Table 5", "error"),
        "verma-layers",
    ),
)

_ALPHAS = ("0.5", "1", "1.2", "1.5", "1.8", "2")
ALPHA = (
    Claim(
        "alpha-manifold-ahead",
        "at every alpha from 0.5 to 2 Manifold Mixup errs less than input mixup",
        (("paper", "Table 6"),),
        Better(tuple((f"manifold alpha={alpha}", f"input alpha={alpha}") for alpha in _ALPHAS), ("error",)),
        "verma-alpha",
    ),
    Claim(
        "alpha-manifold-rises",
        "the larger its alpha, from 0.5 to 2, the less Manifold Mixup errs",
        (("paper", "Table 6"),),
        Rising(tuple(f"manifold alpha={alpha}" for alpha in _ALPHAS), "error"),
        "verma-alpha",
    ),
    Claim(
        "alpha-controls-strength",
        "alpha controls how strongly mixup regularises: the larger, the smaller the gradients at the input",
        (("manuscript", "section 2.2, after Result 1"),),
        Rising(("erm", *(f"input alpha={alpha}" for alpha in _ALPHAS)), "input_gradient_norm"),
        "verma-alpha",
    ),
    Claim(
        "alpha-figures",
        "the accuracies of the table of alphas",
        (("paper", "Table 6"),),
        Published("verma2019", "Table 6", "error"),
        "verma-alpha",
    ),
)

_STEPS: tuple[tuple[Document, str], ...] = (("abstract", "last sentence"), ("paper", "Table 7"))
ATTACKS = (
    Claim(
        "erm-fails-under-attack",
        "networks are often wrong on adversarial examples: one gradient step",
        (("abstract", "second sentence"),),
        Lower("erm", "fgsm_accuracy@pixel:8/255", "error"),
        "verma-fgsm",
    ),
    Claim(
        "fgsm-against-none",
        "Manifold Mixup resists one gradient step better than no mixing",
        (*_STEPS, ("manuscript", "section 1")),
        Better((("manifold", "erm"),), ("fgsm_accuracy@pixel:8/255",)),
        "verma-fgsm",
    ),
    Claim(
        "fgsm-against-input",
        "Manifold Mixup resists one gradient step better than input mixup",
        (("paper", "Table 7"),),
        Better((("manifold", "input"),), ("fgsm_accuracy@pixel:8/255",)),
        "verma-fgsm",
    ),
    Claim(
        "fgsm-as-in-the-code",
        "Manifold Mixup resists the step of the authors' code (0.03 of normalised pixels) better than no mixing",
        _STEPS,
        Better((("manifold", "erm"),), ("fgsm_accuracy@normalised:0.03",)),
        "verma-fgsm",
    ),
    Claim(
        "boundary-close-to-data",
        "without mixing the decision boundary lies close to the data: a step of 2/255 does more than after mixing",
        (("slides", "issues with current methods"),),
        Better((("manifold", "erm"),), ("fgsm_accuracy@pixel:2/255",)),
        "verma-fgsm",
    ),
    Claim(
        "unbounded-steps-leave-nothing",
        "many steps without a bound leave at most 1 % of accuracy: gradients aren't masked",
        (("paper", "Appendix D"),),
        Within("manifold", "pgd200_accuracy@pixel:255/255", high=0.01),
        "verma-fgsm",
    ),
)

CLAIMS = (*DEFORMATIONS, *LAYERS, *ALPHA, *ATTACKS)
