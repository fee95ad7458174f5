"""Indices of every integer type, into axes longer than the type: what int64 gives, values and gradients."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, dtypes, nn
from lazygrad.errors import DTypeError
from lazygrad.ir.node import Node, as_index, buffer, gather, iota, node
from lazygrad.ir.op import AxisArg, Op
from lazygrad.ir.signature import index_dtype
from lazygrad.runtime.base import Storage
from lazygrad.settings import settings

TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
LENGTHS = (3, 200, 256, 300, 70000)
Use = Callable[[Tensor, Tensor], Tensor]  # (vector, vector of indices) -> what is compared


def _embedding(x: Tensor, i: Tensor) -> Tensor:
    layer = nn.Embedding(x.shape[0], 2)
    layer.weight = x.unsqueeze(1).expand(-1, 2)  # type: ignore[assignment]
    return layer(i)


def _written(x: Tensor, i: Tensor) -> Tensor:
    y = x * 1
    y[i] = x.detach()[: i.shape[0]] * 2
    return y


def _logits(x: Tensor, i: Tensor) -> Tensor:
    return (x * 0.001).unsqueeze(0).expand(i.shape[0], -1)


USES: dict[str, Use] = {
    "gather": lambda x, i: x.gather(0, i),
    "gather along the second axis": lambda x, i: x.expand(2, -1).gather(1, i.expand(2, -1)),
    "take_along_dim": lambda x, i: x.take_along_dim(i, 0),
    "index_select": lambda x, i: x.index_select(0, i),
    "embedding": lambda x, i: x.unsqueeze(1).embedding(i),
    "nn.Embedding": _embedding,
    "x[i]": lambda x, i: x[i],
    "x[i, i]": lambda x, i: x[:8].unsqueeze(1).expand(-1, x.shape[0])[i % min(8, x.shape[0]), i],
    "x[i] = v": _written,
    "scatter": lambda x, i: x.scatter(0, i, x[: i.shape[0]] * 2),
    "scatter_add": lambda x, i: x.scatter_add(0, i, x[: i.shape[0]] * 2),
    "cross_entropy": lambda x, i: _logits(x, i).cross_entropy(i),
    "weighted cross_entropy": lambda x, i: _logits(x, i).cross_entropy(i, weight=x.detach(), label_smoothing=0.1),
    "nll_loss": lambda x, i: _logits(x, i).nll_loss(i, reduction="sum"),
    "one_hot": lambda x, i: i.one_hot(x.shape[0]).cast(dtypes.float32) * x,
}


def results(use: Use, x: np.ndarray[Any, Any], index: np.ndarray[Any, Any], weights: int) -> list[Tensor]:
    """What the use gives and its gradient, not yet computed."""
    leaf = Tensor(x, requires_grad=True)
    y = use(leaf, Tensor(index))
    (y * (Tensor.arange(y.numel()).reshape(y.shape) % weights + 1)).sum().backward()
    assert leaf.grad is not None
    return [y, leaf.grad]


def a_case(rng: random.Random, kind: str, length: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A vector, and indices in int64 that are within it and within the type `kind`, the largest among them."""
    most = min(length, int(np.iinfo(kind).max) + 1)
    index = [rng.randrange(most) for _ in range(rng.randint(1, min(3, length) - 1))] + [most - 1]
    return np.arange(length, dtype=np.float32) % 251, np.array(index)


def check(cases: Sequence[tuple[str, str, int]], seed: int, device: str) -> None:
    """Each case is a use, a type and a length; all are realized together on `device`, and in int64 on NUMPY."""
    found = []
    for name, kind, length in cases:
        x, index = a_case(random.Random(f"{seed} {name} {kind}"), kind, length)
        found.append((f"{name}: {kind} {index} into {length}", *both(USES[name], x, index, kind, device)))
    Tensor.realize(*(t for _, narrow, wide in found for t in (*narrow, *wide)))
    for what, narrow, wide in found:
        for a, b in zip(narrow, wide):
            np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-6, 1e-6, err_msg=what)


def both(use: Use, x: Any, index: Any, kind: str, device: str) -> tuple[list[Tensor], list[Tensor]]:
    with settings.override(device=device):
        narrow = results(use, x, index.astype(kind), 7)
    with settings.override(device="NUMPY"):
        return narrow, results(use, x, index, 7)


@pytest.mark.parametrize("name", USES)
def test_a_narrow_index_is_what_a_wide_one_is(name: str) -> None:
    check([(name, kind, length) for kind in TYPES for length in LENGTHS], 0, "NUMPY")


def test_narrow_indices_in_kernels(seeds: Callable[[int], range]) -> None:
    for seed in seeds(1):
        rng = random.Random(seed)
        check([(name, rng.choice(TYPES[:-1]), rng.choice(LENGTHS[2:])) for name in USES], seed, "OPENCL")


def test_what_int64_gives_is_right(device: str) -> None:
    x = np.arange(300.0, dtype=np.float32)
    for kind in ("int8", "uint8"):
        last = int(np.iinfo(kind).max)
        index = Tensor(np.array([last, 0], kind))
        assert Tensor(x).gather(0, index).tolist() == [last, 0]
        assert Tensor(x)[index].tolist() == [last, 0]
        hot = index.one_hot(300).numpy()
        assert hot.sum(1).tolist() == [1, 1]
        assert hot.argmax(1).tolist() == [last, 0]
    assert Tensor(x)[Tensor(np.array([-1, -128], "int8"))].tolist() == [299, 172], "negative ones count from the end"


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("size", [1, 127, 128, 256, 2**31 - 1, 2**31, 2**40])
def test_the_type_of_an_index_holds_its_own_values_and_those_beside_the_axis(kind: str, size: int) -> None:
    own = getattr(dtypes, kind)
    wide = index_dtype(own, size)
    assert wide in (dtypes.int32, dtypes.int64)
    assert wide.min <= -1 <= size <= wide.max
    assert wide is dtypes.int64 or (wide.min <= own.min <= own.max <= wide.max)


def test_the_graph_has_no_narrow_indices() -> None:
    x, index = iota(300, dtypes.float32), iota(3, dtypes.uint8)
    assert gather(x, index, 0).src[1].dtype is dtypes.int32
    with pytest.raises(DTypeError, match="int32"):
        node(Op.GATHER, (x, index), AxisArg(0))


def _far(n: int, dtype: Any = dtypes.float32) -> Node:
    """A buffer of n elements of which there is no memory: for looking at graphs."""
    return buffer(Storage("NUMPY", n * dtype.itemsize), dtype, (n,))


def test_positions_beyond_two_to_the_31_are_int64() -> None:
    from lazygrad.ir.build import positions
    from lazygrad.ir.node import topological

    n = 2**31 + 3
    assert positions((n,), 0).dtype is dtypes.int64
    assert positions((n - 8,), 0).dtype is dtypes.int32
    x = Tensor([0.0], device="NUMPY")
    x.node = _far(n)
    for result in (x.argmax(), x.argmin(), x.max(0).indices):
        kinds = {m.dtype for m in topological([result.node]) if m.op is Op.IOTA}
        assert kinds == {dtypes.int64}
    assert as_index(_far(4, dtypes.int32), n).dtype is dtypes.int64


def test_argmax_beyond_two_to_the_31() -> None:
    """Every loop and position of the kernel is wide enough; nothing of this size is stored."""
    far = 2**31 + 1
    assert (Tensor.arange(far + 2, device="OPENCL") == far).cast(dtypes.uint8).argmax().item() == far
