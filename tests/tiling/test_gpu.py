"""Programs for GPU-like devices (work-groups, local memory), forced on whatever device there is, against NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lazygrad import Tensor, cat, manual_seed, optim
from lazygrad.ir.op import Combine
from lazygrad.models.gpt import GPT, GPTConfig
from lazygrad.runtime.registry import open_device
from lazygrad.settings import settings
from tests.frontend import test_op_table as op_tests
from tests.op_table import TABLE

Data = NDArray[Any]
LIMITS = [None, (64, 4096), (8, 512)]  # those of the device, or (work-items in a group, bytes of local memory)


@pytest.fixture(params=LIMITS, ids=["own limits", "64 items", "8 items"])
def step(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A GPU with some limits; the number of them, to be added to sizes so that every one has programs of its own."""
    runtime: Any = open_device("OPENCL")
    if request.param is not None:
        items, local = request.param
        small = replace(runtime._info["gpu"], max_group=items, local_bytes=local)
        monkeypatch.setitem(runtime._info, "gpu", small)
    with settings.override(device="OPENCL", target="gpu"):
        yield LIMITS.index(request.param)


def floats(*shape: int, dtype: Any = np.float32) -> Data:
    rng = np.random.default_rng(sum(shape))
    return rng.standard_normal(shape).astype(dtype)


