"""Tensors from data and from formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lazygrad import Tensor, dtypes, jit, stats
from lazygrad.dtype import ALL, DType
from lazygrad.errors import ArgumentError, DTypeError, GradientError, ShapeError


@pytest.mark.parametrize(
    "data", [True, 3, 2.5, [], [1, 2], [1, 2.5], [[True], [False]], [[1], [2]], [True, 2], [[[]]], (1, (2)), [1 << 40]]
)
def test_python_data_gets_torchs_dtype_and_shape(data: object) -> None:
    ours, theirs = Tensor(data), torch.tensor(data)
    assert str(theirs.dtype) == f"torch.{ours.dtype}"
    assert ours.shape == tuple(theirs.shape)
    assert ours.tolist() == theirs.tolist()


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_every_dtype_makes_the_round_trip(dtype: DType) -> None:
    values = [0, 1, 1] if dtype.is_bool else [0, 1, 100] if dtype.kind == "uint" else [0, 1, -100]
    tensor = Tensor(values, dtype=dtype)
    assert tensor.dtype is dtype
    assert tensor.numpy().tolist() == [(dtype.is_bool and bool(v)) or v for v in values]
    again = Tensor(tensor.numpy(), dtype=dtype)
    assert (again == tensor).all().item()


@pytest.mark.parametrize("name", ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"])
def test_numpy_arrays_and_scalars_keep_their_type(name: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(name)
    assert Tensor(array).dtype.name == name
    np.testing.assert_array_equal(Tensor(array).numpy(), array)
    np.testing.assert_array_equal(Tensor(array.T[::-1]).numpy(), array.T[::-1])
    assert Tensor(array[0, 1]).dtype.name == name
    assert Tensor(array[0, 1]).shape == ()


def test_arrays_are_copied() -> None:
    array = np.zeros(3, np.float32)
    tensor = Tensor(array)
    array[:] = 7
    assert tensor.tolist() == [0, 0, 0]
    tensor.numpy()[:] = 5
    assert tensor.tolist() == [0, 0, 0]


def test_bytes_are_elements() -> None:
    assert Tensor(b"\x01\x02").tolist() == [1, 2]
    assert Tensor(np.float32([1.5, -2]).tobytes(), dtype=dtypes.float32).tolist() == [1.5, -2]
    with pytest.raises(ShapeError, match="3 bytes"):
        Tensor(b"abc", dtype=dtypes.int16)


def test_a_tensor_from_a_tensor_is_another_leaf() -> None:
    first = Tensor([1.0, 2.0], requires_grad=True)
    second = Tensor(first, dtype=dtypes.float64, requires_grad=True)
    (second * 2).sum().backward()
    assert first.grad is None
    assert second.grad is not None
    assert second.grad.tolist() == [2, 2]


def test_what_is_no_data_is_refused() -> None:
    with pytest.raises(ShapeError, match="ragged"):
        Tensor([[1], [1, 2]])
    with pytest.raises(DTypeError, match=r"numbers|dtype"):
        Tensor(["a"])
    with pytest.raises(DTypeError, match="complex"):
        Tensor(np.zeros(2, complex))
    with pytest.raises(GradientError, match="int64"):
        Tensor([1], requires_grad=True)


@pytest.mark.parametrize(
    ("name", "args", "options"),
    [
        ("zeros", (2, 3), {}),
        ("ones", ((2, 3),), {}),
        ("full", ((2, 2), 7), {}),
        ("full", (3, 0.5), {}),
        ("arange", (5,), {}),
        ("arange", (2, 10, 3), {}),
        ("arange", (5, 0, -2), {}),
        ("arange", (0.5, 3), {}),
        ("arange", (1, 2, 0.25), {}),
        ("arange", (0,), {}),
        ("linspace", (0, 1, 5), {}),
        ("linspace", (2, -3, 4), {}),
        ("linspace", (1, 2, 1), {}),
        ("linspace", (1, 2, 0), {}),
        ("eye", (3,), {}),
        ("eye", (2, 4), {}),
    ],
)
def test_formulas(name: str, args: tuple[object, ...], options: dict[str, object]) -> None:
    fixed = ((args[0],), *args[1:]) if name == "full" and isinstance(args[0], int) else args
    ours, theirs = getattr(Tensor, name)(*args, **options), getattr(torch, name)(*fixed, **options)
    assert str(theirs.dtype) == f"torch.{ours.dtype}"
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)


def test_like_another() -> None:
    x = Tensor([[1, 2]], dtype=dtypes.int16)
    for y, value in [(x.zeros_like(), 0), (x.ones_like(), 1), (x.full_like(9), 9)]:
        assert (y.dtype, y.tolist()) == (dtypes.int16, [[value, value]])
    assert x.ones_like(dtype=dtypes.float32).dtype is dtypes.float32
    assert x.empty_like().shape == (1, 2)
    assert Tensor.empty(2, 3).shape == (2, 3)


def test_formulas_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ArgumentError, match="arange"):
        Tensor.arange(0, 5, -1)
    with pytest.raises(ArgumentError, match="arange"):
        Tensor.arange(0, 5, 0)
    with pytest.raises(ShapeError, match="linspace"):
        Tensor.linspace(0, 1, -1)
    with pytest.raises(ShapeError, match="integers"):
        Tensor.zeros(2.5)


def test_constants_on_the_graph_need_no_memory() -> None:
    from lazygrad.ir.node import topological
    from lazygrad.ir.op import Op

    graph = topological([(Tensor.zeros(1000, 1000) + Tensor.arange(1000) * 2).node])
    assert not [n for n in graph if n.op is Op.BUFFER]


def test_a_lazy_leaf_has_a_node_of_its_own() -> None:
    a, b = Tensor.zeros(3, requires_grad=True), Tensor.zeros(3, requires_grad=True)
    (a * 2 + b * 3).sum().backward()
    assert a.grad is not None
    assert b.grad is not None
    assert (a.grad.tolist(), b.grad.tolist()) == ([2, 2, 2], [3, 3, 3])


# ---- memory of NumPy's -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool", "float16"])
def test_an_array_is_read_where_it_lies(device: str, dtype: str) -> None:
    array = np.arange(1, 4097).reshape(64, 64).astype(dtype)
    before = stats().live_bytes
    t = Tensor.from_numpy(array)
    assert t.shape == (64, 64) and t.dtype.name == dtype
    assert stats().live_bytes == before, "the device made a copy"
    np.testing.assert_array_equal(t.numpy(), array)
    np.testing.assert_array_equal((t[1:] == t[:-1]).numpy(), array[1:] == array[:-1])


def test_arrays_that_cannot_be_shared_are_copied(device: str) -> None:
    array = np.arange(24, dtype=np.float32).reshape(4, 6)
    unaligned = np.frombuffer(b"x" + array.tobytes(), np.uint8)[1:].view(np.float32).reshape(4, 6)
    for view in (array.T, array[:, ::2], array[::-1], unaligned, array.astype(">f4"), array[:0]):
        np.testing.assert_array_equal(Tensor.from_numpy(view).add(1).numpy(), view + 1)


def test_a_shared_array_is_never_written(device: str) -> None:
    array = np.arange(2048, dtype=np.float32)
    t = Tensor.from_numpy(array)
    t += 1
    t.realize()
    t[3] = 70.0
    again = Tensor.from_numpy(array)
    step = jit(lambda x: x.mul_(2))
    results = [step(again).sum().item() for _ in range(4)]
    assert results == [array.sum() * 2**k for k in range(1, 5)]
    assert t[:5].tolist() == [1.0, 2.0, 3.0, 70.0, 5.0]
    np.testing.assert_array_equal(array, np.arange(2048))


def test_a_read_only_array(device: str) -> None:
    array = np.arange(2048, dtype=np.float32)
    array.flags.writeable = False
    t = Tensor.from_numpy(array)
    assert t.add_(1).sum().item() == array.sum() + 2048
