"""Reading values, printing, and what does not go."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

from lazygrad import Tensor, dtypes
from lazygrad.errors import DeviceError, ShapeError


@pytest.mark.parametrize(
    "data",
    [
        [1.0, 2.0],
        [0.5, 1.0],
        [1, -20, 300],
        [True, False],
        [[1.5, -2.25], [1000.0, 3.0]],
        3.0,
        2.5,
        7,
        True,
        [],
        [[]],
        [1e10, 1.0],
        [1e-6, 1.0],
        [float("nan"), 1.0],
        [float("inf"), 0.25],
        [float("-inf"), 2.0],
        [0.0, 0.0],
        [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.5]]],
        [-0.0001, 1.0],
        [123456.0, 1.0],
        [1e8, 2e8],
        [1e9],
        list(range(30)),
        [i / 7 for i in range(30)],
    ],
)
def test_printed_as_torch_prints(data: object) -> None:
    assert repr(Tensor(data)) == repr(torch.tensor(data))


def test_large_tensors_are_abridged_as_torchs_are() -> None:
    for shape in [(2000,), (50, 50), (12, 10, 11)]:
        n = int(np.prod(shape))
        assert repr(Tensor.arange(n).reshape(shape)) == repr(torch.arange(n).reshape(shape))
        if len(shape) < 3:
            assert repr(Tensor.arange(n).float().reshape(shape)) == repr(torch.arange(n).float().reshape(shape))


def test_printed_with_dtype_and_gradient() -> None:
    assert repr(Tensor([1.0], dtype=dtypes.float64)) == "tensor([1.], dtype=float64)"
    assert repr(Tensor([1.0], requires_grad=True)) == "tensor([1.], requires_grad=True)"
    assert repr(Tensor.zeros(2, 0)) == "tensor([], size=(2, 0))"
    assert f"{Tensor(0.123456):.3f}" == "0.123"
    assert f"{Tensor([1])}" == "tensor([1])"


def test_python_values() -> None:
    assert Tensor([[2.5]]).item() == 2.5
    assert isinstance(Tensor(3).item(), int)
    assert isinstance(Tensor(True).item(), bool)
    assert (int(Tensor(3.7)), float(Tensor(2)), bool(Tensor([0.0]))) == (3, 2.0, False)
    assert [10, 20, 30][Tensor(1)] == 20
    assert len(Tensor.zeros(4, 2)) == 4
    assert [row.tolist() for row in Tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
    assert np.asarray(Tensor([1, 2])).tolist() == [1, 2]
    assert np.asarray(Tensor([1, 2]), dtype=np.float32).dtype == np.float32
    assert Tensor.zeros(2, 3).numel() == 6
    assert Tensor.zeros(2, 3, dtype=dtypes.int16).nbytes == 12
    assert (Tensor.zeros(2, 3).size(), Tensor.zeros(2, 3).size(-1), Tensor.zeros(2, 3).dim()) == ((2, 3), 3, 2)


def test_what_does_not_go_is_refused() -> None:
    with pytest.raises(ShapeError, match="any"):
        bool(Tensor([1, 2]))
    with pytest.raises(ShapeError, match="one element"):
        Tensor([1, 2]).item()
    with pytest.raises(TypeError, match="0-d"):
        len(Tensor(1))
    with pytest.raises(TypeError, match="0-d"):
        iter(Tensor(1))
    with pytest.raises(TypeError, match="index"):
        [1, 2][Tensor(1.0)]
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(Tensor([1]))
    with pytest.raises(DeviceError, match="device"):
        Tensor([1], device="TOASTER")


def test_comparing_with_something_else_is_no_error() -> None:
    assert (Tensor([1]) == "x") is False
    assert Tensor([1]) != None  # noqa: E711
    assert len({Tensor([1]), Tensor([1])}) == 2


def test_numpy_leaves_operators_to_tensors() -> None:
    left = np.float32(2) * Tensor([1.0, 2.0])
    assert isinstance(left, Tensor)
    assert left.tolist() == [2, 4]
    total = np.ones(2, np.float32) + Tensor([1.0, 2.0])
    assert isinstance(total, Tensor)
    assert total.tolist() == [2, 3]


def test_copies() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = copy.deepcopy(x)
    assert y.requires_grad
    assert y.is_leaf
    (y * 3).sum().backward()
    assert x.grad is None
    assert y.tolist() == [1, 2]
    z = x.clone()
    z.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1, 1]


def test_values_stay_after_realize() -> None:
    x = Tensor([1.0, 2.0])
    y = x + 1
    z = y * 2
    assert y.realize() is y
    assert z.tolist() == [4, 6]
    a, b = x + 5, x + 6
    Tensor.realize(a, b)
    assert (a.tolist(), b.tolist()) == ([6, 7], [7, 8])


def test_bfloat16_values_are_rounded_to_even() -> None:
    values = np.array([1.0, 1.00390625, 1.01171875, -3.14159, 65504.0, np.inf], np.float32)
    ours = Tensor(values, dtype=dtypes.bfloat16)
    np.testing.assert_array_equal(ours.numpy(), torch.tensor(values).bfloat16().float().numpy())


@pytest.mark.parametrize("device", ["NUMPY", "OPENCL", "CUDA_EMULATED"])
def test_the_absolute_value_of_zero_is_positive(device: str) -> None:
    """Of both zeros, in whole vectors and in what is left over."""
    x = np.resize(np.array([0.0, -0.0, -1.5, 2.0], np.float32), 37)
    for dtype in (np.float32, np.float64, np.float16):
        found = Tensor(x.astype(dtype), device=device).abs().numpy()
        assert not np.signbit(found).any()
        np.testing.assert_array_equal(found, np.abs(x))