class Programs:
    """Collects lazy results with what they must be, and compares them after one realize."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, Tensor, Data, float]] = []

    def add(self, name: str, ours: Tensor, expected: Any, tolerance: float = 1e-5) -> None:
        self.rows.append((name, ours, np.asarray(expected), tolerance))

    def check(self) -> None:
        Tensor.realize(*[ours for _, ours, _, _ in self.rows])
        for name, ours, expected, tolerance in self.rows:
            got = ours.numpy()
            assert got.shape == expected.shape, name
            if tolerance:
                scale = np.abs(expected).max(initial=0.0)
                np.testing.assert_allclose(got, expected, tolerance, tolerance * scale, err_msg=name)
            else:
                np.testing.assert_array_equal(got, expected, err_msg=name)


def elementwise(p: Programs, n: int) -> None:
    for size in (1 + n, 255 + n, 256 + n, 40_000 + n):
        x = floats(size)
        p.add(f"map {size}", Tensor(x) * 2 + 1, x * 2 + 1)
    for size in (16_384 * (1 + n), 0):
        i = np.arange(size, dtype=np.int64)
        p.add(f"integers {size}", Tensor(i) // 7 - 3, i // 7 - 3, 0)
    x, y = floats(30 + n, 41), floats(41, 30 + n)
    p.add("transposed", Tensor(x) + Tensor(y).T, x + y.T, 0)
    p.add("padded", Tensor(x).pad((0, 3, 2, 1)) + 1, np.pad(x, ((2, 1), (0, 3))) + 1, 0)
    p.add("broadcast", Tensor(x) * Tensor(y[0, : 30 + n].copy()).reshape(-1, 1), x * y[0, : 30 + n, None], 0)
    p.add("half", Tensor(x.astype(np.float16)) * 2, x.astype(np.float16) * 2, 0)
    p.add("bool", Tensor(x) > 0, x > 0, 0)
    p.add("double", Tensor(x.astype(np.float64)).exp(), np.exp(x.astype(np.float64)), 1e-14)


def reductions(p: Programs, n: int) -> None:
    for m, k in ((3 + n, 7), (5, 500 + n), (700 + n, 64), (1, 3000 + n), (600 + n, 1100)):
        x = floats(m, k)
        wide = x.astype(np.float64)
        p.add(f"rows {m}x{k}", Tensor(x).sum(1), wide.sum(1))
        p.add(f"columns {m}x{k}", Tensor(x).sum(0), wide.sum(0))
        e = np.exp(wide - wide.max(1, keepdims=True))
        p.add(f"softmax {m}x{k}", Tensor(x).softmax(-1), e / e.sum(1, keepdims=True))
    for size in (20 + n, 2000 + n, 300_000 + n):
        x = floats(size)
        p.add(f"total {size}", Tensor(x).sum(), x.astype(np.float64).sum(), 1e-4)
        p.add(f"all {size}", (Tensor(x) < 100).all(), True, 0)
    x = floats(40 + n, 12, 30)
    p.add("middle", Tensor(x).sum(1), x.astype(np.float64).sum(1))
    p.add("outer and inner", Tensor(x).mean((0, 2)), x.astype(np.float64).mean((0, 2)))
    y = x[:, :, 0].copy()
    p.add("two kinds of rows", Tensor(y).sum(1) + Tensor(x).sum((1, 2)), y.sum(1) + x.sum((1, 2)))
    p.add("maximum", Tensor(x).amax(2), x.max(2), 0)
    p.add("argmax", Tensor(x).argmax(2), x.argmax(2), 0)
    d = x.astype(np.float64)
    normal = (d - d.mean(-1, keepdims=True)) / np.sqrt(d.var(-1, keepdims=True) + 1e-5)
    p.add("layernorm", Tensor(x).layernorm(), normal)
    p.add("layernorm double", Tensor(d).layernorm(), normal, 1e-12)
    whole = np.arange(60 + n, dtype=np.int32).reshape(-1, 1) * np.ones(70, np.int32)
    p.add("integer sum", Tensor(whole).sum(1), whole.sum(1), 0)
    p.add("empty rows", Tensor(np.zeros((4, 0), np.float32)).sum(1), np.zeros(4), 0)


def contractions(p: Programs, n: int) -> None:
    shapes = ((64, 64, 64), (65 + n, 33, 70), (100, 90 + n, 130), (16 + n, 16, 200), (5, 8 + n, 129), (200, 9 + n, 12))
    for which, (m, k, c) in enumerate((*shapes, (3, 4, 500 + n), (1, 300 + n, 90), (90 + n, 300, 1))):
        a, b = floats(m, k), floats(k, c)
        left = Tensor(a.T.copy()).T if which & 1 else Tensor(a)
        right = Tensor(b.T.copy()).T if which & 2 else Tensor(b)
        p.add(f"{m}x{k}x{c}", left @ right, a.astype(np.float64) @ b)
    a, b, bias = floats(3 + n, 2, 40, 24), floats(3 + n, 2, 24, 50), floats(50)
    exact = a.astype(np.float64) @ b
    p.add("batches", Tensor(a) @ Tensor(b), exact)
    p.add("epilogue", (Tensor(a) @ Tensor(b) + Tensor(bias)).relu() * 2, np.maximum(exact + bias, 0) * 2)
    p.add("prologue", (Tensor(a) * 2).exp() @ Tensor(b), np.exp(a.astype(np.float64) * 2) @ b)
    d, e = a.astype(np.float64), b.astype(np.float64)
    p.add("double", Tensor(d) @ Tensor(e), d @ e, 1e-12)
    i, j = (x.round().astype(np.int32) for x in (a * 9, b * 9))
    p.add("integers", Tensor(i) @ Tensor(j), i @ j, 0)
    h, g = (x.astype(np.float16) for x in (a, b))
    p.add("half", Tensor(h) @ Tensor(g), h.astype(np.float64) @ g.astype(np.float64), 2e-3)
    x, w = floats(2, 5, 11 + n, 14), floats(12, 5, 3, 3)
    p.add("convolution", Tensor(x).conv2d(Tensor(w), padding=1), convolution(x, w))


def convolution(x: Data, w: Data) -> Data:
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, w.astype(np.float64))


def in_order(p: Programs, n: int) -> None:
    x = floats(50 + n, 33)
    wide = x.astype(np.float64)
    for axis in (0, 1):
        p.add(f"cumsum {axis}", Tensor(x).cumsum(axis), wide.cumsum(axis))
    p.add("cumsum of a vector", Tensor(x[0].copy()).cumsum(0), wide[0].cumsum())
    rows = np.random.default_rng(n).integers(0, 50 + n, (9, 40))
    p.add("gather", Tensor(x)[Tensor(rows)], x[rows], 0)
    table, weight = Tensor(x, requires_grad=True), floats(9, 40, 33)
    (table[Tensor(rows)] * Tensor(weight)).sum().backward()
    expected = np.zeros_like(wide)
    np.add.at(expected, rows, weight.astype(np.float64))
    assert table.grad is not None
    p.add("gradient of a table", table.grad, expected)
    logits, target = Tensor(x, requires_grad=True), np.random.default_rng(n).integers(0, 33, 50 + n)
    loss = logits.cross_entropy(Tensor(target))
    loss.backward()
    chances = np.exp(wide) / np.exp(wide).sum(1, keepdims=True)
    one_hot = np.eye(33)[target]
    assert logits.grad is not None
    p.add("cross-entropy", loss, -np.log((chances * one_hot).sum(1)).mean())
    p.add("gradient of cross-entropy", logits.grad, (chances - one_hot) / len(x))


REDUCE = {Combine.ADD: "sum", Combine.SET: "set", Combine.MAX: "amax"}


def scattered(base: Data, axis: int, index: Data, updates: Data, combine: Combine) -> Data:
    """Update after update, in the order of the index; places outside are dropped."""
    out = base.copy()
    for at in np.ndindex(*index.shape):
        if 0 <= index[at] < out.shape[axis]:
            to = (*at[:axis], int(index[at]), *at[axis + 1 :])
            old, new = out[to], updates[at]
            out[to] = new if combine is Combine.SET else max(old, new) if combine is Combine.MAX else old + new
    return out


@settings.override(check_indices=False)
def scatters(p: Programs, n: int) -> None:
    """Exact: one owner makes the updates of a place, in their order; those outside are left out."""
    rng = np.random.default_rng(n)
    for shape, axis, count, shared in (
        ((70 + n, 24), 0, 90, True),  # rows of a table
        ((5, 300 + n), 0, 40, True),
        ((3, 4, 260), 0, 300 + n, True),
        ((300 + n,), 0, 700, False),
        ((9000 + n,), 0, 600, False),
        ((5000 + n, 40), 0, 300, True),
        ((4, 64 + n), 1, 50, False),  # each row has an index of its own
        ((33 + n, 6, 5), 1, 7, False),
        ((2, 40 + n, 8), 1, 1, True),
    ):
        base, where = floats(*shape), tuple(count if k == axis else size for k, size in enumerate(shape))
        own = tuple(size if k == axis or not shared else 1 for k, size in enumerate(where))
        few, updates = rng.integers(-2, shape[axis] + 2, own), floats(*where)
        index, places = np.broadcast_to(few, where), Tensor(few).expand(*where)
        for combine in (Combine.ADD, Combine.SET, Combine.MAX):
            ours = Tensor(base)._scatter("scatter", axis, places, Tensor(updates), REDUCE[combine])
            p.add(f"{combine.name} {shape} {axis}", ours, scattered(base, axis, index, updates, combine), 0)
    shorter = rng.integers(0, 30, (20, 3))  # than what is scattered into, along the other axis
    base, updates = floats(30, 5 + n), floats(20, 3)
    ours = Tensor(base).scatter_add(0, Tensor(shorter), Tensor(updates))
    p.add("shorter index", ours, scattered(base, 0, shorter, updates, Combine.ADD), 0)
    far = np.array([[1 << 40, 3, -(1 << 40), 3, (1 << 32) + 1, 2 + n]]).T.repeat(8, 1)
    ours = Tensor(floats(9, 8)).scatter_add(0, Tensor(far), Tensor(floats(6, 8)))
    p.add("far outside", ours, scattered(floats(9, 8), 0, far, floats(6, 8), Combine.ADD), 0)
    half, few = floats(40, 16 + n, dtype=np.float16), floats(60, 16 + n, dtype=np.float16)
    rows = rng.integers(0, 4, (60, 1)).astype(np.uint8).repeat(16 + n, 1)
    summed = scattered(half.astype(np.float32), 0, rows, few.astype(np.float32), Combine.ADD).astype(np.float16)
    p.add("half", Tensor(half).scatter_add(0, Tensor(rows), Tensor(few)), summed, 0)


def columns(p: Programs, n: int) -> None:
    """What memory runs across: few and many columns, rows in one part and in several, and what else is stored."""
    for rows, wide in ((200 + n, 24), (1000, 3), (130 + n, 260), (300, 1), (17, 129 + n), (5, 4000 + n), (2500, 16)):
        x = floats(rows, wide)
        exact = x.astype(np.float64)
        total, largest = Tensor(x).sum(0), Tensor(x).amax(0)
        p.add(f"sum {rows}x{wide}", total, exact.sum(0), 1e-4)
        p.add(f"max {rows}x{wide}", largest, x.max(0), 0)
        half = x.astype(np.float16)
        p.add(f"half {rows}x{wide}", Tensor(half).sum(0), half.astype(np.float64).sum(0).astype(np.float16), 1e-3)
    x, y, scale = floats(330 + n, 40), floats(330 + n, 40), floats(330 + n, 1)
    exact = (x.astype(np.float64) - 1) * scale
    p.add("scaled", ((Tensor(x) - 1) * Tensor(scale)).sum(0).exp2() + 1, np.exp2(exact.sum(0)) + 1, 1e-4)
    both = Tensor(x) * Tensor(y)
    p.add("stored too", both, x * y, 0)
    p.add("and summed", both.sum(0), (x.astype(np.float64) * y).sum(0), 1e-4)
    joined = cat([Tensor(x), Tensor(y)], dim=1).contiguous()
    p.add("joined", joined, np.concatenate([x, y], 1), 0)
    p.add("and summed there", joined.sum(0), np.concatenate([x, y], 1).astype(np.float64).sum(0), 1e-4)
    cube = floats(30, 20 + n, 8)
    p.add("two axes", Tensor(cube).sum((0, 1)), cube.astype(np.float64).sum((0, 1)), 1e-4)
    p.add("first axis", Tensor(cube).sum(0), cube.astype(np.float64).sum(0), 1e-4)
    p.add("any", (Tensor(x) > 2.5).any(0), (x > 2.5).any(0), 0)
    whole = np.random.default_rng(n).integers(-1000, 1000, (700, 12 + n))
    p.add("integers", Tensor(whole).sum(0), whole.sum(0), 0)
    for rows, long in ((1100, 128 + n), (1100, 256), (1060 + n, 96), (2112, 64)):  # a warp each, where there are warps
        z = floats(rows, long)
        e = np.exp(z.astype(np.float64) - z.max(1, keepdims=True))
        p.add(f"softmax {rows}x{long}", Tensor(z).softmax(-1), e / e.sum(1, keepdims=True))


Family = Callable[[Programs, int], None]
FAMILIES: list[Family] = [elementwise, reductions, contractions, in_order, scatters, columns]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__)
def test_programs(family: Family, step: int) -> None:
    programs = Programs()
    family(programs, step)
    programs.check()


SOME = [name for name, row in TABLE.items() if not row.elementwise][::4]  # all would take minutes to compile


@pytest.mark.parametrize("names", op_tests.groups(SOME, 20), ids=lambda names: f"{names[0]}..{names[-1]}")
def test_op_table(names: list[str]) -> None:
    with settings.override(device="OPENCL", target="gpu"):
        op_tests.test_devices_agree(names, "OPENCL")


def train(device: str) -> tuple[list[float], list[Data]]:
    """Losses of a few steps of a GPT, and its parameters after them."""
    with settings.override(device=device, target="gpu"):
        manual_seed(0)
        model = GPT(GPTConfig(vocabulary=30, layers=1, heads=2, width=32, context=20))
        optimizer = optim.AdamW(model.parameters(), lr=1e-2)
        tokens = np.random.default_rng(0).integers(0, 30, (5, 21))
        losses = []
        for _ in range(2):
            logits = model(Tensor(tokens[:, :-1]))
            loss = logits.reshape(-1, 30).cross_entropy(Tensor(tokens[:, 1:].reshape(-1)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses, [parameter.numpy() for parameter in model.parameters()]


def test_training() -> None:
    losses, parameters = train("OPENCL")
    expected, held = train("NUMPY")
    np.testing.assert_allclose(losses, expected, 1e-4)
    assert losses[-1] < losses[0]
    for ours, theirs in zip(parameters, held):
        np.testing.assert_allclose(ours, theirs, 0, 5e-3)


def test_kernels_whose_groups_wait_for_each_other_run_again() -> None:
    """Tickets are 0 again after every launch: of one plan run several times, and of kernels that share them."""
    rng = np.random.default_rng(0)
    for _ in range(3):
        a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((200, 24), (300, 40)))
        x, y = Tensor(a).realize(), Tensor(b).realize()
        sums = [x.sum(0), y.amax(0), (y + 1).sum(0), x.sum(), y.sum()]
        Tensor.realize(*sums)
        for ours, wanted in zip(sums, (a.sum(0), b.max(0), (b + 1).sum(0), a.sum(), b.sum())):
            np.testing.assert_allclose(ours.numpy(), wanted, 1e-5, 1e-4)
