"""A small member of every kind of model, and what their tests share."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from mmix.mixing.plan import Plan, blending
from mmix.models.build import Network, build
from mmix.spec.model import BottleneckMlp, Convnet, Gru, Mlp, Model, PreActResNet, Torchvision, WideResNet

MODELS: tuple[Model, ...] = (
    Mlp(kind="mlp", hidden=(16, 12)),
    Mlp(kind="mlp", hidden=(16,), activation="leaky_relu"),
    BottleneckMlp(kind="bottleneck_mlp", before=(16, 16), width=5, after=(12,)),
    BottleneckMlp(kind="bottleneck_mlp", before=(16,), width=5, after=(12, 12), norm=False, activation="leaky_relu"),
    Convnet(kind="convnet"),
    PreActResNet(kind="preact_resnet", width=4),
    PreActResNet(kind="preact_resnet", width=4, final_norm=True),
    PreActResNet(kind="preact_resnet", width=4, depth=34, stem_stride=2),
    PreActResNet(kind="preact_resnet", width=4, depth=50),
    WideResNet(kind="wide_resnet", depth=10, widen=1),
    WideResNet(kind="wide_resnet", depth=16, widen=2),
    Gru(kind="gru", hidden=12, layers=1),
    Gru(kind="gru", hidden=12, layers=3),
    Torchvision(kind="torchvision", name="resnet18", points=("maxpool", "layer1", "layer3.0")),
)
IDS = [f"{model.kind}-{number}" for number, model in enumerate(MODELS)]
CLASSES = 7
PARTNER = torch.tensor([1, 2, 3, 4, 0])


def network(model: Model, shape: tuple[int, ...] = (1, 8, 8), seed: int = 0) -> Network:
    """The network of a model with seven classes."""
    return build(model, shape=shape, classes=CLASSES, seed=seed)


def samples(*shape: int, seed: int = 0) -> Tensor:
    """Five samples, always the same."""
    return torch.randn(5, *shape, generator=torch.Generator().manual_seed(seed))


def plan_at(*layers: int, lam: float = 0.3) -> Plan:
    """A plan that mixes five samples at these layers."""
    return blending(*layers, lam=torch.tensor(lam), partner=PARTNER)


@dataclass(eq=False)
class Recorder:
    """A mixer that mixes nothing and remembers what it was shown."""

    shown: list[tuple[int, Tensor]] = field(default_factory=list)
    last_point_used: int = 0

    def at(self, point: int, x: Tensor) -> Tensor:
        """x itself."""
        self.shown.append((point, x.detach().clone()))
        return x
