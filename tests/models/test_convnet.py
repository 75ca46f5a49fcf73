import torch
from torch import Tensor
from torch.nn import functional as F

from mmix.models.convnet import convnet
from mmix.models.flatten import Flatten


def images(*, memory_format: torch.memory_format = torch.channels_last) -> Tensor:
    x = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return x.contiguous(memory_format=memory_format).requires_grad_()


def test_the_network_is_the_manuscripts_to_the_last_bit() -> None:
    torch.manual_seed(0)
    network = convnet(shape=(3, 8, 8), classes=4).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    first, second, hidden, head = (module for module in network.modules() if hasattr(module, "weight"))
    x, again = images(), images()
    logits = network(x)
    state = again
    for convolution in (first, second):  # convolution, ReLU, pooling, in the order of the manuscript
        state = F.max_pool2d(F.relu(convolution(state)), 2)
    expected = head(F.relu(hidden(state.flatten(1))))
    logits.square().sum().backward()
    found = [parameter.grad for parameter in network.parameters()]
    network.zero_grad(set_to_none=True)
    expected.square().sum().backward()
    assert torch.equal(logits, expected)
    for one, other in zip([x.grad, *found], [again.grad, *(each.grad for each in network.parameters())], strict=True):
        assert one is not None
        assert other is not None
        assert torch.equal(one, other)


def test_flattening_keeps_the_memory_format_of_the_gradient() -> None:
    for memory_format in (torch.channels_last, torch.contiguous_format):
        x = images(memory_format=memory_format)
        flat = Flatten()(x)
        (gradient,) = torch.autograd.grad(flat, x, torch.arange(flat.numel()).float().view_as(flat))
        assert torch.equal(flat, x.flatten(1))
        assert torch.equal(gradient.flatten(1), torch.arange(flat.numel()).float().view_as(flat))
        assert gradient.is_contiguous(memory_format=memory_format)
