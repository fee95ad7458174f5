"""`nn.utils`: vectors of parameters, layers fused with normalization, modules without initial values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, nn
from lazygrad.errors import ArgumentError, OperandError, ShapeError
from lazygrad.nn.utils import (
    fuse_conv_bn_eval,
    fuse_linear_bn_eval,
    parameters_to_vector,
    skip_init,
    vector_to_parameters,
)


def test_vectors_of_parameters() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).double()
    vector = parameters_to_vector(net.parameters())
    np.testing.assert_array_equal(vector.numpy(), np.concatenate([p.numpy().ravel() for p in net.parameters()]))
    (vector * Tensor.arange(12).double()).sum().backward()
    assert net[0].weight.grad.tolist() == [[0, 1, 2], [3, 4, 5]] and net[1].bias.grad.tolist() == [10, 11]
    before = list(net.parameters())
    vector_to_parameters(Tensor.arange(12, dtype="float32"), net.parameters())
    assert [id(p) for p in net.parameters()] == [id(p) for p in before]
    assert net[0].weight.tolist() == [[0, 1, 2], [3, 4, 5]] and net[1].bias.dtype.name == "float64"
    with pytest.raises(ShapeError, match="12 elements are needed"):
        vector_to_parameters(Tensor.arange(11), net.parameters())
    assert net[1].bias.tolist() == [10, 11]
    with pytest.raises(OperandError, match="takes a Tensor"):
        vector_to_parameters([1.0], net.parameters())  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="no parameters"):
        parameters_to_vector([])
    with pytest.raises(OperandError, match="as parameters"):
        parameters_to_vector(net.children())
    with pytest.raises(ArgumentError, match="move them to one device"):
        parameters_to_vector([net[0].bias, Tensor([1.0], device="OPENCL")])


FUSED: list[tuple[str, tuple[Any, ...], dict[str, Any], str, dict[str, Any]]] = [
    ("Conv1d", (3, 4, 2), {}, "BatchNorm1d", {}),
    ("Conv2d", (4, 6, 3), {"groups": 2, "bias": False}, "BatchNorm2d", {"affine": False}),
    ("ConvTranspose2d", (3, 4, 2), {"stride": 2}, "BatchNorm2d", {"eps": 0.1}),
    ("Conv3d", (2, 3, 1), {"bias": False}, "BatchNorm3d", {}),
    ("Linear", (3, 4), {}, "BatchNorm1d", {}),
]


@pytest.mark.parametrize(("kind", "sizes", "settings", "norm", "more"), FUSED)
def test_fused_with_normalization(
    kind: str, sizes: tuple[int, ...], settings: dict[str, Any], norm: str, more: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    layers = [getattr(torch.nn, kind)(*sizes, **settings), getattr(torch.nn, norm)(sizes[1], **more)]
    for t in [*layers[1].parameters(), *layers[1].buffers()]:
        t.data = torch.rand(t.shape).to(t.dtype) if t.ndim else t
    ours = [getattr(nn, kind)(*sizes, **settings), getattr(nn, norm)(sizes[1], **more)]
    for a, b in zip(ours, layers):
        a.load_state_dict({k: v.numpy() for k, v in b.state_dict().items()})
        a.double().eval()
        b.double().eval()
    transposed = {"transpose": True} if "Transpose" in kind else {}
    name = "fuse_linear_bn_eval" if kind == "Linear" else "fuse_conv_bn_eval"
    fused, expected = (getattr(m.utils, name)(*pair, **transposed) for m, pair in ((nn, ours), (torch.nn, layers)))
    for key, value in expected.state_dict().items():
        np.testing.assert_allclose(fused.state_dict()[key].numpy(), value.numpy(), rtol=1e-12)
    x = np.random.default_rng(0).normal(size=(2, sizes[0]) + (5,) * (fused.weight.ndim - 2))
    np.testing.assert_allclose(fused(Tensor(x)).numpy(), ours[1](ours[0](Tensor(x))).numpy(), rtol=1e-9, atol=1e-12)
    assert fused is not ours[0] and [p.requires_grad for p in fused.parameters()] == [
        p.requires_grad for p in expected.parameters()
    ]


def test_what_cannot_be_fused() -> None:
    conv, norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
    with pytest.raises(ArgumentError, match="in evaluation"):
        fuse_conv_bn_eval(conv.eval(), norm)
    with pytest.raises(ArgumentError, match="no statistics"):
        fuse_conv_bn_eval(conv, nn.BatchNorm2d(2, track_running_stats=False).eval())
    with pytest.raises(ArgumentError, match="4 outputs are normalized by statistics of 2"):
        fuse_linear_bn_eval(nn.Linear(3, 4).eval(), norm.eval())


def test_without_initial_values() -> None:
    layer = skip_init(nn.Linear, 3, out_features=2, device="NUMPY", dtype="float64")
    assert layer.weight.shape == (2, 3) and layer.weight.dtype.name == "float64" and layer.bias.requires_grad
    inside = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    parameter = inside[0].weight
    assert inside.to_empty(device="NUMPY")[0].weight is parameter and inside[1].running_mean.shape == (2,)
    inside.load_state_dict({k: v + 1 for k, v in inside.state_dict().items()})
    with pytest.raises(ArgumentError, match="takes no device"):
        skip_init(nn.ReLU)
    with pytest.raises(ArgumentError, match="makes a Module"):
        skip_init(len)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "args"),
    [("celu_", (2.0,)), ("elu_", ()), ("hardtanh_", (-1.0, 2.0)), ("leaky_relu_", ()), ("relu_", ()), ("selu_", ()),
     ("threshold_", (1.0, 7.0)), ("rrelu_", (0.25, 0.25))],
)  # fmt: skip
def test_activations_in_place(name: str, args: tuple[float, ...]) -> None:
    values = np.array([-2.0, 0.0, 0.5, 3.0, np.inf, np.nan])
    ours, theirs = Tensor(values), torch.tensor(values)
    assert getattr(nn.functional, name)(ours, *args) is ours
    getattr(torch.nn.functional, name)(theirs, *args)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12)
    assert getattr(nn.functional, name).__name__ == name


def test_what_is_accepted_and_changes_nothing() -> None:
    conv = nn.Conv2d(1, 1, 1)
    for convert in (nn.utils.convert_conv2d_weight_memory_format, nn.utils.convert_conv3d_weight_memory_format):
        assert convert(conv, "channels_last") is conv
    net = nn.DataParallel(nn.Linear(2, 1), device_ids=[0, 1])
    twin = torch.nn.DataParallel(torch.nn.Linear(2, 1))
    assert list(net.state_dict()) == list(twin.state_dict()) and repr(net) == repr(twin)
    x = Tensor.ones(3, 2)
    np.testing.assert_array_equal(net(x).numpy(), net.module(x).numpy())
    assert all(isinstance(cell(2, 2), nn.RNNCellBase) for cell in (nn.RNNCell, nn.LSTMCell, nn.GRUCell))
