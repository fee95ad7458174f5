"""Gradients by central finite differences of the evaluator, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lazygrad.dtype import dtypes
from lazygrad.ir.build import add, mul
from lazygrad.ir.elements import Array
from lazygrad.ir.evaluate import evaluate
from lazygrad.ir.node import Node, const, reduce
from lazygrad.ir.op import Combine
from lazygrad.ir.reverse import gradient
from lazygrad.ir.verify import verify
from tests.programs import read_stored, stored

F64 = dtypes.float64


def weights(n: Node, seed: int) -> Node:
    return stored(np.random.default_rng(seed).standard_normal(tuple(map(int, n.shape))), F64)  # type: ignore[arg-type]


def weighted_sum(n: Node, seed: int) -> Node:
    """A scalar that depends on every element of `n` in its own way."""
    return reduce(mul(n, weights(n, seed)), Combine.ADD, range(n.ndim))


def gradients_of(root: Node, targets: Sequence[Node]) -> list[Node | None]:
    found = gradient(root, const(1.0, root.dtype), targets)
    verify([root, *(g for g in found if g is not None)])
    for g, t in zip(found, targets):
        assert g is None or (g.shape, g.dtype) == (t.shape, t.dtype)
    return found


def numeric(root: Node, x: Node, step: float = 1e-5) -> Array:
    """The gradient of a scalar by a stored tensor, by moving each element both ways."""
    array = read_stored(x)
    slopes = np.zeros(array.size)
    flat = array.reshape(-1)
    for i in range(array.size):
        kept, ends = flat[i], []
        for flat[i] in (kept + step, kept - step):
            ends.append(evaluate([root], read_stored)[0])
        flat[i] = kept
        slopes[i] = (ends[0] - ends[1]) / (2 * step)
    return slopes.reshape(array.shape)


def check_gradients(function: Callable[..., Node], *arrays: Array, order: int = 1, tolerance: float = 1e-7) -> None:
    """Raise AssertionError unless the gradients of `function` agree with finite differences, up to `order`.

    The function of order k + 1 is a weighted sum of all gradients of order k.
    """
    inputs = [stored(np.array(a, np.float64), F64) for a in arrays]
    root = weighted_sum(function(*inputs), 1)
    for level in range(order):
        found = gradients_of(root, inputs)
        for x, g in zip(inputs, found):
            want = numeric(root, x)
            got = np.zeros(want.shape) if g is None else evaluate([g], read_stored)[0]
            scale = 1 + np.abs(want).max(initial=0)
            np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * scale, err_msg=f"order {level + 1}")
        parts = [weighted_sum(g, 10 * level + k) for k, g in enumerate(found) if g is not None]
        if not parts:
            return
        root = parts[0]
        for part in parts[1:]:
            root = add(root, part)
