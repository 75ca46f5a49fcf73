"""The recurrent network that reads an image row by row."""

from collections.abc import Sequence

from torch import Tensor, nn

from mmix.models.hooked import Hooked


class Layer(nn.Module):
    """One recurrent layer: its states at all times, without the tuple around them that `nn.GRU` answers."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, T, inputs); (B, T, hidden)."""
        states: Tensor = self.gru(x)[0]
        return states


class Last(nn.Module):
    """The state at the last time."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, T, hidden); (B, hidden)."""
        return x[:, -1]


class RowReader(nn.Module):
    """GRU layers over the rows of an image from top to bottom, and a linear head on what the last row leaves."""

    def __init__(self, *, inputs: int, hidden: Sequence[int], classes: int) -> None:
        super().__init__()
        widths = zip((inputs, *hidden), hidden, strict=False)
        self.layers = nn.ModuleList(Layer(before, after) for before, after in widths)
        self.last = Last()
        self.head = nn.Linear(hidden[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W); logits (B, K)."""
        x = x.transpose(1, 2).flatten(2)  # (B, H, C * W): a row with all its channels at each time
        for layer in self.layers:
            x = layer(x)
        logits: Tensor = self.head(self.last(x))
        return logits


def gru(*, shape: tuple[int, int, int], hidden: int, layers: int, classes: int) -> Hooked:
    """GRU layers that read an image row by row. shape: (C, H, W).

    Point k lies after layer k, a sequence of H states; the last one after the last time of the last layer, which is
    all that the head sees. Nothing in the network knows of mixing: it is hooked, as any network can be.
    """
    channels, _, columns = shape
    reader = RowReader(inputs=channels * columns, hidden=(hidden,) * layers, classes=classes)
    return Hooked(reader, points=[*(f"layers.{number}" for number in range(layers - 1)), "last"])
