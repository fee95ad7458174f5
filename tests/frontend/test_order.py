"""Sorting, selecting and searching: ties, nan, zeros, every dtype, in the graph and by the host, against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, Variable, dtypes, jit
from lazygrad.dtype import ALL
from lazygrad.errors import ArgumentError, LazygradError
from lazygrad.ops import order
from lazygrad.settings import settings
from tests.op_row import ALL as NAMES

SHAPES = [(5,), (3, 7), (1,), (0,), (3, 0), (4, 3, 5), (2, 600)]
TORCH_LACKS = {"uint16", "uint32", "uint64"}


def drawn(kind: str, shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """Few different numbers, so that many are equal; among floats both zeros, both infinities and nan of both signs."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0 if kind.startswith(("u", "b")) else -3, 4, shape).astype("float64")
    if BY_NAME[kind].is_float:
        special = np.array([-0.0, np.inf, -np.inf, np.nan, -np.nan])
        values = np.where(rng.random(shape) < 0.3, special[rng.integers(0, 5, shape)], values)
    return Tensor(values).cast(kind).realize()


BY_NAME = {d.name: d for d in ALL}


def expected(x: Tensor, dim: int, descending: bool) -> Any:
    """PyTorch's stable order; of its unsigned types that lack one, that of int64."""
    kind = "int64" if x.dtype.name in TORCH_LACKS else x.dtype.name
    values = torch.tensor(x.cast("float64").numpy()).to(getattr(torch, kind))
    return torch.sort(values, dim=dim, descending=descending, stable=True)[1].numpy()


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as a replay computes it: its first call under `jit` is a plain one."""
    jitted = jit(function)
    return lambda *args: [jitted(*args) for _ in range(2)][1]


@pytest.mark.parametrize("way", ["host", "graph"])
@pytest.mark.parametrize("kind", [d.name for d in ALL])
def test_every_dtype_in_pytorchs_stable_order(kind: str, way: str) -> None:
    for shape in SHAPES:
        x = drawn(kind, shape)
        for dim in range(len(shape)):
            for descending in (False, True):
                want = expected(x, dim, descending)
                k = min(3, shape[dim])

                def both(x: Tensor, dim: int = dim, down: bool = descending, k: int = k) -> list[Tensor]:
                    pairs = (x.sort(dim, descending=down), x.topk(k, dim, largest=down))
                    return [part for pair in pairs for part in pair]

                values, places, top, top_places = (traced(both) if way == "graph" else both)(x)
                assert (places.numpy() == want).all(), (shape, dim, descending)
                assert (top_places.numpy() == np.take(want, range(k), dim)).all(), (shape, dim, descending, "topk")
                here = np.take_along_axis(x.numpy(), want, dim)
                np.testing.assert_array_equal(values.numpy(), here)
                np.testing.assert_array_equal(top.numpy(), np.take(here, range(k), dim))


@pytest.mark.parametrize(
    ("where", "size"), [*(("NUMPY", n) for n in (2, 256, 257, 512, 513, 2100, 20_000)), ("OPENCL", 2100)]
)
def test_blocks_that_are_merged(where: str, size: int) -> None:
    """In the graph: blocks that are ranked, merged four at a time, of which the last are not full."""
    rng = np.random.default_rng(size)
    with settings.override(device=where):
        _merged(rng, size)


def _merged(rng: np.random.Generator, size: int) -> None:
    for x in (rng.integers(0, 50, size).astype("int32"), rng.standard_normal(size)):
        places, few = traced(lambda t: (t.argsort(), t.topk(min(5, t.shape[0]))[1]))(Tensor(x))
        assert (places.numpy() == np.argsort(x, kind="stable")).all()
        assert (few.numpy() == np.argsort(-x, kind="stable")[:5]).all()


def test_on_a_gpu_it_is_sorted_in_the_graph() -> None:
    x = np.random.default_rng(0).integers(0, 90, (2, 300)).astype("float32")
    for options in ({"device": "OPENCL", "target": "gpu"}, {"device": "CUDA_EMULATED"}):
        with settings.override(**options):
            rows = x[:, :20]
            assert (Tensor(rows).argsort(1).numpy() == np.argsort(rows, 1, kind="stable")).all()


@pytest.mark.parametrize("count", [1, 3, 50])
def test_a_few_of_very_many(device: str, count: int) -> None:
    """Most are never looked at a second time; those that are may be all equal, in order, or all of one stretch."""
    n = 1024 * count + 7
    rng = np.random.default_rng(count)
    for x in (
        rng.standard_normal((2, n)),
        np.arange(2.0 * n).reshape(2, n),
        np.zeros((2, n)),
        rng.integers(0, 9, (2, n)),
    ):
        for down in (True, False):
            places = Tensor(x.astype("float32")).topk(count, largest=down)[1].numpy()
            assert (places == np.argsort(-x if down else x, 1, kind="stable")[:, :count]).all()


def test_none_of_them(device: str) -> None:
    for shape in ((3, 5), (3, 1), (3, 0)):
        values, places = Tensor(np.ones(shape)).topk(0, 1)
        assert values.shape == places.shape == (3, 0)
        assert values.numpy().shape == (3, 0)


@pytest.mark.parametrize("rank", [1, 300, 2999, 3000])
def test_one_of_many(rank: int) -> None:
    x = np.random.default_rng(0).integers(0, 999, (2, 3000))
    want = np.argsort(x, 1, kind="stable")[:, rank - 1]
    for call in (lambda t: t.kthvalue(rank), traced(lambda t: t.int().kthvalue(rank))):
        assert (call(Tensor(x)).indices.numpy() == want).all()


def test_a_replay_orders_what_it_is_given(device: str) -> None:
    """Sampling among the top k: later calls see other numbers, and other top ones."""

    @jit
    def best(logits: Tensor) -> tuple[Tensor, Tensor]:
        values, places = logits.topk(4)
        return values.softmax(-1), places

    for seed in range(4):
        x = np.random.default_rng(seed).standard_normal((1, 700)).astype("float32")
        weights, places = best(Tensor(x))
        want = torch.topk(torch.tensor(x), 4)
        assert (places.numpy() == want.indices.numpy()).all()
        np.testing.assert_allclose(weights.numpy(), want.values.softmax(-1).numpy(), rtol=1e-5)


@pytest.mark.parametrize("size", [0, 1, 3, 6])
def test_variable_sizes(device: str, size: int) -> None:
    x = np.array([3.0, -1.0, np.nan, 2.0, 2.0, 0.0])
    n = Variable("n", 0, 6).bind(size)
    got = Tensor(x)[:n].argsort()
    assert got.numpy().tolist() == np.argsort(x[:size], kind="stable").tolist()


SELECTIONS: dict[str, Callable[[Any], Any]] = {
    "sort": lambda x: x.sort(0)[0],
    "topk": lambda x: x.topk(3, 0)[0],
    "kthvalue": lambda x: x.kthvalue(2, 0)[0],
    "median": lambda x: x.median(0)[0],
    "median of all": lambda x: x.median(),
    "nanmedian of all": lambda x: x.nanmedian(),
    "cummax": lambda x: x.cummax(0)[0],
    "cummin": lambda x: x.cummin(0)[0],
    "quantile": lambda x: x.quantile(0.37, 0),
    "max": lambda x: x.max(0)[0],
}


@pytest.mark.parametrize("name", SELECTIONS)
def test_gradients_go_to_the_elements_that_are_named(name: str) -> None:
    values = np.array([[1.0, 5.0], [np.nan, 2.0], [3.0, 9.0], [0.5, -np.inf], [7.0, 4.0]])
    x, t = Tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    ours, theirs = SELECTIONS[name](x), SELECTIONS[name](t)
    np.testing.assert_array_equal(ours.numpy(), theirs.detach().numpy())
    weights = np.random.default_rng(0).uniform(1, 2, tuple(theirs.shape))
    (ours * Tensor(weights)).sum().backward()
    (theirs * torch.tensor(weights)).sum().backward()
    assert x.grad is not None
    assert t.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-12)


# ---- searching -------------------------------------------------------------------------------------


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("kind", NAMES)
def test_places_in_what_is_sorted(kind: str, right: bool) -> None:
    if kind == "bool":
        return
    for size in (0, 1, 2, 3, 8, 9, 100):
        values = np.sort(np.random.default_rng(size).integers(0, 20, size)).astype("float64")
        wanted = np.arange(-1.0 if kind[0] in "if" else 0.0, 22.0)
        got = Tensor(values).cast(kind).searchsorted(Tensor(wanted).cast(kind), right=right)
        assert got.numpy().tolist() == np.searchsorted(values, wanted, "right" if right else "left").tolist(), size


def test_searching_is_lazy_and_one_kernel(device: str) -> None:
    x = np.sort(np.random.default_rng(0).standard_normal(5000).astype("float32"))
    q = np.random.default_rng(1).standard_normal((30, 20)).astype("float32")
    found = Tensor(x).realize().searchsorted(Tensor(q).realize())
    assert len(found.schedule()) == 1
    assert (found.numpy() == np.searchsorted(x, q)).all()
    again = traced(lambda a, b: a.searchsorted(b, right=True))(Tensor(x), Tensor(x))
    assert (again.numpy() == np.searchsorted(x, x, "right")).all()


@pytest.mark.parametrize("right", [False, True])
def test_nan_is_behind_all_numbers(right: bool) -> None:
    x = [-np.inf, 0.0, np.inf]
    wanted = [np.nan, -0.0, np.inf, -np.inf]
    theirs = torch.searchsorted(torch.tensor(x), torch.tensor(wanted), right=right)
    assert Tensor(x).searchsorted(Tensor(wanted), right=right).tolist() == theirs.tolist()


# ---- the rest --------------------------------------------------------------------------------------


def test_results_have_names() -> None:
    x = Tensor([[2.0, 1.0]])
    for pair in (x.sort(), x.topk(1), x.kthvalue(1), x.median(1), x.mode(), x.cummax(1), x.max(1)):
        assert pair._fields == ("values", "indices")
        assert pair.values is pair[0]
        assert pair.indices is pair[1]
        assert jit(lambda p=pair: type(p)(*(y + 0 for y in p)))().indices.tolist() == pair.indices.tolist()
    assert x.aminmax().max.item() == 2
    assert x.histogram(2).bin_edges.tolist() == [1, 1.5, 2]


def test_data_dependent_sizes_are_refused_while_tracing() -> None:
    for call in (Tensor.unique, Tensor.unique_consecutive, Tensor.bincount):
        with pytest.raises(LazygradError, match="a value is read"):
            traced(lambda x, call=call: call(x + 1))(Tensor([1, 2]))


def test_every_key_is_in_order() -> None:
    """The integers that stand for elements, over all 16-bit floats."""
    for kind in (dtypes.float16, dtypes.bfloat16):
        x = Tensor(np.arange(1 << 16).astype("uint16")).bitcast(kind)
        values, keys = x.cast("float64").numpy(), x._sort_key().numpy().astype("float64")
        by_key, by_value = np.argsort(keys, kind="stable"), np.argsort(values, kind="stable")
        assert (by_key == by_value).all()
        assert (np.diff(keys[by_key]) == 0).sum() == len(values) - len(np.unique(values))


def test_sums_of_exponentials_do_not_lose_what_is_small(device: str) -> None:
    x = np.concatenate([np.linspace(-900, -800, 40), np.linspace(0, 800, 30)])
    got = Tensor(x).logcumsumexp(0).numpy()
    tolerance = 1e-12 if Tensor(x).dtype is dtypes.float64 else 1e-6
    np.testing.assert_allclose(got, torch.tensor(x).logcumsumexp(0).numpy(), rtol=tolerance)


assert order._BLOCK == 256, "the sizes above are on both sides of it"


@pytest.mark.parametrize("kind", ["float32", "int64", "bool", "float16"])
def test_unique_of_a_known_size(kind: str) -> None:
    x = np.random.default_rng(0).integers(0, 2 if kind == "bool" else 9, (7, 5)).astype(kind)
    if kind == "float32":
        x[0, :2] = np.nan
    values, where, counts = np.unique(x, return_inverse=True, return_counts=True, equal_nan=False)
    t, n = Tensor(x), len(values)
    replayed = jit(lambda t: t.unique(return_inverse=True, return_counts=True, size=n + 2, fill_value=1))
    for found in (t.unique(return_inverse=True, return_counts=True, size=n + 2, fill_value=1), *map(replayed, [t] * 3)):
        np.testing.assert_array_equal(found[0].numpy(), [*values, 1, 1])
        np.testing.assert_array_equal(found[2].numpy(), [*counts, 0, 0])
        if kind != "float32":  # equal nan go to places of their own, in any order
            np.testing.assert_array_equal(found[1].numpy(), where.reshape(x.shape))
    assert t.unique(size=1).numpy().tolist() == values[:1].tolist()
    assert t.flatten()[:0].unique(size=2, fill_value=0).tolist() == [0, 0]
    with pytest.raises(ArgumentError, match="size"):
        t.unique(size=2, dim=0)


def test_bincount_of_a_known_size() -> None:
    x = Tensor([3, 1, 3, 7, -2])
    count = jit(lambda x, w: (x.bincount(size=4), x.bincount(w, size=4)))
    weights = Tensor([0.5, 1.0, 2.0, 4.0, 8.0])
    for _ in range(3):
        plain, weighed = count(x, weights)
        assert plain.tolist() == [0, 1, 0, 2] and weighed.tolist() == [0.0, 1.0, 0.0, 2.5]
    with pytest.raises(ArgumentError, match="size"):
        x.bincount(size=-1)
