from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from mmix.mixing.plan import blending
from mmix.models.build import build
from mmix.models.gru import gru
from mmix.spec.model import Gru
from tests.models.conftest import Recorder, samples


def test_one_layer_upon_another_is_torchs_gru_of_many_layers() -> None:
    net, x = gru(shape=(3, 7, 5), hidden=6, layers=2, classes=4), samples(3, 7, 5)
    reader: Any = net.module
    whole = nn.GRU(15, 6, num_layers=2, batch_first=True)
    for number in range(2):
        for name, weight in reader.layers[number].gru.named_parameters():
            getattr(whole, name.replace("l0", f"l{number}")).data.copy_(weight)
    states, _ = whole(x.transpose(1, 2).reshape(5, 7, 15))
    expected = reader.head(states[:, -1])
    torch.testing.assert_close(net(x), expected, rtol=1e-6, atol=1e-6)


def test_the_states_are_sequences_and_at_last_what_the_head_sees() -> None:
    net, recorder = gru(shape=(3, 7, 5), hidden=6, layers=3, classes=4), Recorder()
    logits = net(samples(3, 7, 5), recorder)
    reader: Any = net.module
    assert [tuple(x.shape[1:]) for _, x in recorder.shown] == [(3, 7, 5), (7, 6), (7, 6), (6,)]
    assert torch.equal(reader.head(recorder.shown[-1][1]), logits)


def test_rows_are_read_from_top_to_bottom() -> None:
    net, x = gru(shape=(1, 4, 3), hidden=6, layers=2, classes=4), samples(1, 4, 3)
    before, after = Recorder(), Recorder()
    net(x, before)
    x[:, :, 2:] += 1
    net(x, after)
    same = (before.shown[1][1] == after.shown[1][1]).all(2).all(0)
    assert same.tolist() == [True, True, False, False]


def test_a_gru_learns_digits_while_it_is_mixed_at_every_layer() -> None:
    bunch = load_digits()
    x, y = torch.tensor(bunch.images[:, None] / 8 - 1, dtype=torch.float32), torch.tensor(bunch.target)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    train, test = order[:1437], order[1437:]
    net = build(Gru(kind="gru", hidden=48), shape=(1, 8, 8), classes=10, seed=0)
    adam = torch.optim.Adam(net.parameters(), lr=0.01)
    for step in range(200):
        batch = train[torch.arange(step * 50, step * 50 + 50) % len(train)]
        plan = blending(step % 3, lam=torch.tensor(0.8), partner=torch.arange(50).roll(1))
        loss = plan.loss(_cross_entropy, net(x[batch], plan), y[batch])
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
    with torch.no_grad():
        error = (net(x[test]).argmax(1) != y[test]).float().mean().item()
    assert error < 0.1  # 0.02 to 0.05 over seeds; a guess is 0.9


def _cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits, target, reduction="none")
