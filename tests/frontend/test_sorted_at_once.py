"""Sorting by NumPy: elements at once, places when they are asked for; against PyTorch and the sort in the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, jit
from lazygrad.engine import promised
from lazygrad.ops.host_order import SORTED


def numbers(kind: str, seed: int) -> Any:
    """Few different ones; of floats zeros of both signs, or of one, or nan and infinity; of 64 bits all in use."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0 if kind[0] == "u" else -20, 20, (3, 40)).astype(kind)
    if kind.endswith("64"):
        x = x * np.array(1 << 40, kind) + rng.integers(0, 9, (3, 40)).astype(kind)
    if kind[0] == "f":
        x[(slice(0, 1), slice(1, 2), slice(0, 3))[seed], 3:9:2] = (-0.0, np.nan, -0.0)[seed]
        x[1, 4], x[2, 1] = (0.0, -np.nan, -0.0)[seed], np.inf
        x[x == 0] = -0.0 if seed == 2 else x[x == 0]
    return x


@pytest.mark.parametrize("kind", sorted(k.name for k in SORTED))
def test_elements_and_places(kind: str) -> None:
    for seed in range(3):
        x = numbers(kind, seed)
        signed = x if kind[0] != "u" or kind == "uint8" else (x >> np.array(1, kind)).astype("int64")
        x = x if signed is x else (signed * 2).astype(kind)  # PyTorch does not sort the others
        for dim in (0, 1):
            for descending in (False, True):
                values, places = Tensor(x, device="NUMPY").sort(dim, descending)
                expected = torch.sort(torch.tensor(signed), dim=dim, descending=descending, stable=True)[1].numpy()
                np.testing.assert_array_equal(places.numpy(), expected)
                wanted = np.take_along_axis(x, expected, dim)
                assert values.numpy().tobytes() == wanted.tobytes()


@pytest.mark.parametrize("device", ["NUMPY", "OPENCL"])
def test_long_rows_in_jit(device: str) -> None:
    """Bit by bit: rows with many equal elements, keys of 32 and 64 bits, and all of one row."""
    rng = np.random.default_rng(1)
    floats = np.round(rng.normal(size=(3, 8200)), 2).astype("float32")
    floats[0, ::9], floats[1, ::7], floats[2, ::5] = -0.0, np.inf, -np.inf
    doubles = (rng.integers(-3, 3, 8192) * 1e300 + rng.integers(-3, 3, 8192)).astype("float64")
    integers = rng.integers(-(2**62), 2**62, (9000, 2)) // 2**55 * 2**50
    sort = jit(lambda a, b, c: (*a.sort(), *b.sort(), *c.sort(0, True), a.topk(300)[1]))
    given = [Tensor(x, device=device) for x in (floats, doubles, integers)]
    for _ in range(3):
        found = [t.numpy() for t in sort(*given)]
    orders = [np.argsort(floats, -1, kind="stable"), np.argsort(doubles, kind="stable")]
    orders.append(np.argsort(-integers, 0, kind="stable"))
    for k, (x, order, axis) in enumerate(zip((floats, doubles, integers), orders, (-1, -1, 0))):
        np.testing.assert_array_equal(found[2 * k + 1], order)
        np.testing.assert_array_equal(found[2 * k], np.take_along_axis(x, order, axis))
    np.testing.assert_array_equal(found[6], np.argsort(-floats, -1, kind="stable")[:, :300])


def test_places_are_found_when_they_are_asked_for() -> None:
    for device in ("NUMPY", "OPENCL"):
        x = Tensor(np.random.default_rng(0).normal(size=300).astype("float32"), device=device)
        before = x.numpy().copy()
        pairs = [x.sort() for _ in range(4)]
        waiting = len(promised.waiting)
        x.zero_()
        assert waiting >= 4 and pairs[0].values.tolist() == np.sort(before).tolist()
        assert len(promised.waiting) == waiting
        order = np.argsort(before, kind="stable")
        assert pairs[0].indices.tolist() == order.tolist()
        assert (pairs[1].indices * 2 + 1).tolist() == (order * 2 + 1).tolist()
        assert pairs[2].indices.add_(1).tolist() == (order + 1).tolist()
        pairs[3].indices.realize()
        assert len(promised.waiting) == waiting - 4


def test_replays_that_write_leave_the_elements_whose_places_are_promised() -> None:
    x = Tensor([3.0, 1.0, 2.0, 5.0]).realize()
    update = jit(lambda: x.mul_(-1).add_(1))
    for turn in range(4):
        before = x.numpy()
        places = x.sort().indices
        update()
        assert places.tolist() == np.argsort(before, kind="stable").tolist(), turn


def test_promised_places_are_read_by_replays_and_gradients() -> None:
    x = Tensor([3.0, 1.0, 2.0], requires_grad=True)
    places = x.detach().sort().indices
    read = jit(lambda t: t[places] * 2)
    assert [read(x).tolist() for _ in range(3)] == [[2.0, 4.0, 6.0]] * 3
    (x.sort().values * Tensor([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [100.0, 1.0, 10.0]
