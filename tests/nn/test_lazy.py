"""Layers that get their shapes from their first input: what they become, states before and after, dtypes, jit."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, jit, nn, optim
from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.nn.parameter import is_lazy

KINDS: dict[str, tuple[tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = {
    "LazyLinear": ((3,), {"bias": False}, (2, 4)),
    "LazyConv1d": ((4, 2), {"groups": 2}, (2, 6, 5)),
    "LazyConv2d": ((4, 2), {"padding": 1}, (3, 5, 5)),
    "LazyConv3d": ((4, 2), {}, (2, 3, 4, 4, 4)),
    "LazyConvTranspose1d": ((4, 2), {"stride": 2}, (2, 3, 4)),
    "LazyConvTranspose2d": ((4, 2), {"groups": 2, "bias": False}, (2, 6, 4, 4)),
    "LazyConvTranspose3d": ((4, 2), {}, (2, 3, 4, 4, 4)),
    "LazyBatchNorm1d": ((), {}, (4, 3)),
    "LazyBatchNorm2d": ((1e-3, 0.5), {"affine": False}, (4, 3, 2, 2)),
    "LazyBatchNorm3d": ((), {"track_running_stats": False}, (4, 3, 2, 2, 2)),
    "LazyInstanceNorm1d": ((), {"affine": True}, (4, 3, 5)),
    "LazyInstanceNorm2d": ((), {"track_running_stats": True}, (4, 3, 2, 2)),
    "LazyInstanceNorm3d": ((), {}, (4, 3, 2, 2, 2)),
}  # fmt: skip


def made(name: str) -> tuple[Any, Any, np.ndarray[Any, Any]]:
    args, kwargs, shape = KINDS[name]
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    return getattr(nn, name)(*args, **kwargs), getattr(torch.nn, name)(*args, **kwargs), x


@pytest.mark.parametrize("name", KINDS)
def test_as_pytorch(name: str) -> None:
    ours, theirs, x = made(name)
    parameters = list(ours.parameters())
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    assert ours.has_uninitialized_params() == theirs.has_uninitialized_params()
    assert isinstance(ours, getattr(nn, name[4:]))
    before = getattr(nn, name)(*KINDS[name][0], **KINDS[name][1])
    theirs(torch.tensor(x))
    y = ours(Tensor(x))
    assert type(ours) is getattr(nn, name[4:]) and repr(ours) == repr(theirs)
    assert [id(p) for p in ours.parameters()] == [id(p) for p in parameters] and not any(map(is_lazy, parameters))
    state = {k: v.numpy() for k, v in theirs.state_dict().items()}
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in state.items()}
    (y * Tensor.ones(1, requires_grad=True)).square().sum().backward()
    assert all(p.grad.shape == p.shape for p in parameters)
    assert before.load_state_dict(state) == ([], []), "states are loaded before the first call, too"
    for module in (before, ours, theirs):
        module.eval()
    ours.load_state_dict(state)
    expected = theirs(torch.tensor(x)).detach().numpy()
    for module in (ours, before):
        np.testing.assert_allclose(module(Tensor(x)).numpy(), expected, rtol=1e-4, atol=1e-5)
    assert repr(before) == repr(theirs) and before._hooks == {"load_pre": {}} == ours._hooks


def test_nets_of_lazy_layers() -> None:
    net = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2))
    twin = copy.deepcopy(net)
    assert net.load_state_dict(twin.state_dict()) == ([], []) and net[0].has_uninitialized_params()
    net.double()
    step = optim.SGD(net.parameters(), lr=0.1)
    x = Tensor(np.ones((2, 3, 5, 5)))
    assert net(x).dtype.name == "float64" and net[3].in_features == 36
    before = net[3].bias.numpy().copy()
    net(x).sum().backward()
    step.step()
    assert np.abs(net[3].bias.numpy() - before).max() > 0.1
    twin.load_state_dict(net.state_dict())
    np.testing.assert_allclose(twin(x.float()).numpy(), net(x).numpy(), rtol=1e-3, atol=1e-3)


def test_jit_of_a_lazy_net() -> None:
    net = nn.Sequential(nn.LazyLinear(3), nn.ReLU(), nn.LazyLinear(2))
    jitted = jit(net)
    x = Tensor(np.ones((2, 4), "float32"))
    results = [jitted(x).numpy() for _ in range(3)]
    for r in results:
        np.testing.assert_allclose(r, net(x).numpy(), rtol=1e-6)


def test_without_a_shape() -> None:
    layer = nn.LazyLinear(3)
    with pytest.raises(ShapeError, match="call it once"):
        layer.weight.shape
    with pytest.raises(ShapeError, match="call it once"):
        layer.weight.numel()
    with pytest.raises(ShapeError, match="call it once"):
        nn.Linear(2, 3).load_state_dict(layer.state_dict())
    with pytest.raises(ShapeError, match="no dimension -1"):
        layer(Tensor(1.0))
    with pytest.raises(ArgumentError, match="missing"):
        layer.load_state_dict({"weight": Tensor.ones(3, 2)})
    other = nn.LazyLinear(3)
    other.load_state_dict({"weight": np.ones((3, 2)), "bias": np.ones(3)})
    with pytest.raises(ShapeError, match=r"weight is of shape \[3, 2\]"):
        other(Tensor.ones(1, 5))
    frozen = nn.UninitializedParameter(requires_grad=False, dtype="float64")
    assert isinstance(frozen, nn.Parameter) and not isinstance(nn.Parameter(Tensor([1.0])), nn.UninitializedParameter)
    frozen.materialize((2,), dtype="float32")
    assert frozen.shape == (2,) and frozen.dtype.name == "float32" and isinstance(frozen, nn.Parameter)
    buffer = nn.UninitializedBuffer(persistent=False)
    buffer.materialize((1, 2))
    assert type(buffer) is nn.Buffer and buffer.shape == (1, 2) and not buffer.persistent
