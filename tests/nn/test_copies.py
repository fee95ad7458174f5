"""Copies of tensors, modules, optimizers and generators, as the module `copy` makes them; none of them is pickled."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lazygrad import Generator, Tensor, dtypes, nn, optim
from lazygrad.dtype import ALL

ROWS = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
IMAGES = np.random.default_rng(0).normal(size=(2, 2, 5, 5)).astype("float32")
STEPS = np.random.default_rng(0).normal(size=(3, 2, 6)).astype("float32")
NETS: dict[str, tuple[Callable[[], Any], np.ndarray]] = {
    "Linear": (lambda: nn.Linear(6, 2), ROWS),
    "tied": (lambda: nn.Sequential(*[nn.Linear(6, 6)] * 2), ROWS),
    "BatchNorm1d": (lambda: nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3), nn.PReLU()), ROWS),
    "ModuleList": (lambda: nn.Sequential(nn.ModuleList([nn.Linear(6, 6)])[0], nn.Tanh()), ROWS),
    "Conv2d": (lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.LazyLinear(2)), IMAGES),
    "ConvTranspose2d": (lambda: nn.Sequential(nn.ConvTranspose2d(2, 1, 2), nn.MaxPool2d(2)), IMAGES),
    "weight_norm": (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(6, 2)), ROWS),
    "LSTM": (lambda: First(nn.LSTM(6, 3, num_layers=2, bidirectional=True)), STEPS),
    "GRU": (lambda: First(nn.GRU(6, 3)), STEPS),
    "TransformerEncoder": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0), 2, enable_nested_tensor=False),
        STEPS,
    ),
    "MultiheadAttention": (lambda: First(nn.MultiheadAttention(6, 2), 3), STEPS),
}


class First(nn.Module):
    """The first of several results."""

    def __init__(self, layer: Any, inputs: int = 1) -> None:
        super().__init__()
        self.layer, self.inputs = layer, inputs

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(*[x] * self.inputs)[0]  # type: ignore[no-any-return]


def train(net: Any, optimizer: Any, x: Tensor) -> None:
    for _ in range(2):
        optimizer.zero_grad()
        (net(x) ** 2).mean().backward()
        optimizer.step()


def numbers(net: Any) -> dict[str, Any]:
    return {name: t.detach().numpy() for name, t in net.state_dict().items()}


@pytest.mark.parametrize("name", NETS)
def test_a_deep_copy_is_another_network_that_computes_the_same(name: str) -> None:
    make, inputs = NETS[name]
    x, net = Tensor(inputs, device="NUMPY"), make()
    net = net.to("NUMPY")
    net(x)
    optimizer = optim.Adam(net.parameters(), lr=0.1)
    train(net, optimizer, x)
    before = numbers(net)
    twin, its_optimizer = copy.deepcopy((net, optimizer))
    assert [*twin.state_dict()] == [*before]
    assert type(twin) is type(net)
    assert repr(twin) == repr(net)
    np.testing.assert_array_equal(twin.eval()(x).numpy(), net.eval()(x).numpy())
    assert len([*twin.parameters()]) == len([*net.parameters()])
    assert not {id(p) for p in twin.parameters()} & {id(p) for p in net.parameters()}
    train(twin.train(), its_optimizer, x)
    for key, value in numbers(net).items():
        np.testing.assert_array_equal(value, before[key], f"{key} changed with its copy")
    train(net.train(), optimizer, x)
    for key, value in numbers(net).items():
        np.testing.assert_array_equal(value, numbers(twin)[key], f"{key} is trained otherwise than its copy")


def test_a_copy_is_another_module_of_the_same_parameters() -> None:
    for name in ("Linear", "tied", "Conv2d", "LSTM"):
        make, inputs = NETS[name]
        net = make()
        net(Tensor(inputs))
        twin = copy.copy(net)
        assert [id(p) for p in twin.parameters()] == [id(p) for p in net.parameters()]
        twin.extra = nn.Linear(1, 1)
        assert "extra.weight" not in net.state_dict()


def test_nothing_is_pickled_and_errors_say_what_is_done_instead() -> None:
    net = nn.Linear(2, 2)
    for value in (Tensor([1.0]), net.weight, net, optim.SGD(net.parameters(), lr=0.1), {"a": [Tensor([1])]}):
        with pytest.raises(TypeError, match=r"lazygrad\.save"):
            pickle.dumps(value)
    with pytest.raises(TypeError, match="get_state"):
        pickle.dumps(Generator())


def test_there_is_one_object_of_each_dtype() -> None:
    for dtype in ALL:
        assert copy.copy(dtype) is copy.deepcopy([dtype])[0] is dtype
        assert pickle.loads(pickle.dumps(dtype)) is dtype  # noqa: S301
    assert copy.deepcopy(dtypes) is dtypes


def test_a_generators_copy_draws_what_it_would_draw() -> None:
    generator = Generator().manual_seed(5)
    Tensor.rand(3, generator=generator)
    copies = [copy.copy(generator), copy.deepcopy({"g": generator})["g"], generator.clone_state()]
    want = Tensor.rand(4, generator=generator).tolist()
    for other in copies:
        assert other.device == generator.device
        assert Tensor.rand(4, generator=other).tolist() == want
